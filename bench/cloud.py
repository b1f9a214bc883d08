"""How fast jobs go through on Google's services, as their emulators have them, with the null engine.

    python -m bench.cloud [--json]

The whole system runs as `pagemill up` has it: each function and the worker a process. Beside each figure stands what
the calls that the path needs cost bare, made with the SDKs alone on emulators of their own, in the same run:
a POST, from its beginning to its answer; a job, from its POST to its end, beside the bare calls one after the other,
two pulls with the emulator's polls among them (about 50 ms each), and rendering, both in turn; and the jobs that 32
clients see finished in a second, beside the same calls and rendering from as many threads, on as many processes as
cores.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import BinaryIO, cast

from bench.clients import Client, at_once, finished
from bench.documents import scanned
from bench.report import Figure, show, wants_json
from bench.rpcs import Bare, in_environment, jobs_a_second, opened, render
from local.emulators import Emulators
from shared.pdf.sandbox import Sandbox
from tests.servers import Server, answering
from tests.serving import environment

CLIENTS = 32
RUNS, TURNS = 20, 6
"""So many jobs in turn; the first turn warms everything up."""
_PAUSE_SECONDS = 0.1
"""Before each: when the last page is seen finished, acks and leases of it are still on their way."""
ROUNDS = 2
SECONDS = 10.0


def main() -> None:
    show(measure(), as_json=wants_json(__doc__))


def measure() -> list[Figure]:
    document = scanned(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        Server({}, otherwise=answering(200, document)) as source,
        Emulators(Path(folder) / "bare") as emulators,
        _up(Path(folder) / "up") as address,
    ):
        in_environment(emulators.variables)
        bare, url = opened("bench-alone"), f"{source.url}/document.pdf"
        turns = [(*_alone(address, url), *_bare(bare, document)) for _ in range(TURNS)][1:]
        posts, jobs, bare_posts, bare_jobs = (list(chain(*values)) for values in zip(*turns, strict=True))
        rounds = [(_jobs(address, source.url), _bare_jobs(document, round_)) for round_ in range(ROUNDS)]
    seen, possible = (median(values) for values in zip(*rounds, strict=True))
    return [
        *_latencies("post", posts, bare_posts),
        *_latencies("post_to_finished", jobs, bare_jobs),
        Figure(name="cloud.finished_a_second", value=seen, unit="jobs/s", baseline=possible, goal=0.6),
    ]


def _latencies(name: str, values: list[float], baseline: list[float]) -> list[Figure]:
    return [
        Figure(
            name=f"cloud.{name}_p50",
            value=median(values),
            unit="ms",
            baseline=median(baseline),
            goal=1.5,
            lower_is_better=True,
        ),
        Figure(name=f"cloud.{name}_p99", value=_p99(values), unit="ms", baseline=_p99(baseline)),
    ]


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]


@contextmanager
def _up(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "local", "up", "--port", "0", "--data", str(folder)]
    process = subprocess.Popen(
        command,
        env=environment(folder, LOG_LEVEL="WARNING"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise RuntimeError(f"pagemill up ended with {process.wait()}")
        yield said.split()[-1]
    finally:
        process.terminate()
        process.communicate()


def _alone(address: str, url: str) -> tuple[list[float], list[float]]:
    """Milliseconds to each POST's answer, and to each job's end, one after the other."""
    client, posts, jobs = Client(address), [], []
    for _ in range(RUNS):
        time.sleep(_PAUSE_SECONDS)
        started = time.perf_counter()
        job_id = client.submit_url(url)
        posts.append(1000 * (time.perf_counter() - started))
        finished(client, job_id)
        jobs.append(1000 * (time.perf_counter() - started))
    client.close()
    return posts, jobs


def _bare(bare: Bare, document: bytes) -> tuple[list[float], list[float]]:
    """The same without anything of ours."""
    posts, jobs = [], []
    with tempfile.TemporaryFile() as unnamed, Sandbox() as sandbox:
        file = cast("BinaryIO", unnamed)
        file.write(document)
        sandbox.start()
        for _ in range(RUNS):
            time.sleep(_PAUSE_SECONDS)
            started = time.perf_counter()
            job_id = bare.post()
            posts.append(1000 * (time.perf_counter() - started))
            bare.rest(job_id, document)
            render(sandbox, file)
            jobs.append(1000 * (time.perf_counter() - started))
    return posts, jobs


def _jobs(address: str, url: str) -> float:
    local = threading.local()

    def one() -> None:
        if not hasattr(local, "client"):
            local.client = Client(address)
        finished(local.client, local.client.submit_url(f"{url}/document.pdf"))

    return at_once(CLIENTS, SECONDS, one)


def _bare_jobs(document: bytes, round_: int) -> float:
    processes = os.cpu_count() or 1
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        rates = [
            pool.submit(
                jobs_a_second,
                f"bench-{round_}-{number}",
                document,
                threads=CLIENTS // processes,
                seconds=SECONDS,
            )
            for number in range(processes)
        ]
        return sum(rate.result() for rate in rates)


if __name__ == "__main__":
    main()
