"""What an overdue job needs, from the stored facts alone: job, ranges, pages, now → actions. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.errors import DeadlineExceeded, Failure
from shared.domain.job import Job
from shared.domain.page import Page, PageRange, PageStatus


@dataclass(frozen=True, slots=True)
class PublishPrepare:
    """The document has no plan, and nobody says to be at it: tell `prepare` again, or that its next try is due."""


@dataclass(frozen=True, slots=True)
class PublishRange:
    """Pages are pending and nobody says that they have them: tell the workers again."""

    range: PageRange


@dataclass(frozen=True, slots=True)
class Reopen:
    """A retry opened a round, and died before every failed page was pending again and in a range."""


@dataclass(frozen=True, slots=True)
class Assemble:
    """Every page has ended, and nobody wrote the result."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End what is pending with this failure, and with it the round."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Deliver:
    """Callbacks of a round are due."""

    round: int


@dataclass(frozen=True, slots=True)
class Expire:
    """The job was kept as long as promised: mark it for erasing."""


@dataclass(frozen=True, slots=True)
class Erase:
    """Erase its objects and records. `final`: nobody can write any more, so the tombstone goes too."""

    final: bool


Action = PublishPrepare | PublishRange | Reopen | Assemble | GiveUp | Deliver | Expire | Erase


def actions(job: Job, ranges: Sequence[PageRange], pages: Sequence[Page], *, now: datetime) -> tuple[Action, ...]:
    """Return what to do for `job` now; nothing where nothing is due.

    The callback of an ended round is told while the next one runs: a retry takes nothing back.
    """
    if job.tombstone_until is not None:
        return (Erase(final=now >= job.tombstone_until),)
    due = tuple(Deliver(round_) for round_ in sorted({each.round for each in job.callbacks if each.is_due(now=now)}))
    if job.is_unfinished:
        return due + _unfinished(job, ranges, pages, now=now)
    if not due and job.expires_at is not None and job.expires_at <= now:
        return (Expire(),)
    return due


def _unfinished(job: Job, ranges: Sequence[PageRange], pages: Sequence[Page], *, now: datetime) -> tuple[Action, ...]:
    if job.deadline_at <= now:
        return (GiveUp(DeadlineExceeded().failure),)
    if not job.is_planned:
        return (PublishPrepare(),) if job.may_be_prepared(now=now) else ()
    if is_half_open(job, ranges, pages):
        return (Reopen(),)
    pending = {page.number for page in pages if page.is_open(job.round)}
    if not pending:
        return (Assemble(),)
    return tuple(PublishRange(each) for each in unclaimed(job, ranges, pages, now=now))


def unclaimed(job: Job, ranges: Sequence[PageRange], pages: Sequence[Page], *, now: datetime) -> list[PageRange]:
    """Return the ranges of this round that have pending pages, and that nobody says to be reading."""
    pending = {page.number for page in pages if page.is_open(job.round)}
    return [
        each
        for each in ranges
        if each.round == job.round and not pending.isdisjoint(each.pages) and not each.is_claimed(now=now)
    ]


def is_half_open(job: Job, ranges: Sequence[PageRange], pages: Sequence[Page]) -> bool:
    """Whether a failed page of an earlier round still waits to be opened, or an open one is in no range."""
    covered = {number for each in ranges if each.round == job.round for number in each.pages}
    return any(
        page.status is not PageStatus.DONE and (page.round < job.round or page.number not in covered) for page in pages
    )
