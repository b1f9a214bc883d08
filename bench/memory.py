"""What a long document costs in memory: the peak of all processes for 500 pages, beside twice what is in hand at once.

    python -m bench.memory [--json]

Each on a server of its own with the null engine and nothing recycled. Memory is the proportional set size of the server
and all that it started, summed, looked at every 20 ms, without what files are mapped from (the document itself, which
the system may drop at any time). Linux only.
"""

import tempfile
import threading
import time
from pathlib import Path

from bench.documents import scanned
from bench.report import Figure, show, wants_json
from gpu_worker.engines.null import NullEngine
from gpu_worker.memory import used_mb
from gpu_worker.worker import AHEAD
from shared.domain.job import Limits
from tests.serving import served

LONG = 500
EVERY_SECONDS = 0.02


def main() -> None:
    show(measure(), as_json=wants_json(__doc__))


def measure() -> list[Figure]:
    short = 2 * (NullEngine().capacity + AHEAD) * Limits().pages_a_range
    few, many = peak_mb(short), peak_mb(LONG)
    return [
        Figure(name=f"memory.peak_of_{LONG}_pages", value=many, unit="MB", baseline=few, goal=1.1, lower_is_better=True)
    ]


def peak_mb(pages: int) -> float:
    """The peak while one document of so many pages goes through, in 10^6 bytes."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data", {"LOG_LEVEL": "WARNING"}) as server:
        seen, stopping = [0.0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(server.process.pid, seen, stopping))
        watcher.start()
        job_id = server.submitted(scanned(pages))
        until = time.monotonic() + 600
        while server.http.get(f"/jobs/{job_id}").json()["pages"]["done"] < pages and time.monotonic() < until:
            time.sleep(0.2)
        stopping.set()
        watcher.join()
    return max(seen)


def _watch(root: int, seen: list[float], stopping: threading.Event) -> None:
    while not stopping.wait(EVERY_SECONDS):
        seen.append(used_mb(root))


if __name__ == "__main__":
    main()
