"""One page range: have its open pages read, and assemble the document where the last of them ended here."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import timedelta

from gpu_worker.commit import Reading, adopt, begin, fail
from shared.assemble import EndedPage, assemble, assemble_ended
from shared.consume import HandBack
from shared.domain.errors import DocumentError, EngineUnavailable, UnknownJob
from shared.domain.job import Job
from shared.domain.messages import ReadRange
from shared.domain.options import recipe
from shared.domain.page import Page, PageRange
from shared.pdf.sandbox import Document
from shared.wiring import Platform

log = logging.getLogger(__name__)

_OTHER_RECIPE_PAUSE = timedelta(seconds=10)


def read_range(message: ReadRange, reading: Reading, *, all_begun: Callable[[], None] = lambda: None) -> None:
    """Bring every open page of the range to its end; `all_begun` is told when the engine has the last of them.

    Raises HandBack where pages were left for another time: the engine is away, the worker stops, another worker has the
    range, or it asks for readings that this worker's engine does not make.
    """
    store = reading.platform.store
    try:
        job, asked = store.get_range(message.job_id, message.range_id)
        if not job.is_live or asked.round != job.round:
            return
        _check_recipe(job, asked, reading)
        reading.claims.check(asked)  # before the document is fetched
        reading.liveness.note(job)
        with ExitStack() as claim, ExitStack() as opened:
            pages, document = reading.both(
                lambda: _claimed(job, asked, reading, claim), lambda: _opened(job, reading, opened)
            )
            ended = _read_open_pages(job, pages, document, reading, all_begun)
            if not _assembled(job, asked, ended, reading.platform).is_live:
                reading.claims.forget(job.id, asked.id)
    except UnknownJob:
        return  # erased: nothing is left to do


def _assembled(job: Job, range_: PageRange, ended: list[EndedPage], platform: Platform) -> Job:
    """End the job where the last of its pages has ended. Only for long documents that has to be counted."""
    if len(ended) == job.page_count:
        return assemble_ended(ended, platform)
    if len(range_.pages) == job.page_count or platform.store.progress(job).pending == 0:
        return assemble(job.id, platform)
    return job


def _claimed(job: Job, range_: PageRange, reading: Reading, until: ExitStack) -> tuple[Page, ...]:
    """Return the range's pages, as they are once it is claimed. Raises HandBack."""
    until.enter_context(reading.claims.held(job.id, range_.id))
    return reading.platform.store.pages(job.id, range_.pages)


def _opened(job: Job, reading: Reading, until: ExitStack) -> Document | DocumentError:
    source = until.enter_context(reading.platform.objects.open(job.source_object))
    try:
        return until.enter_context(reading.sandbox.open(source))
    except DocumentError as error:
        return error


def _check_recipe(job: Job, range_: PageRange, reading: Reading) -> None:
    if range_.recipe != recipe(reading.engine.settings, job.options):
        log.warning("range of another recipe", extra={"job_id": job.id, "range": range_.id, "recipe": range_.recipe})
        raise HandBack("the recipe of another engine", delay=_OTHER_RECIPE_PAUSE)


def _read_open_pages(
    job: Job,
    pages: Sequence[Page],
    document: Document | DocumentError,
    reading: Reading,
    all_begun: Callable[[], None],
) -> list[EndedPage]:
    """Return those that ended here."""
    todo = [page for page in pages if page.is_open(job.round) and not adopt(job, page, reading)]
    if isinstance(document, DocumentError):
        return [fail(job, page, document, reading) for page in todo]
    return _read_pages(job, todo, document, reading, all_begun)


def _read_pages(
    job: Job, todo: list[Page], document: Document, reading: Reading, all_begun: Callable[[], None]
) -> list[EndedPage]:
    """Feed the engine page by page, without waiting for any; then see each to its end."""
    in_flight: list[Future[EndedPage | None]] = []
    try:
        in_flight.extend(begin(job, page, document, reading) for page in todo)
        all_begun()
    except EngineUnavailable as error:
        raise HandBack(str(error), delay=timedelta(0)) from error
    finally:
        problems = [future.exception() for future in in_flight]
    _raise_worst([problem for problem in problems if problem is not None])
    return [ended for future in in_flight if (ended := future.result()) is not None]


def _raise_worst(problems: list[BaseException]) -> None:
    """A bug goes before an engine that is away: the first is logged as a crash, the second handed back in peace."""
    for problem in problems:
        if not isinstance(problem, EngineUnavailable):
            raise problem
    if problems:
        raise HandBack(str(problems[0]), delay=timedelta(seconds=1))
