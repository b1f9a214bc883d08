"""A batch: a list of documents that came as one object, its jobs, and the report written when all have ended."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NewType

from shared.domain.errors import Failure
from shared.domain.job import FIRST_CHECK, KEY_LIFE, Limits
from shared.domain.status import UNFINISHED, Status

BatchId = NewType("BatchId", str)

SCHEMA = 1

SOONEST_CHECK = timedelta(seconds=5)
LATEST_CHECK = timedelta(minutes=5)
_PATIENCE = 10
"""A batch is looked at again after a tenth of its age: a small one is reported soon, and a large one costs little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`source` and `version` name the list, `outbox` the folder of its report and its results.

    `started` of its lines are jobs; `total` is None until all of them are. `error` says why the list was not taken, or
    not to its end. `reported_at` is the moment at which the report was written; until then `next_check_at` says when
    `sweep` looks again, after that it is `expires_at`, when the record goes.
    """

    id: BatchId
    tenant: str
    source: str
    version: str
    created_at: datetime
    next_check_at: datetime | None
    outbox: str = ""
    retention: timedelta = Limits().retention
    expires_at: datetime | None = None
    checks: int = 0
    started: int = 0
    total: int | None = None
    error: Failure | None = None
    reported_at: datetime | None = None
    schema: int = SCHEMA

    def is_overdue(self, *, now: datetime) -> bool:
        return self.next_check_at is not None and self.next_check_at <= now

    def claimed(self, *, now: datetime) -> "Batch":
        """Move the next check on, so that two sweeps never act at once."""
        pause = min(max((now - self.created_at) / _PATIENCE, SOONEST_CHECK), LATEST_CHECK)
        if self.total is None:
            pause = FIRST_CHECK
        return replace(self, checks=self.checks + 1, next_check_at=now + pause)

    def advanced(self, started: int, *, now: datetime) -> "Batch":
        """Lines are being started: whoever does so says it often enough that no sweep takes over."""
        if self.total is not None:
            return self
        return replace(self, started=max(self.started, started), next_check_at=now + FIRST_CHECK)

    def started_all(self, total: int, *, now: datetime) -> "Batch":
        if self.total is not None:
            return self
        return replace(self, started=total, total=total, next_check_at=now + SOONEST_CHECK)

    def failed(self, failure: Failure, *, now: datetime) -> "Batch":
        """The list cannot be read on: what was started of it is all that there will be."""
        if self.total is not None:
            return self
        return replace(self, error=failure, total=self.started, next_check_at=now)

    def reported(self, *, now: datetime) -> "Batch":
        """Kept as long as a job that ended now, and long enough for a repeated event to find it."""
        if self.reported_at is not None:
            return self
        expires_at = max(now + self.retention, self.created_at + KEY_LIFE)
        return replace(self, reported_at=now, expires_at=expires_at, next_check_at=expires_at)


def new_batch(
    *,
    id: BatchId,  # noqa: A002 - the field's own name
    tenant: str,
    source: str,
    version: str,
    outbox: str,
    limits: Limits,
    now: datetime,
) -> Batch:
    """Return a batch of which nothing was started yet.

    Without a report it expires when all its jobs have ended and expired, so that no trouble with it lasts for ever.
    """
    return Batch(
        id=id,
        tenant=tenant,
        source=source,
        version=version,
        outbox=outbox,
        retention=limits.retention,
        created_at=now,
        next_check_at=now + FIRST_CHECK,
        expires_at=now + limits.deadline + limits.retention + KEY_LIFE,
    )


@dataclass(frozen=True, slots=True)
class StartLines:
    """Whoever started the list's lines died: go on where it was."""


@dataclass(frozen=True, slots=True)
class Report:
    """Every job has ended: write the report."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The record was kept as long as promised."""


def batch_action(batch: Batch, counts: Mapping[Status, int], *, now: datetime) -> StartLines | Report | Forget | None:
    """Return what an overdue batch needs now, from the stored facts alone. Pure.

    Jobs that were erased are in no count: they have ended, one way or another, and nothing waits for them.
    """
    if batch.expires_at is not None and batch.expires_at <= now:
        return Forget()
    if batch.total is None:
        return StartLines()
    if batch.reported_at is not None or any(counts.get(status) for status in UNFINISHED):
        return None
    return Report()
