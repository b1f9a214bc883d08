"""Go through what is overdue, several at once, for as long as a sweep may take; one's trouble is its own."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, Protocol, Self, TypeVar

from shared.consume import survived
from shared.domain.errors import UnknownBatch, UnknownJob
from shared.metrics import Metrics
from shared.parallel import at_once

log = logging.getLogger(__name__)

T = TypeVar("T")


class Checked(Protocol):
    """A record that says by when somebody must have looked at it."""

    def is_overdue(self, *, now: datetime) -> bool: ...

    def claimed(self, *, now: datetime) -> Self: ...


C = TypeVar("C", bound=Checked)

SWEEP_SECONDS = 40.0
"""After that a sweep begins nothing more: the next one comes each minute, and finds what this one left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue(Generic[T]):
    """One kind of what can be overdue, of which `most` are healed at once.

    `claim` returns what is to be healed, and None where somebody else was first; `named` tells the log which it was.
    """

    name: str
    found: Callable[[], Sequence[T]]
    claim: Callable[[T], T | None]
    heal: Callable[[T], object]
    named: Callable[[T], Mapping[str, str]]
    most: int
    metrics: Metrics


def heal_overdue(kind: Overdue[T], *, seconds: float) -> int:
    """Heal until none is left or the time, by the process's own clock, is over; return how many were claimed.

    Stops where not one of those that were found could be claimed: the store can be read and not written, and would
    give the same ones for ever.
    """
    until, healed = time.monotonic() + seconds, 0
    while time.monotonic() < until and (found := kind.found()):
        claimed = sum(at_once(partial(_healed, kind=kind, until=until), found, most=kind.most))
        healed += claimed
        if not claimed:
            break
    return healed


def claim_overdue(update: Callable[[Callable[[C], C]], C], *, now: datetime) -> C | None:
    """Claim a record by its store's `update`, so that a second sweep, or the next after a crash, does not act on the
    same reason; None where somebody else was first, or it is gone.
    """

    def claim(each: C) -> C:
        if not each.is_overdue(now=now):
            raise _NotOverdue
        return each.claimed(now=now)

    try:
        return update(claim)
    except (UnknownJob, UnknownBatch, _NotOverdue):
        return None


class _NotOverdue(Exception):
    """Somebody else was first."""


def _healed(each: T, *, kind: Overdue[T], until: float) -> bool:
    """Whether it could be claimed, and so is not overdue any more, whatever came of it."""
    if time.monotonic() >= until:
        return False
    claimed: list[T | None] = []
    if not _survives(each, lambda: claimed.append(kind.claim(each)), kind):
        return False
    for mine in claimed:
        if mine is not None:
            _survives(each, partial(kind.heal, mine), kind)
    return True


def _survives(each: T, act: Callable[[], object], kind: Overdue[T]) -> bool:
    obstacle = survived(act, kind.name, kind.metrics)
    if obstacle is not None:
        kind.metrics.sweeps_failed.inc()
        log.warning("sweep failed", extra={**kind.named(each), "error": type(obstacle).__name__})
    return obstacle is None
