"""Whether the worker's memory grows: 2,000 pages through the real paddleocr in one run, recycling off.

    python -m bench.endurance [--json] [--pages 2000]

Runs in the worker's environment (`make bench-worker`), against a stub of vLLM that answers in 50 ms, with a fabricated
layout model that finds 8 blocks a page. Memory is the proportional set size of the worker and all below it, as in
bench.memory, looked at every quarter of a second. The first 200 pages don't count: they load what a page needs. The
peak of the next 200 stands beside the peak of all that follow.
"""

import argparse
import tempfile
import time
from pathlib import Path

from bench.report import Figure, show
from bench.vl.mixes import document
from bench.vl.runs import Bench, queue
from gpu_worker.memory import used_mb
from shared.pdf.sandbox import Sandbox
from tests.vllm_stub import stub_process
from tests_paddle.fabricated_layout import blocks_of, write_model

EVERY_SECONDS = 0.25
EARLY = range(200, 400)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--pages", type=int, default=2_000)
    asked = parser.parse_args()
    show(measure(asked.pages), as_json=asked.json)


def measure(pages: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox, stub_process(latency=0.05) as stub:
        sandbox.start()
        write_model(Path(folder) / "layout", blocks_of(8))
        seen = _watched(Bench(stub=stub, sandbox=sandbox, layout=Path(folder) / "layout"), pages)
    early = max(memory for done, memory in seen if done in EARLY)
    late = max(memory for done, memory in seen if done >= EARLY.stop)
    return [
        Figure(
            name=f"endurance.peak_of_{pages}_pages",
            value=late,
            unit="MB",
            baseline=early,
            goal=1.1,
            lower_is_better=True,
        ),
        Figure(name="endurance.at_the_end", value=seen[-1][1], unit="MB"),
    ]


def _watched(bench: Bench, pages: int) -> list[tuple[int, float]]:
    """Pages done and megabytes, from the first page to the last."""
    seen: list[tuple[int, float]] = []
    with queue(bench) as queued:
        job = queued.send(document(pages))
        with queued.worker() as process:
            while queued.is_unfinished(job):
                time.sleep(EVERY_SECONDS)
                seen.append((queued.done(job), used_mb(process.pid)))
    return seen


if __name__ == "__main__":
    main()
