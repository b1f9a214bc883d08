"""How busy pagemill keeps a vLLM server, beside the library's own way: one `predict` a document.

    python -m bench.saturation [--json] [--only busy,rate,layout,express] [--pages 256] [--workers 1]

Runs in the worker's environment (`make bench-worker`), since it runs the real paddleocr. The server is a stub: it
answers each request after a set latency, so many at once (its slots), and costs little. The layout model is fabricated:
it finds 1, 8 or 40 blocks on every page, and costs what it is told to. Everything else is real: bus, rendering, the
library's layout code, the engine and its client, storage and assembly on the embedded adapters. The pages are letters
at 144 dpi, every one another; the caches are off.

`busy`: the share of the slots' time that was used, from the moment at which the worker takes pages (all documents are
queued by then) until the last result is stored; the library's from its first `predict`, warm, to the end of its last.
`rate`: requests a second at 200 ms, where the client's CPU is the limit. `layout`: the same with a layout model that
costs 150 or 500 ms of CPU a page. `express`: a document of one page, sent behind one of 500, beside the same on an idle
worker. The library reads fewer pages, since its rate is steady.

Not measured here: real layout cost, real L4 speed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench.report import Figure, show
from bench.vl.mixes import Mix, both, document, many_small, one_long
from bench.vl.queue import Queue
from bench.vl.runs import Bench, library, ours, queue
from shared.pdf.sandbox import Sandbox
from tests.vllm_stub import stub_process
from tests_paddle.fabricated_layout import blocks_of, write_model

LIBRARY_PAGES = 64
BLOCKS = (1, 8, 40)
LONG_PAGES = 500
EXPRESS_RUNS = 3
LAYOUT_COSTS = (0.15, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for on the command line; `folder` takes the layout models."""

    bench: Bench
    folder: Path
    pages: int

    def with_blocks(self, blocks: int, *, cost: float = 0.0) -> Bench:
        """`cost` is the CPU that the layout model takes for a page, in seconds."""
        folder = self.folder / f"{blocks}-{cost}"
        if not folder.exists():
            write_model(folder, blocks_of(blocks), cost_seconds=cost)
        return replace(self.bench, layout=folder)


def busy(plan: Plan) -> Iterator[Figure]:
    for blocks in BLOCKS:
        bench = plan.with_blocks(blocks)
        for make in (one_long, many_small, both):
            mix = make(plan.pages)
            run, beside = ours(bench, mix, latency=2.0), library(bench, make(LIBRARY_PAGES), latency=2.0)
            name = f"saturation.busy.{mix.name}.{blocks}_blocks"
            # With one block a page, rendering and layout are the limit, not the feeding.
            goal = None if blocks == 1 else 0.95
            yield Figure(name=name, value=run.busy, unit="of the slots' time", goal=goal)
            yield Figure(name=f"{name}.ratio", value=run.busy, unit="of the slots' time", baseline=beside.busy)
            yield Figure(name=f"{name}.pages_a_second", value=run.pages_a_second, unit="pages/s")


def rate(plan: Plan) -> Iterator[Figure]:
    bench = plan.with_blocks(8)
    goals: tuple[tuple[Callable[[int], Mix], float], ...] = ((many_small, 5.0), (one_long, 2.0))
    for make, goal in goals:
        mix = make(plan.pages)
        run, beside = ours(bench, mix, latency=0.2), library(bench, make(LIBRARY_PAGES), latency=0.2)
        yield Figure(
            name=f"saturation.rate.{mix.name}",
            value=run.requests_a_second,
            unit="requests/s",
            baseline=beside.requests_a_second,
            goal=goal,
        )


def layout(plan: Plan) -> Iterator[Figure]:
    for cost in LAYOUT_COSTS:
        run = ours(plan.with_blocks(8, cost=cost), both(plan.pages), latency=2.0)
        name = f"saturation.layout.{cost * 1000:.0f}_ms"
        yield Figure(name=f"{name}.pages_a_second", value=run.pages_a_second, unit="pages/s")
        yield Figure(name=f"{name}.busy", value=run.busy, unit="of the slots' time")


def express(plan: Plan) -> Iterator[Figure]:
    bench = plan.with_blocks(8)
    bench.stub.set(latency=2.0)
    with queue(bench) as queued, queued.worker():
        idle = median(_seconds(queued, number) for number in range(EXPRESS_RUNS))
        long = queued.send(document(LONG_PAGES, number=EXPRESS_RUNS))
        time.sleep(10)  # until every slot has a page of the long one
        behind = median(_seconds(queued, EXPRESS_RUNS + 1 + number) for number in range(EXPRESS_RUNS))
        if not queued.is_unfinished(long):
            raise RuntimeError("the long document ended too early to be behind")
    yield Figure(name="saturation.express", value=behind, unit="s", baseline=idle, goal=2.0, lower_is_better=True)


def _seconds(queued: Queue, number: int) -> float:
    """From the sending of a document of one page to its end."""
    started = time.perf_counter()
    queued.wait([queued.send(document(1, number=number))])
    return time.perf_counter() - started


ROWS = {"busy": busy, "rate": rate, "layout": layout, "express": express}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--only", default=",".join(ROWS), help="which rows, separated by commas")
    parser.add_argument("--pages", type=int, default=256)
    parser.add_argument("--workers", type=int, default=1, help="worker processes, which share the requests in flight")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox, stub_process() as stub:
        sandbox.start()
        bench = Bench(stub=stub, sandbox=sandbox, layout=Path(folder), workers=asked.workers)
        plan = Plan(bench=bench, folder=Path(folder), pages=asked.pages)
        for row in asked.only.split(","):
            show(ROWS[row](plan), as_json=asked.json)


if __name__ == "__main__":
    main()
