"""How fast jobs go through with the null engine: one alone, and many at once.

    python -m bench.jobs [--json]

`post_to_finished_p50` is from the POST of a one-page document until its job is seen finished, on an idle server: of a
letter, and of a scan, whose picture takes some 20 ms to decode.
`finished_a_second` is what 32 clients see finished, beside rendering alone: the same document opened in the sandbox, a
page of it rendered, on as many threads as cores, with nothing stored. `bare_a_second` is what they see of a server that
does with FastAPI, files and SQLite what a job needs and nothing more (bench/bare.py), beside the same. All are measured
in turn, three times.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from bench.clients import Client, at_once, finished
from bench.documents import letter, scanned
from bench.report import Figure, show, wants_json
from shared.config import ENGINES
from shared.pdf.sandbox import Sandbox
from tests.serving import served

CLIENTS = 32
SINGLE_RUNS = 60
ROUNDS = 3
SECONDS = 8.0


def main() -> None:
    show(measure(), as_json=wants_json(__doc__))


def measure() -> list[Figure]:
    document = scanned(1)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data", {"LOG_LEVEL": "WARNING"}) as server:
        base_url = str(server.http.base_url)
        letters, scans = _alone(base_url, letter()), _alone(base_url, document)
        rounds = [(_jobs(base_url, document), _bare_jobs(document), _rendering(document)) for _ in range(ROUNDS)]
    jobs, bare, rendering = (median(values) for values in zip(*rounds, strict=True))
    return [
        Figure(name="jobs.post_to_finished_p50.letter", value=letters, unit="ms", goal=50.0, lower_is_better=True),
        Figure(name="jobs.post_to_finished_p50.scan", value=scans, unit="ms", goal=50.0, lower_is_better=True),
        Figure(name="jobs.finished_a_second", value=jobs, unit="jobs/s", baseline=rendering, goal=0.7),
        Figure(name="jobs.bare_a_second", value=bare, unit="jobs/s", baseline=rendering),
    ]


def _alone(base_url: str, document: bytes) -> float:
    """Milliseconds."""
    client = Client(base_url)
    times = [_timed(client, document) for _ in range(SINGLE_RUNS)]
    client.close()
    return 1000 * median(times[SINGLE_RUNS // 6 :])


def _timed(client: Client, document: bytes) -> float:
    started = time.perf_counter()
    finished(client, client.submit(document))
    return time.perf_counter() - started


def _jobs(base_url: str, document: bytes) -> float:
    local = threading.local()

    def one() -> None:
        if not hasattr(local, "client"):
            local.client = Client(base_url)
        finished(local.client, local.client.submit(document))

    return at_once(CLIENTS, SECONDS, one)


def _bare_jobs(document: bytes) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.bare", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                return _jobs(server.stdout.readline().strip(), document)
            finally:
                server.terminate()


def _rendering(document: bytes) -> float:
    with tempfile.TemporaryFile() as file, Sandbox() as sandbox:
        file.write(document)
        sandbox.start()

        def one() -> None:
            with sandbox.open(file) as opened, opened.render(1, dpi=ENGINES["null"].dpi):
                pass

        return at_once(os.cpu_count() or 1, SECONDS, one)


if __name__ == "__main__":
    main()
