"""What is known is not read again: the time from a POST until its job is seen finished, and the pages that were read.

    python -m bench.cache [--json]

On an idle embedded server with the null engine, which reads nothing: what remains is fetching, looking up, copying,
assembling. `known` documents were read by it before; `changed_page` is the same one with one page changed, and counts
the pages that the engine was given. `first` is the same document the first time, beside which `known` is told.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import pymupdf

from bench.clients import Client, finished
from bench.documents import letter
from bench.report import Figure, show, wants_json
from tests.serving import served

RUNS = 20
PAGES = 8
LONG = 2_000
SETTINGS = {"LOG_LEVEL": "WARNING", "CACHE_DAYS": "30"}


def main() -> None:
    show(measure(), as_json=wants_json(__doc__))


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data", SETTINGS) as server:
        url, many = str(server.http.base_url), numbered(LONG)
        _, one = _twice(url, letter())
        first, some = _twice(url, numbered(PAGES))
        read_before = _read(server.http.get("/metrics").text)
        _timed(url, numbered(PAGES, changed=3))
        changed = _read(server.http.get("/metrics").text) - read_before
        first_long, long = _timed(url, many), _timed(url, many)
    return [
        Figure(name="cache.known_letter_p50", value=one, unit="ms", goal=200.0, lower_is_better=True),
        Figure(name=f"cache.known_{PAGES}_pages_p50", value=some, unit="ms", goal=200.0, lower_is_better=True),
        Figure(name=f"cache.first_{PAGES}_pages", value=first, unit="ms"),
        Figure(name="cache.changed_page_reads", value=changed, unit="pages", goal=1.0, lower_is_better=True),
        Figure(name=f"cache.known_{LONG}_pages", value=long, unit="ms", baseline=first_long),
    ]


def numbered(pages: int, *, changed: int | None = None) -> bytes:
    """A PDF of pages that differ; one may say something else."""
    with pymupdf.open() as document:
        for number in range(1, pages + 1):
            text = f"Page {number} of {pages}" + (", changed" if number == changed else "")
            document.new_page().insert_text((72, 72), text)
        return bytes(document.tobytes(deflate=True))


def _twice(base_url: str, document: bytes) -> tuple[float, float]:
    """Milliseconds of the first time, and of the median of those after."""
    return _timed(base_url, document), median(_timed(base_url, document) for _ in range(RUNS))


def _timed(base_url: str, document: bytes) -> float:
    client, started = Client(base_url), time.perf_counter()
    finished(client, client.submit(document))
    client.close()
    return 1000 * (time.perf_counter() - started)


def _read(metrics: str) -> float:
    """Pages that the engine was given, in all."""
    prefix = 'pagemill_page_seconds_count{engine="null"} '
    return sum(float(line.removeprefix(prefix)) for line in metrics.splitlines() if line.startswith(prefix))


if __name__ == "__main__":
    main()
