"""A batch: a list of documents that came as one object, its jobs, and the report written when all have ended."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NewType

from shared.domain.job import FIRST_CHECK, LONGEST_CHECK

BatchId = NewType("BatchId", str)

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`source` and `version` name the list. `started` of its lines are jobs; `total` is None until all of them are.

    `reported_at` is the moment at which the report was written; until then `next_check_at` says when `sweep` looks
    again, after that it is None until `expires_at`, when the record goes.
    """

    id: BatchId
    tenant: str
    source: str
    version: str
    created_at: datetime
    next_check_at: datetime | None
    expires_at: datetime | None = None
    checks: int = 0
    started: int = 0
    total: int | None = None
    reported_at: datetime | None = None
    schema: int = SCHEMA

    def is_overdue(self, *, now: datetime) -> bool:
        return self.next_check_at is not None and self.next_check_at <= now

    def claimed(self, *, now: datetime) -> "Batch":
        """Move the next check on, at doubling intervals, so that two sweeps never act at once."""
        pause = min(FIRST_CHECK * 2 ** min(self.checks, 16), LONGEST_CHECK)
        return replace(self, checks=self.checks + 1, next_check_at=now + pause)
