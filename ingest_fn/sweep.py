"""Heal whatever is overdue, from the store alone: if the bus lost every message, this alone would end each job."""

import logging
from datetime import datetime

from ingest_fn.prepare import publish_range
from ingest_fn.rounds import reopen
from ingest_fn.uploads import erase_upload
from shared.assemble import assemble, tell
from shared.domain.errors import Failure, PagemillError, UnknownJob
from shared.domain.job import Job
from shared.domain.messages import PrepareDocument, RoundEnded, Topic
from shared.domain.sweep import (
    Action,
    Assemble,
    Deliver,
    Erase,
    Expire,
    GiveUp,
    PublishPrepare,
    PublishRange,
    Reopen,
    actions,
)
from shared.wiring import Platform

log = logging.getLogger(__name__)

_BATCH = 100


class _NotOverdue(Exception):
    """Somebody else was first."""


def sweep(platform: Platform) -> int:
    """Act on every overdue job, until none is left; return how many there were. One job's trouble is its own.

    Stops where not one of a batch could be claimed: the store can be read and not written, and would give the same ones
    for ever.
    """
    healed = 0
    while overdue := platform.store.overdue(now=platform.clock.now(), limit=_BATCH):
        claimed = sum(_healed(job, platform) for job in overdue)
        healed += claimed
        if not claimed:
            break
    return healed


def _healed(job: Job, platform: Platform) -> bool:
    """Whether the job could be claimed, and so is not overdue any more, whatever came of it."""
    now = platform.clock.now()
    try:
        claimed = platform.store.update(job.id, lambda each: _claimed(each, now=now))
    except (UnknownJob, _NotOverdue):
        return True
    except PagemillError as error:
        _note(job, error, platform)
        return False
    try:
        _heal(claimed, platform, now=now)
    except PagemillError as error:
        _note(job, error, platform)
    return True


def _note(job: Job, error: PagemillError, platform: Platform) -> None:
    platform.metrics.sweeps_failed.inc()
    log.warning("sweep failed", extra={"job_id": job.id, "code": error.code}, exc_info=error)


def _heal(job: Job, platform: Platform, *, now: datetime) -> None:
    """The job was claimed, so that a second sweep, or this one after a crash, does not act on the same reason."""
    ranges = platform.store.ranges(job.id) if job.is_live else ()
    pages = platform.store.pages(job.id) if job.is_live else ()
    for action in actions(job, ranges, pages, now=now):
        _act(job, action, platform)


def _claimed(job: Job, *, now: datetime) -> Job:
    if not job.is_overdue(now=now):
        raise _NotOverdue
    return job.claimed(now=now)


def _act(job: Job, action: Action, platform: Platform) -> None:
    log.info("sweep acts", extra={"job_id": job.id, "action": type(action).__name__})
    match action:
        case PublishPrepare():
            platform.bus.publish(Topic.DOCUMENTS, PrepareDocument(job_id=job.id))
        case PublishRange(range=range_):
            publish_range(job, range_, platform)
        case Reopen():
            reopen(job, platform)
        case Assemble():
            _assemble(job, platform)
        case GiveUp(failure=failure):
            _give_up(job, failure, platform)
        case Deliver(round=round_):
            platform.bus.publish(Topic.OUTCOMES, RoundEnded(job_id=job.id, round=round_))
        case Expire():
            platform.store.update(job.id, lambda each: each.erased(now=platform.clock.now()))
        case Erase(final=final):
            _erase(job, platform, final=final)


def _assemble(job: Job, platform: Platform) -> None:
    assemble(job.id, store=platform.store, objects=platform.objects, bus=platform.bus, now=platform.clock.now())


def _give_up(job: Job, failure: Failure, platform: Platform) -> None:
    """Fail what is pending, and end the round with what was read; a job without a plan fails as a whole."""
    now = platform.clock.now()
    if not job.is_planned:
        failed = platform.store.update(job.id, lambda each: each.failed(failure, now=now))
        tell(failed, bus=platform.bus)
        return
    for page in platform.store.pages(job.id):
        opened = page.retried(round_=job.round, now=now)
        if opened.is_open(job.round):
            platform.store.update_page(
                job.id,
                page.number,
                lambda each: each.retried(round_=job.round, now=now).failed(failure, round_=job.round, now=now),
            )
    _assemble(job, platform)


def _erase(job: Job, platform: Platform, *, final: bool) -> None:
    """Objects first: while the record stands, an erasing that was cut short is done again."""
    platform.objects.erase(job.prefix)
    erase_upload(job, platform)
    platform.store.forget(job.id, tombstone=not final)
    if not final:
        platform.store.update(job.id, Job.buried)
