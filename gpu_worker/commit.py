"""One page: rendered, read, committed. A page that fails fails alone.

The order of a commit is: images, page object (the commit itself), page record. Where the object is there and the record
does not say so, only the record is written: a finished page is never read again.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from gpu_worker.claims import Claims
from gpu_worker.liveness import Liveness
from gpu_worker.pictures import as_read, cut_out, shown
from gpu_worker.slots import Slots
from shared.assemble import EndedPage
from shared.cache.keys import page_key
from shared.cache.pages import keep_page, take_page
from shared.domain.errors import EngineDied, EngineUnavailable, PageError, PageKilledWorker, PagemillError, Unavailable
from shared.domain.job import Job
from shared.domain.options import Lane, recipe
from shared.domain.page import Page, PageImage, PageRead, PageStatus
from shared.layout import image_object, page_image, page_object
from shared.pdf.sandbox import Document, RenderedPage, Sandbox
from shared.ports.engine import OcrEngine
from shared.records import from_json, to_json
from shared.storing import create_all
from shared.tracing import span
from shared.wiring import Platform

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading pages needs. `finishers` has a thread for each page that may be in flight.

    `aside` makes a call to a service while its caller makes another. `engine_failed` is told when a page found the
    engine away.
    """

    platform: Platform
    sandbox: Sandbox
    engine: OcrEngine
    slots: Slots
    claims: Claims
    liveness: Liveness
    finishers: Executor
    aside: Executor
    engine_failed: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return self.platform.clock.now()

    def close(self) -> None:
        """Nothing may be in hand any more; the threads end by themselves."""
        self.finishers.shutdown(wait=False)
        self.aside.shutdown(wait=False)

    def both(self, first: Callable[[], T], second: Callable[[], R]) -> tuple[T, R]:
        """Return what each of the two returns, called at the same time. Raises what they raise."""
        other = self.aside.submit(first)
        try:
            mine = second()
        finally:
            wait([other])
        return other.result(), mine


def adopt(job: Job, page: Page, reading: Reading) -> bool:
    """Whether the page's object is there already: then the record is made to say so, and nothing is read."""
    name = page_object(job.id, page.number)
    if not page.may_have_been_read or not reading.platform.objects.exists(name):
        return False
    _record(job, page, from_json(PageRead, reading.platform.objects.read(name)), reading)
    return True


def fail(job: Job, page: Page, error: PagemillError, reading: Reading) -> EndedPage:
    reading.platform.metrics.pages_ended.labels(PageStatus.FAILED).inc()
    log.warning("page failed", extra={"job_id": job.id, "page": page.number, "code": error.code})
    failed = reading.platform.store.update_page(
        job.id, page.number, lambda each: each.failed(error.failure, round_=page.round, now=reading.now())
    )
    return EndedPage(job=job, page=failed)


def begin(job: Job, page: Page, document: Document, reading: Reading) -> "Future[EndedPage | None]":
    """Wait for a slot, render, hand to the engine; the future is done when the page is committed or has failed.

    It has None where the page was left alone, for the job or the page had ended. It raises EngineUnavailable or
    Unavailable where the page was handed back. So does this call, as it does where the worker is stopping.
    """
    if page.killed_its_worker:
        return _settled(fail(job, page, PageKilledWorker(f"{page.tries_alone} kills"), reading))
    lane = job.lane or Lane.BULK
    slot = reading.slots.take_alone() if page.is_suspect else reading.slots.take(lane)
    with ExitStack() as undo:
        undo.callback(slot.give_back)
        if not reading.liveness.is_live(job.id):
            return _settled()
        started = reading.aside.submit(copy_context().run, _started, job, page, reading)
        with _blameless(job, page, reading):
            try:
                rendered = _rendered(job, page, document, reading, started=started)
            except PageError as error:
                return _settled(fail(job, page, error, reading))
        undo.callback(rendered.close)
        if not started.result():
            return _settled()
        with _blameless(job, page, reading):
            page = _keyed(job, page, rendered.image, reading)
            kept = _taken_from_cache(job, page, reading)
        if kept is not None:
            return _settled(kept)
        read = reading.engine.submit(rendered.image, job.options, lane)
        slot.handed_over()
        finished = reading.finishers.submit(copy_context().run, _finish, job, page, rendered, read, reading)
        undo.pop_all()
        finished.add_done_callback(lambda _: slot.give_back())
        return finished


def _keyed(job: Job, page: Page, image: PageImage, reading: Reading) -> Page:
    """Name the entry of the cache that the page may come from or be kept as, if it may."""
    if job.cache_key is None or reading.platform.settings.cache_days <= 0:
        return page
    return replace(page, cache_key=page_key(image, recipe(reading.engine.settings, job.options)))


