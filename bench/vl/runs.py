"""One run against the stub of vLLM: the pages of a mix through our worker, or through the library alone."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.vl.mixes import Mix, document
from bench.vl.queue import Queue
from shared.pdf.sandbox import Sandbox
from tests.vllm_stub import Stub

SLOTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every run shares; `layout` is the folder of its layout model, `workers` the processes of ours."""

    stub: Stub
    sandbox: Sandbox
    layout: Path
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    pages: int
    seconds: float
    requests: int
    busy_seconds: float

    @property
    def busy(self) -> float:
        """The share of the slots' time that was used."""
        return self.busy_seconds / (self.seconds * SLOTS)

    @property
    def requests_a_second(self) -> float:
        return self.requests / self.seconds

    @property
    def pages_a_second(self) -> float:
        return self.pages / self.seconds


def ours(bench: Bench, mix: Mix, *, latency: float) -> Run:
    """All documents are queued before the worker takes pages, which is when the clock starts; its models are loaded."""
    bench.stub.set(latency=latency, slots=SLOTS)
    with queue(bench) as queued:
        jobs = queued.send_all(mix)
        bench.stub.reset()
        with ExitStack() as workers:
            for _ in range(bench.workers):
                workers.enter_context(queued.worker())
            started = time.perf_counter()
            queued.wait(jobs)
            return _run(bench, mix, time.perf_counter() - started)


def library(bench: Bench, mix: Mix, *, latency: float) -> Run:
    """Its own way: one `predict` a document, one document after the other, after one that warms it."""
    bench.stub.set(latency=0, slots=SLOTS)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.pdf" for number in range(len(mix.lengths) + 1)]
        for number, (file, length) in enumerate(zip(files, (1, *mix.lengths), strict=True)):
            file.write_bytes(document(length, number=number))
        command = [sys.executable, "-m", "bench.vl.library", bench.stub.url, str(SLOTS), str(bench.layout)]
        with subprocess.Popen(
            [*command, *map(str, files)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            _expect(process, "warm")
            bench.stub.set(latency=latency)
            bench.stub.reset()
            process.stdin.write("go\n")
            process.stdin.flush()
            seconds, pages = process.stdout.readline().split()
    if int(pages) != mix.pages:
        raise RuntimeError(f"the library read {pages} of {mix.pages} pages")
    return _run(bench, mix, float(seconds))


@contextmanager
def queue(bench: Bench) -> Iterator[Queue]:
    """A new data folder, with nothing in it."""
    settings = {
        "VL_SERVER_URL": bench.stub.url,
        "PAGEMILL_LAYOUT_MODEL": str(bench.layout),
        "PAGEMILL_VL_REQUESTS": str(SLOTS // bench.workers),
        "PAGEMILL_CACHE_DAYS": "0",
    }
    with tempfile.TemporaryDirectory() as folder:
        made = Queue(Path(folder) / "data", bench.sandbox, settings)
        try:
            yield made
        finally:
            made.close()


def _run(bench: Bench, mix: Mix, seconds: float) -> Run:
    stats = bench.stub.stats()
    return Run(pages=mix.pages, seconds=seconds, requests=stats["done"], busy_seconds=stats["busy_seconds"])


def _expect(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if said != line:
        raise RuntimeError(f"the library said {said!r} and ended with {process.wait()}")
