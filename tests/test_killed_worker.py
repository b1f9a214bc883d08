"""A page that kills whatever reads it: it ends alone, and costs nobody else anything."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.adapters.embedded.clock import SystemClock
from shared.domain.job import JobId
from shared.domain.messages import Topic
from shared.pdf.sandbox import Sandbox
from tests.pipeline import Pipeline, pipeline, sized_pdf

pytestmark = pytest.mark.long


def test_a_page_that_kills_its_worker_ends_alone_and_its_neighbours_are_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Sandbox() as sandbox, pipeline(data, SystemClock(), sandbox) as pipe:
        job_id = pipe.submit(sized_pdf(200, 210, 300, 220, 230))
        pipe.drain(topics=[Topic.DOCUMENTS])

        deaths = 0
        while pipe.progress(job_id).pending and deaths < 10:
            deaths += _worker_died(data, pipe, job_id)

        pages = {page.number: page for page in pipe.store.pages(job_id)}
        assert pages[3].failure is not None
        assert pages[3].failure.code == "page_killed_worker"
        assert [number for number, page in pages.items() if page.status == "done"] == [1, 2, 4, 5]
        assert deaths == 3


def _worker_died(data: Path, pipe: Pipeline, job_id: JobId) -> int:
    """Run a worker until it dies, or until nothing is left to read; return how often it died: once or not."""
    worker = subprocess.Popen([sys.executable, "-m", "tests.worker_that_dies", str(data), "300"])
    try:
        until = time.monotonic() + 30
        while worker.poll() is None and pipe.progress(job_id).pending:
            assert time.monotonic() < until
            time.sleep(0.05)
        return 1 if worker.poll() is not None else 0
    finally:
        worker.kill()
        worker.wait()