def _taken_from_cache(job: Job, page: Page, reading: Reading) -> EndedPage | None:
    """Commit the page as it was read before; None where it was not."""
    if page.cache_key is None or not reading.liveness.is_live(job.id):
        return None
    read = take_page(job, page.number, page.cache_key, reading.platform)
    return None if read is None else EndedPage(job=job, page=_record(job, page, read, reading), read=read)


def _rendered(job: Job, page: Page, document: Document, reading: Reading, *, started: Future[bool]) -> RenderedPage:
    """Draw the page while its try is being counted; only the engine's work needs that to be on disk before."""
    try:
        with reading.platform.metrics.render_seconds.time(), span("render page", attributes=_named(job, page)):
            return document.render(page.number, dpi=job.options.dpi or reading.engine.settings.dpi)
    finally:
        wait([started])  # what is written of the page next comes after it


def _named(job: Job, page: Page) -> dict[str, str | int]:
    return {"job_id": job.id, "page": page.number}


def _started(job: Job, page: Page, reading: Reading) -> bool:
    """Count the try; False where the page ended while this one waited for its slot."""
    started = reading.platform.store.update_page(
        job.id, page.number, lambda each: each.started(round_=page.round, now=reading.now())
    )
    return started.is_open(page.round)


@contextmanager
def _blameless(job: Job, page: Page, reading: Reading) -> Iterator[None]:
    """Take the try back where the engine or a service of ours is away: left over, it would make the page a suspect.

    It stays where the engine died, perhaps of this page; but not while this worker is stopping, for then its engine is
    stopped as well. Best effort: where the store is away itself, the try stays, and costs the page a reading alone.
    """
    try:
        yield
    except (EngineUnavailable, Unavailable) as error:
        if isinstance(error, EngineUnavailable):
            reading.engine_failed()
        if isinstance(error, EngineDied) and not reading.slots.is_closed:
            raise
        try:
            reading.platform.store.update_page(
                job.id, page.number, lambda each: each.handed_back(round_=page.round, now=reading.now())
            )
        except Unavailable:
            log.warning("a try was not taken back", extra=_named(job, page), exc_info=True)
        raise


def _finish(job: Job, page: Page, rendered: RenderedPage, read: Future[PageRead], reading: Reading) -> EndedPage | None:
    seconds = reading.platform.metrics.page_seconds.labels(reading.engine.settings.name)
    with _blameless(job, page, reading):
        try:
            with rendered, seconds.time(), span("read page", attributes=_named(job, page)):
                return _commit(job, page, rendered.image, read.result(), reading)
        except PageError as error:
            return fail(job, page, error, reading)


def _commit(job: Job, page: Page, image: PageImage, read: PageRead, reading: Reading) -> EndedPage | None:
    objects = reading.platform.objects
    latest, (read, beside) = reading.both(
        lambda: reading.platform.store.get(job.id), lambda: _shown(job, page, image, read)
    )
    if not latest.is_live:
        return None
    create_all(objects, beside)
    stored = sum(map(len, beside.values())) + len(to_json(read))
    read = replace(read, usage={**read.usage, "stored_bytes": stored})
    name = page_object(job.id, page.number)
    if not objects.create(name, to_json(read)):
        read = from_json(PageRead, objects.read(name))  # somebody was first, and that reading stands
    done = _record(job, page, read, reading)
    keep_page(job, done, read, reading.platform)
    return EndedPage(job=latest, page=done, read=read)


def _shown(job: Job, page: Page, image: PageImage, read: PageRead) -> tuple[PageRead, dict[str, bytes]]:
    """Return the reading with its pictures named, and all that is stored to be looked at beside it, by object."""
    with as_read(image, read.rotation) as pixels:
        read, pictures = cut_out(pixels, replace(read, flags=(*image.flags, *read.flags)))
        page_jpeg = shown(pixels)
    beside = {image_object(job.id, picture.name): picture.data for picture in pictures}
    return read, beside | {page_image(job.id, page.number): page_jpeg}


def _record(job: Job, page: Page, read: PageRead, reading: Reading) -> Page:
    reading.platform.metrics.pages_ended.labels(PageStatus.DONE).inc()
    return reading.platform.store.update_page(
        job.id,
        page.number,
        lambda each: each.done(read, round_=page.round, now=reading.now(), cache_key=page.cache_key),
        durable=False,  # its object says so
    )


def _settled(ended: EndedPage | None = None) -> "Future[EndedPage | None]":
    future: Future[EndedPage | None] = Future()
    future.set_result(ended)
    return future
