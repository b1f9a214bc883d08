"""Heal whatever is overdue, from the store alone: if the bus lost every message, this alone would end each job."""

import logging
from functools import partial

from ingest_fn.overdue import SWEEP_SECONDS, Overdue, claim_overdue, heal_overdue
from ingest_fn.ranges import publish_range
from ingest_fn.rounds import reopen
from ingest_fn.uploads import erase_upload
from shared.assemble import assemble, tell_end
from shared.cache.erase import entries_of, erase_entries, note_entries
from shared.domain.errors import Failure
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
from shared.spending import given_up
from shared.wiring import Platform

log = logging.getLogger(__name__)

_FOUND_AT_ONCE, _HEALED_AT_ONCE = 100, 16
"""Each job takes a few round trips; waiting for them in turn would leave the last of a thousand waiting for minutes."""


def sweep(platform: Platform, *, seconds: float = SWEEP_SECONDS) -> int:
    """Act on every overdue job, until none is left or the time is over; return how many there were.

    One job's trouble is its own. Two sweeps at once act on none twice.
    """
    kind = Overdue(
        name="sweep",
        found=lambda: platform.store.overdue(now=platform.clock.now(), limit=_FOUND_AT_ONCE),
        claim=lambda job: claim_overdue(partial(platform.store.update, job.id), now=platform.clock.now()),
        heal=lambda job: _heal(job, platform),
        named=lambda job: {"job_id": job.id},
        most=_HEALED_AT_ONCE,
        metrics=platform.metrics,
    )
    return heal_overdue(kind, seconds=seconds)


def _heal(job: Job, platform: Platform) -> None:
    ranges = platform.store.ranges(job.id) if job.is_live else ()
    pages = platform.store.pages(job.id) if job.is_live else ()
    for action in actions(job, ranges, pages, now=platform.clock.now()):
        _act(job, action, platform)


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
            assemble(job.id, platform)
        case GiveUp(failure=failure):
            _give_up(job, failure, platform)
        case Deliver(round=round_):
            platform.bus.publish(Topic.OUTCOMES, RoundEnded(job_id=job.id, round=round_))
        case Expire():
            platform.store.update(job.id, lambda each: each.expired(now=platform.clock.now()))
        case Erase(final=final):
            _erase(job, platform, final=final)


def _give_up(job: Job, failure: Failure, platform: Platform) -> None:
    """Fail what is pending, and end the round with what was read; a job without a plan fails as a whole."""
    now = platform.clock.now()
    if not job.is_planned:
        failed = platform.store.update(job.id, lambda each: given_up(each, failure, platform, now=now))
        tell_end(failed, platform, now=now)
        return
    for page in platform.store.pages(job.id):
        opened = page.retried(round_=job.round, now=now)
        if opened.is_open(job.round):
            platform.store.update_page(
                job.id,
                page.number,
                lambda each: each.retried(round_=job.round, now=now).failed(failure, round_=job.round, now=now),
            )
    assemble(job.id, platform)


def _erase(job: Job, platform: Platform, *, final: bool) -> None:
    """Objects first: while the record stands, an erasing that was cut short is done again."""
    entries = entries_of(job, platform)
    erase_entries(entries, platform)
    platform.objects.erase(job.prefix)
    erase_upload(job, platform)
    if not final:
        note_entries(job, entries, platform)
    platform.store.forget(job.id, tombstone=not final)
    if not final:
        platform.store.update(job.id, Job.buried)
