"""Heal overdue batches, from the store alone: start the lines that nobody started, report what has ended, forget."""

import logging
from functools import partial

from ingest_fn.batches import start_lines
from ingest_fn.inbox import Dropping
from ingest_fn.overdue import SWEEP_SECONDS, Overdue, claim_overdue, heal_overdue
from ingest_fn.report import write_report
from shared.domain.batch import Batch, Forget, Report, StartLines, batch_action

log = logging.getLogger(__name__)

_FOUND_AT_ONCE, _HEALED_AT_ONCE = 20, 4
"""A batch whose lines are being started has threads of its own, and holds up none of the others."""


def sweep_batches(dropping: Dropping, *, seconds: float = SWEEP_SECONDS) -> int:
    """As `sweep`, for batches."""
    platform = dropping.platform
    kind = Overdue(
        name="sweep-batches",
        found=lambda: platform.batches.overdue(now=platform.clock.now(), limit=_FOUND_AT_ONCE),
        claim=lambda batch: claim_overdue(partial(platform.batches.update, batch.id), now=platform.clock.now()),
        heal=lambda batch: _heal(batch, dropping),
        named=lambda batch: {"batch_id": batch.id},
        most=_HEALED_AT_ONCE,
        metrics=platform.metrics,
    )
    return heal_overdue(kind, seconds=seconds)


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
