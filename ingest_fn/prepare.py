"""Prepare a document: fetch it under guard, open it in the sandbox, take what is known of it from the cache, cut the
rest into page ranges. No GPU wakes for this.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from io import SEEK_END
from typing import BinaryIO, cast

from ingest_fn.plan import Chosen, plan
from ingest_fn.ranges import publish_ranges
from ingest_fn.sources import open_source
from shared.assemble import tell_end
from shared.cache.keys import document_key, may_be_cached
from shared.domain.errors import (
    GaveUp,
    IllegalMove,
    InvalidRequest,
    PagemillError,
    TooManyPages,
    Unavailable,
    UnknownJob,
)
from shared.domain.job import Job, JobId, SourceKind
from shared.domain.messages import PrepareDocument
from shared.domain.options import recipe
from shared.domain.page import select
from shared.layout import UPLOADS
from shared.net.fetch import FetchLimits, fetch
from shared.net.guard import Guard
from shared.pdf.sandbox import Document, Sandbox
from shared.spending import given_up, tried
from shared.wiring import Platform

log = logging.getLogger(__name__)

_CLAIM = timedelta(seconds=60)
"""How long a document waits whose process was killed."""
KEEP_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """`in_hand` are the tries of this process, each a job and the number of its start."""

    platform: Platform
    sandbox: Sandbox
    guard: Guard
    in_hand: set[tuple[JobId, int]] = field(default_factory=set)

    def now(self) -> datetime:
        return self.platform.clock.now()


def prepare(message: PrepareDocument, preparing: Preparing) -> None:
    """Bring the job to `running` with its plan stored and published, or to its end where the document is at fault.

    A try that may be made again is put off, and `sweep` calls when it is due; until then, and while another has the
    job in hand, this does nothing. Once there is a plan, it publishes again what nobody has claimed. Raises
    Unavailable for the bus to try again; that costs the job no try.
    """
    try:
        job = preparing.platform.store.get(message.job_id)
        if job.is_live and job.is_planned:
            publish_ranges(job, preparing.platform)
        elif job.may_be_prepared(now=preparing.now()):
            _try(job, preparing)
    except UnknownJob:
        return  # erased: nothing is left to do


def keep(preparing: Preparing) -> None:
    """Say of every try in hand that it still is, for a slow server may take longer than a claim lasts.

    Called every `KEEP_SECONDS`. Best effort: a claim that lapses costs a second try.
    """
    now = preparing.now()
    for job_id, start in preparing.in_hand.copy():
        change = partial(Job.prepare_kept, start=start, until=now + _CLAIM, now=now)
        try:
            preparing.platform.store.update(job_id, change)
        except (Unavailable, UnknownJob):
            log.warning("a claim was not kept", extra={"job_id": job_id}, exc_info=True)


def hand_back(preparing: Preparing) -> None:
    """Take back the tries in hand when the process stops, so that others begin at once. Best effort: a claim lapses."""
    for job_id, start in preparing.in_hand.copy():
        try:
            _hand_back(job_id, start, preparing)
        except (Unavailable, UnknownJob):
            log.warning("a try was not taken back", extra={"job_id": job_id}, exc_info=True)


def _try(job: Job, preparing: Preparing) -> None:
    now, store = preparing.now(), preparing.platform.store
    try:
        # A document is opened in processes of its own, so no try takes this machine down.
        job = store.update(job.id, lambda each: each.prepare_started(until=now + _CLAIM, now=now), durable=False)
    except IllegalMove:
        return  # another was faster
    this = (job.id, job.prepare_starts)
    preparing.in_hand.add(this)
    try:
        _plan_or_fail(job, preparing)
    finally:
        preparing.in_hand.discard(this)


def _plan_or_fail(job: Job, preparing: Preparing) -> None:
    tries_left = job.limits.prepare_tries - job.prepare_tries
    try:
        if tries_left < 0:
            raise GaveUp(f"{job.prepare_tries} tries")
        plan(job, _selected(job, preparing), preparing.platform)
    except Unavailable:
        # Ours is the fault, not the document's: its try is taken back, and only its deadline ends the trying.
        _hand_back(job.id, job.prepare_starts, preparing)
        raise
    except PagemillError as error:
        if error.retryable and tries_left > 0:
            _put_off(job, error, preparing)
        else:
            _fail(job, error, preparing)


def _hand_back(job_id: JobId, start: int, preparing: Preparing) -> None:
    now = preparing.now()
    preparing.platform.store.update(job_id, lambda each: each.prepare_handed_back(start=start, now=now))


def _put_off(job: Job, error: PagemillError, preparing: Preparing) -> None:
    """Note when the next try is due. Handed back, the message would have the bus slow down every other document."""
    log.info("document put off", extra={"job_id": job.id, "code": error.code}, exc_info=error)
    now, seconds = preparing.now(), _seconds(job, preparing)

    def change(each: Job) -> Job:
        put_off = each.prepare_put_off(start=job.prepare_starts, now=now)
        return each if put_off is each else tried(put_off, seconds=seconds)

    preparing.platform.store.update(job.id, change)


def _fail(job: Job, error: PagemillError, preparing: Preparing) -> None:
    log.info("job failed", extra={"job_id": job.id, "code": error.code})
    platform, now, seconds = preparing.platform, preparing.now(), _seconds(job, preparing)
    failed = platform.store.update(
        job.id, lambda each: given_up(each, error.failure, platform, now=now, seconds=seconds)
    )
    tell_end(failed, platform, now=now)


def _seconds(job: Job, preparing: Preparing) -> float:
    """How long the try took until now whose start this job is."""
    return (preparing.now() - job.updated_at).total_seconds()


def _selected(job: Job, preparing: Preparing) -> Chosen:
    """Return what is to be read, the source being stored by then. The first source that was stored stands."""
    objects = preparing.platform.objects
    if job.is_first_try or not objects.exists(job.source_object):
        with _obtained(job, preparing) as file, preparing.sandbox.open(file, password=_password(job, preparing)) as it:
            numbers = _numbers(job, it)
            if _store(job, it, file, preparing):
                return _chosen(job, numbers, file, preparing)
    with objects.open(job.source_object) as file, preparing.sandbox.open(file) as it:
        return _chosen(job, _numbers(job, it), file, preparing)


def _chosen(job: Job, numbers: tuple[int, ...], source: BinaryIO, preparing: Preparing) -> Chosen:
    settings = preparing.platform.settings
    wanted = recipe(settings.engine_settings, job.options)
    key = document_key(source, numbers, wanted) if may_be_cached(job, settings) else None
    return Chosen(numbers=numbers, recipe=wanted, cache_key=key, source_bytes=source.seek(0, SEEK_END))


def _numbers(job: Job, document: Document) -> tuple[int, ...]:
    try:
        numbers = select(job.pages, document.page_count)
    except ValueError as error:
        raise InvalidRequest(str(error), public=f"pages: {error}.") from error
    if len(numbers) > job.limits.pages_a_document:
        raise TooManyPages(
            public=f"{len(numbers)} pages were asked for; this service reads at most {job.limits.pages_a_document}."
        )
    return numbers


@contextmanager
def _obtained(job: Job, preparing: Preparing) -> Iterator[BinaryIO]:
    """The document as the caller gave it: fetched into a file without a name, or the upload."""
    if job.source.kind is SourceKind.OBJECT:
        with open_source(job.source, preparing.platform.objects, most=job.limits.bytes_a_document) as file:
            yield file
        return
    limits = FetchLimits(max_bytes=job.limits.bytes_a_document, seconds=preparing.platform.settings.fetch_seconds)
    with tempfile.TemporaryFile() as unnamed:
        file = cast("BinaryIO", unnamed)
        fetch(job.source.location, file, limits=limits, guard=preparing.guard)
        file.seek(0)
        yield file


def _store(job: Job, document: Document, file: BinaryIO, preparing: Preparing) -> bool:
    """Store the source, decrypted; False where another was first."""
    objects = preparing.platform.objects
    if document.encrypted:
        with tempfile.TemporaryFile() as unnamed:
            decrypted = cast("BinaryIO", unnamed)
            document.save_decrypted(decrypted)
            decrypted.seek(0)
            return objects.create(job.source_object, decrypted)
    if job.source.location.startswith(UPLOADS):
        return objects.copy(job.source.location, job.source_object)
    # What lies in an inbox may be replaced at any moment: what is stored is what was opened.
    file.seek(0)
    return objects.create(job.source_object, file)


def _password(job: Job, preparing: Preparing) -> str | None:
    return preparing.platform.sealer.unseal(job.sealed_password) if job.sealed_password else None
