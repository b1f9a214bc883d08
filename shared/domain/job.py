"""A job: one document on its way to Markdown. Every change is a past-tense method that returns a new value.

Its life is the table in `status`. Retry opens a new round: the failed pages are read again, what is done stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from shared.domain.callback import Callback, Channel
from shared.domain.errors import Failure, IllegalMove, UnknownJob
from shared.domain.options import Lane, Options
from shared.domain.page import PageStatus
from shared.domain.status import MOVES, UNFINISHED, Status

JobId = NewType("JobId", str)

SCHEMA = 1

FIRST_CHECK = timedelta(seconds=60)
LONGEST_CHECK = timedelta(hours=1)
PREPARE_PAUSES = (timedelta(seconds=2), timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5))
"""Between a try that failed and the next: a source that stumbled is asked soon, one that is down is left alone."""
CALLBACK_GRACE = timedelta(seconds=30)
"""How long the notifier has for a callback that it was told of, before `sweep` tells it again."""
ERASE_LINGER = timedelta(minutes=75)
"""The longest lease (60 s) plus the longest processing of one message (1 h), with room: after that nobody writes."""
KEY_LIFE = timedelta(hours=24)
"""An idempotency key is honoured at least this long, whatever happens to its job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things are kept, and how large they may be."""

    deadline: timedelta = timedelta(hours=24)
    retention: timedelta = timedelta(days=7)
    pages_a_range: int = 8
    pages_a_document: int = 2_000
    bytes_a_document: int = 200_000_000
    express_pages: int = 32
    """Longer documents go to bulk by themselves."""
    prepare_tries: int = 5


class SourceKind(StrEnum):
    URL = "url"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the document comes from: a URL to fetch, or an object of ours; `name` is for showing only.

    Where an object may be replaced under its name, `version` is the one that is meant.
    """

    kind: SourceKind
    location: str
    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Pages by state; `total` is None until the document was opened."""

    total: int | None = None
    done: int = 0
    failed: int = 0

    @classmethod
    def counted(cls, statuses: Mapping[str, int]) -> "Progress":
        """How many pages there are of each status; a status that none has may be left out."""
        done, failed = statuses.get(PageStatus.DONE, 0), statuses.get(PageStatus.FAILED, 0)
        return cls(total=sum(statuses.values()) or None, done=done, failed=failed)

    @property
    def pending(self) -> int:
        return (self.total or 0) - self.done - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """How a round ended. `flags` maps a flag's code to the pages that carry it; `usage` sums what the pages cost."""

    progress: Progress
    error: Failure | None = None
    flags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`next_check_at` is the moment by which something must have happened; None when nothing is due.

    `line` is its place in the list of its `batch`; `outbox` is the folder that its results are copied to.
    `prepare_tries` counts what may be the document's fault; `prepare_starts` names the latest try, and is never taken
    back. No try begins before `prepare_after`: one is under way until then, or failed and is to be made again then.
    `usage` is of all rounds that ended, `prepared` what preparing it used; `reserved` is what a budget holds for the
    job until it ends, in USD.
    `cache_key` names the document's entry in the cache, from its plan on; None where nothing of it may be kept or taken
    from there.
    """

    id: JobId
    tenant: str
    source: Source
    options: Options
    pages: str | None
    priority: Lane
    limits: Limits
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime
    next_check_at: datetime | None
    checks: int = 0
    status: Status = Status.QUEUED
    round: int = 1
    lane: Lane | None = None
    batch: str | None = None
    line: int | None = None
    key: str | None = None
    callback_url: str | None = None
    outbox: str | None = None
    sealed_password: str | None = None
    prepare_tries: int = 0
    prepare_starts: int = 0
    prepare_after: datetime | None = None
    page_count: int | None = None
    cache_key: str | None = None
    partial: bool = False
    error: Failure | None = None
    flags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    prepared: Mapping[str, float] = field(default_factory=dict)
    reserved: float = 0.0
    callbacks: tuple[Callback, ...] = ()
    progress: Progress | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    erased_at: datetime | None = None
    schema: int = SCHEMA

    @property
    def is_unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def is_live(self) -> bool:
        """Whether work on it still counts: unfinished, and not marked for erasing."""
        return self.is_unfinished and self.erased_at is None

    @property
    def is_planned(self) -> bool:
        return self.page_count is not None

    @property
    def known_progress(self) -> Progress | None:
        """Its pages by state where the record knows them: none before its plan, and all at the end of a round.

        None while they are read, after a cancelling, and where an earlier version wrote the record: then the store has
        to count.
        """
        return self.progress or (None if self.is_planned else Progress())

    @property
    def prefix(self) -> str:
        return f"jobs/{self.id}/"

    @property
    def source_object(self) -> str:
        return f"{self.prefix}source"

    def is_overdue(self, *, now: datetime) -> bool:
        return self.next_check_at is not None and self.next_check_at <= now

    def may_be_prepared(self, *, now: datetime) -> bool:
        """Whether a try may begin: it has no plan, nobody is at it, and no pause is left."""
        is_free = self.prepare_after is None or self.prepare_after <= now
        return self.is_live and not self.is_planned and is_free

    @property
    def is_first_try(self) -> bool:
        """Whether nobody ever tried to prepare it before the latest try, so that no source can be stored yet."""
        return self.prepare_starts == 1

    def prepare_started(self, *, until: datetime, now: datetime) -> "Job":
        """Begin a try, and claim the job for it: a process that is killed keeps it from others `until` then.

        Raises IllegalMove where none may begin.
        """
        if not self.may_be_prepared(now=now):
            raise self._illegal(Status.RUNNING)
        begun = replace(self, prepare_starts=self.prepare_starts + 1)
        return begun._tried(self.prepare_tries + 1, after=until, now=now)

    def prepare_kept(self, *, start: int, until: datetime, now: datetime) -> "Job":
        """Prolong the claim of the try in hand. One that lost its claim is mute."""
        return self._tried(self.prepare_tries, after=until, now=now) if self._is_prepared_by(start) else self

    def prepare_put_off(self, *, start: int, now: datetime) -> "Job":
        """End the try that failed and may be made again, after a pause that grows. One that lost its claim is mute."""
        if not self._is_prepared_by(start):
            return self
        pause = PREPARE_PAUSES[min(self.prepare_tries, len(PREPARE_PAUSES)) - 1]
        return self._tried(self.prepare_tries, after=now + pause, now=now)

    def prepare_handed_back(self, *, start: int, now: datetime) -> "Job":
        """Take the try back: what ended it was no fault of the document. One that lost its claim is mute."""
        if not self._is_prepared_by(start):
            return self
        return self._tried(max(0, self.prepare_tries - 1), after=None, now=now)

    def planned(self, *, page_count: int, lane: Lane, now: datetime, cache_key: str | None = None) -> "Job":
        """The first plan stands: a later one changes nothing."""
        if self.is_planned or not self.is_live:
            return self
        kept = replace(self, sealed_password=None, prepare_after=None, checks=0, updated_at=now)
        plan = replace(kept, page_count=page_count, lane=lane, cache_key=cache_key)
        running = plan if plan.status is Status.RUNNING else plan._moved(Status.RUNNING, now=now)
        return running._checked_later(now=now)

    def ended(self, result: RoundResult, *, round_: int, now: datetime) -> "Job":
        """End this round: finished where any page was read, failed where none was. An ended round changes nothing."""
        if not self.is_live or round_ != self.round:
            return self
        counts = result.progress
        status = Status.FINISHED if counts.done else Status.FAILED
        partial = status is Status.FINISHED and counts.failed > 0
        error = result.error if status is Status.FAILED else None
        found = replace(self, progress=counts, flags=result.flags, usage=result.usage)
        return replace(found, partial=partial, error=error)._moved(status, now=now)

    def used(self, usage: Mapping[str, float]) -> "Job":
        """Note, in the change that ends it, what was used until then; one that is not live stays."""
        return replace(self, usage=usage) if self.is_live else self

    def reckoned(self, *, prepared: Mapping[str, float], reserved: float) -> "Job":
        """Note what preparing it used, and what a budget holds for what is known of it now; a plan stands."""
        return replace(self, prepared=prepared, reserved=reserved) if self.is_live and not self.is_planned else self

    def failed(self, failure: Failure, *, now: datetime) -> "Job":
        """End a job that never came to a plan. One that has a plan or has ended stays: somebody else prepared it."""
        if not self.is_live or self.is_planned:
            return self
        return replace(self, error=failure)._moved(Status.FAILED, now=now)

    def cancelled(self, *, now: datetime) -> "Job":
        if self.status is Status.CANCELLED:
            return self
        return replace(self, sealed_password=None)._moved(Status.CANCELLED, now=now)

    def retried(self, *, now: datetime, reserved: float = 0.0) -> "Job":
        """Open a new round for what failed, for which a budget holds so much. Raises IllegalMove where nothing did, or
        the job has not ended.
        """
        if self.is_unfinished:
            raise self._illegal(Status.RUNNING)
        if self.status is Status.FINISHED and not self.partial:
            raise IllegalMove(f"{self.id} has no failed pages", public="Every page of the job was read already.")
        opened = replace(
            self,
            round=self.round + 1,
            deadline_at=now + self.limits.deadline,
            error=None,
            partial=False,
            progress=None,
            prepare_tries=0,
            reserved=reserved,
            ended_at=None,
            expires_at=None,
        )
        return opened._moved(Status.RUNNING, now=now)

    def claimed(self, *, now: datetime) -> "Job":
        """Move the next check on, at doubling intervals, so that two sweeps never act on the same reason at once.

        The pause never reaches beyond the next thing that falls due by itself: the deadline, a callback, the expiry,
        another try of prepare.
        """
        pause = min(FIRST_CHECK * 2 ** min(self.checks, 16), LONGEST_CHECK)
        known = (*self._calls, self._last_moment, self.prepare_after)
        to_come = [moment for moment in known if moment is not None and moment > now]
        return replace(self, checks=self.checks + 1, next_check_at=min([now + pause, *to_come]))

    def erased(self, *, now: datetime) -> "Job":
        """Mark for erasing; the job is unknown to callers from now on, and its unsent callbacks are dropped."""
        if self.erased_at is not None:
            return self
        return replace(self, erased_at=now, callbacks=(), next_check_at=now, checks=0, updated_at=now)

    def expired(self, *, now: datetime) -> "Job":
        """As `erased`, but for what the cache keeps: it has a time of its own."""
        return self if self.erased_at is not None else replace(self, cache_key=None).erased(now=now)

    def buried(self) -> "Job":
        """Keep of an erased job only what tells it from one that never was, until its tombstone goes.

        It is buried twice: once at once, and once more when nobody can write any more, since somebody may have.
        """
        if self.erased_at is None:
            return self
        nothing = Source(kind=self.source.kind, location="", name="")
        is_first = self.source != nothing
        return replace(
            self,
            source=nothing,
            pages=None,
            callback_url=None,
            outbox=None,
            sealed_password=None,
            cache_key=None,
            error=None,
            next_check_at=self.erased_at + ERASE_LINGER if is_first else self.tombstone_until,
        )

    @property
    def tombstone_until(self) -> datetime | None:
        """When the record itself may go: nobody can write any more, and its idempotency key was honoured."""
        if self.erased_at is None:
            return None
        return max(self.erased_at + ERASE_LINGER, self.created_at + KEY_LIFE)

    def callback_of(self, round_: int, channel: Channel = Channel.WEBHOOK) -> Callback | None:
        found = (callback for callback in self.callbacks if (callback.round, callback.channel) == (round_, channel))
        return next(found, None)

    def callback_changed(self, callback: Callback, *, now: datetime) -> "Job":
        """Replace the callback of the same round and channel; where there is none, it was dropped, and stays so."""
        callbacks = tuple(callback if other.is_of(callback) else other for other in self.callbacks)
        if callbacks == self.callbacks:
            return self
        return replace(self, callbacks=callbacks, updated_at=now)._checked_later(now=now)

    def _moved(self, status: Status, *, now: datetime) -> "Job":
        if self.erased_at is not None:
            raise UnknownJob(f"{self.id}: erased")
        if status not in MOVES[self.status]:
            raise self._illegal(status)
        moved = replace(self, status=status, prepare_after=None, updated_at=now, checks=0)
        if status not in UNFINISHED:
            moved = moved._with_callbacks(now=now)
        return moved._checked_later(now=now)

    def _illegal(self, status: Status) -> IllegalMove:
        return IllegalMove(
            f"{self.id}: {self.status} → {status}", public=f"The job is {self.status}; this is not possible now."
        )

    def _with_callbacks(self, *, now: datetime) -> "Job":
        told = {Channel.OUTBOX: self.outbox, Channel.WEBHOOK: self.callback_url}
        due = Callback(round=self.round, status=self.status, partial=self.partial, error=self.error, due_at=now)
        added = tuple(replace(due, channel=channel) for channel, where in told.items() if where is not None)
        expires_at = now + self.limits.retention
        return replace(self, ended_at=now, expires_at=expires_at, callbacks=(*self.callbacks, *added))

    def _checked_later(self, *, now: datetime) -> "Job":
        """Set `next_check_at` to the next moment at which this job, left alone, would need somebody."""
        moments = [call if call > now else now + CALLBACK_GRACE for call in self._calls]
        if self._last_moment is not None:
            moments.append(self._last_moment)
        if self.is_unfinished:
            after = self.prepare_after
            moments.append(after if after is not None and after > now else now + FIRST_CHECK)
        return replace(self, next_check_at=min(moments, default=None))

    def _tried(self, tries: int, *, after: datetime | None, now: datetime) -> "Job":
        tried = replace(self, prepare_tries=tries, prepare_after=after, checks=0, updated_at=now)
        return tried._checked_later(now=now)

    def _is_prepared_by(self, start: int) -> bool:
        """Whether the try still counts: nobody has begun another since, taken it back, planned or erased the job."""
        return self.is_live and self.prepare_starts == start and self.prepare_after is not None

    @property
    def _calls(self) -> list[datetime]:
        return [callback.due_at for callback in self.callbacks if callback.due_at is not None]

    @property
    def _last_moment(self) -> datetime | None:
        return self.deadline_at if self.is_unfinished else self.expires_at


def new_job(
    *,
    id: JobId,  # noqa: A002 - the field's own name
    tenant: str,
    source: Source,
    now: datetime,
    options: Options | None = None,
    limits: Limits | None = None,
    pages: str | None = None,
    priority: Lane = Lane.EXPRESS,
    callback_url: str | None = None,
    sealed_password: str | None = None,
    key: str | None = None,
    batch: str | None = None,
    line: int | None = None,
    outbox: str | None = None,
) -> Job:
    """Return a queued job; the limits in force now are its own for life."""
    limits = limits or Limits()
    return Job(
        id=id,
        tenant=tenant,
        source=source,
        options=options or Options(),
        limits=limits,
        pages=pages,
        priority=priority,
        callback_url=callback_url,
        sealed_password=sealed_password,
        key=key,
        batch=batch,
        line=line,
        outbox=outbox,
        created_at=now,
        updated_at=now,
        deadline_at=now + limits.deadline,
        next_check_at=min(now + FIRST_CHECK, now + limits.deadline),
    )
