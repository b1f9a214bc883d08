"""One page: rendered, read, committed. A page that fails fails alone.

The order of a commit is: images, page object (the commit itself), page record. Where the object is there and the record
does not say so, only the record is written: a finished page is never read again.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime

from gpu_worker.claims import Claims
from gpu_worker.liveness import Liveness
from gpu_worker.pictures import as_read, cut_out, shown
from gpu_worker.slots import Slots
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading pages needs. `finishers` has a thread for each page that may be in flight.

    `engine_failed` is told when a page found the engine away.
    """

    platform: Platform
    sandbox: Sandbox
    engine: OcrEngine
    slots: Slots
    claims: Claims
    liveness: Liveness
    finishers: Executor
    engine_failed: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return self.platform.clock.now()


def adopt(job: Job, page: Page, reading: Reading) -> bool:
    """Whether the page's object is there already: then the record is made to say so, and nothing is read."""
    name = page_object(job.id, page.number)
    if not page.may_have_been_read or not reading.platform.objects.exists(name):
        return False
    _record(job, page, from_json(PageRead, reading.platform.objects.read(name)), reading)
    return True


def fail(job: Job, page: Page, error: PagemillError, reading: Reading) -> None:
    reading.platform.metrics.pages_ended.labels(PageStatus.FAILED).inc()
    log.warning("page failed", extra={"job_id": job.id, "page": page.number, "code": error.code})
    reading.platform.store.update_page(
        job.id, page.number, lambda each: each.failed(error.failure, round_=page.round, now=reading.now())
    )


def begin(job: Job, page: Page, document: Document, reading: Reading) -> Future[None]:
    """Wait for a slot, render, hand to the engine; the future is done when the page is committed or has failed.

    The future raises EngineUnavailable or Unavailable where the page was handed back. So does this call, as it does
    where the worker is stopping.
    """
    if page.killed_its_worker:
        fail(job, page, PageKilledWorker(f"{page.tries_alone} kills"), reading)
        return _settled()
    lane = job.lane or Lane.BULK
    slot = reading.slots.take_alone() if page.is_suspect else reading.slots.take(lane)
    with ExitStack() as undo:
        undo.callback(slot.give_back)
        if not reading.liveness.is_live(job.id) or not _started(job, page, reading):
            return _settled()
        with _blameless(job, page, reading):
            try:
                rendered = _rendered(job, page, document, reading)
            except PageError as error:
                fail(job, page, error, reading)
                return _settled()
        undo.callback(rendered.close)
        with _blameless(job, page, reading):
            page = _keyed(job, page, rendered.image, reading)
            if _was_kept(job, page, reading):
                return _settled()
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


def _was_kept(job: Job, page: Page, reading: Reading) -> bool:
    """Whether the page was read before, and is committed from the cache by now."""
    if page.cache_key is None or not reading.liveness.is_live(job.id):
        return False
    read = take_page(job, page.number, page.cache_key, reading.platform)
    if read is not None:
        _record(job, page, read, reading)
    return read is not None


def _rendered(job: Job, page: Page, document: Document, reading: Reading) -> RenderedPage:
    with reading.platform.metrics.render_seconds.time(), span("render page", attributes=_named(job, page)):
        return document.render(page.number, dpi=job.options.dpi or reading.engine.settings.dpi)


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


def _finish(job: Job, page: Page, rendered: RenderedPage, read: Future[PageRead], reading: Reading) -> None:
    seconds = reading.platform.metrics.page_seconds.labels(reading.engine.settings.name)
    with _blameless(job, page, reading):
        try:
            with rendered, seconds.time(), span("read page", attributes=_named(job, page)):
                _commit(job, page, rendered.image, read.result(), reading)
        except PageError as error:
            fail(job, page, error, reading)


def _commit(job: Job, page: Page, image: PageImage, read: PageRead, reading: Reading) -> None:
    objects = reading.platform.objects
    with as_read(image, read.rotation) as pixels:
        read, pictures = cut_out(pixels, replace(read, flags=(*image.flags, *read.flags)))
        page_jpeg = shown(pixels)
    if not reading.platform.store.get(job.id).is_live:
        return
    shown_beside = {image_object(job.id, picture.name): picture.data for picture in pictures}
    beside = shown_beside | {page_image(job.id, page.number): page_jpeg}
    create_all(objects, beside)
    stored = sum(map(len, beside.values())) + len(to_json(read))
    read = replace(read, usage={**read.usage, "stored_bytes": stored})
    name = page_object(job.id, page.number)
    if not objects.create(name, to_json(read)):
        read = from_json(PageRead, objects.read(name))  # somebody was first, and that reading stands
    keep_page(job, _record(job, page, read, reading), read, reading.platform)


def _record(job: Job, page: Page, read: PageRead, reading: Reading) -> Page:
    reading.platform.metrics.pages_ended.labels(PageStatus.DONE).inc()
    return reading.platform.store.update_page(
        job.id,
        page.number,
        lambda each: each.done(read, round_=page.round, now=reading.now(), cache_key=page.cache_key),
    )


def _settled() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future
