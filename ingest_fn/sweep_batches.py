"""Heal overdue batches, from the store alone: start the lines that nobody started, report what has ended, forget."""

import logging
from datetime import datetime

from ingest_fn.batches import start_lines
from ingest_fn.inbox import Dropping
from ingest_fn.report import write_report
from shared.domain.batch import Batch, Forget, Report, StartLines, batch_action
from shared.domain.errors import PagemillError, UnknownBatch

log = logging.getLogger(__name__)

_AT_ONCE = 20


class _NotOverdue(Exception):
    """Somebody else was first."""


def sweep_batches(dropping: Dropping) -> int:
    """Act on every overdue batch, until none is left; return how many there were. One batch's trouble is its own."""
    batches, clock = dropping.platform.batches, dropping.platform.clock
    healed = 0
    while overdue := batches.overdue(now=clock.now(), limit=_AT_ONCE):
        claimed = sum(_healed(batch, dropping) for batch in overdue)
        healed += claimed
        if not claimed:
            break
    return healed


def _healed(batch: Batch, dropping: Dropping) -> bool:
    """Whether the batch could be claimed, and so is not overdue any more, whatever came of it."""
    platform, now = dropping.platform, dropping.platform.clock.now()
    try:
        claimed = platform.batches.update(batch.id, lambda each: _claimed(each, now=now))
    except (UnknownBatch, _NotOverdue):
        return True
    except PagemillError as error:
        _note(batch, error, dropping)
        return False
    try:
        _heal(claimed, dropping)
    except PagemillError as error:
        _note(batch, error, dropping)
    return True


def _claimed(batch: Batch, *, now: datetime) -> Batch:
    if not batch.is_overdue(now=now):
        raise _NotOverdue
    return batch.claimed(now=now)


def _heal(batch: Batch, dropping: Dropping) -> None:
    platform, now = dropping.platform, dropping.platform.clock.now()
    action = batch_action(batch, platform.store.count(batch.tenant, batch=batch.id), now=now)
    if action is None:
        return
    log.info("sweep acts", extra={"batch_id": batch.id, "action": type(action).__name__})
    match action:
        case StartLines():
            start_lines(batch, dropping)
        case Report():
            if write_report(batch, platform):
                platform.batches.update(batch.id, lambda each: each.reported(now=platform.clock.now()))
        case Forget():
            platform.batches.forget(batch.id)


def _note(batch: Batch, error: PagemillError, dropping: Dropping) -> None:
    dropping.platform.metrics.sweeps_failed.inc()
    log.warning("sweep failed", extra={"batch_id": batch.id, "code": error.code}, exc_info=error)
