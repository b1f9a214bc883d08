"""A worker that runs, on a pipeline whose clock is the system's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gpu_worker.worker import Worker
from shared.domain.job import JobId
from shared.domain.messages import Topic
from shared.domain.options import Lane
from shared.domain.page import Page
from shared.pdf.sandbox import Sandbox
from shared.ports.engine import OcrEngine
from tests.pipeline import Pipeline, sized_pdf

GRACE = 20.0


@contextmanager
def working(pipe: Pipeline, sandbox: Sandbox, engine: OcrEngine) -> Iterator[Worker]:
    worker = Worker(pipe.platform, sandbox, engine)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(grace=GRACE)


def submit(pipe: Pipeline, *documents: Sequence[int], lane: Lane) -> list[JobId]:
    """Submit documents by the widths of their pages, as far as the ranges that a worker takes."""
    jobs = [pipe.submit(sized_pdf(*widths), priority=lane) for widths in documents]
    pipe.drain(topics=[Topic.DOCUMENTS])
    return jobs


def pages(pipe: Pipeline, *jobs: JobId) -> list[Page]:
    return [page for job_id in jobs for page in pipe.store.pages(job_id)]


def pending(pipe: Pipeline, *jobs: JobId) -> int:
    return sum(pipe.progress(job_id).pending for job_id in jobs)
