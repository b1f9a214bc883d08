"""Where jobs, their pages and ranges are kept. This is the truth; everything else is derived from it or a hint."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from shared.domain.callback import CallbackAttempt
from shared.domain.job import Job, JobId, Progress
from shared.domain.ledger import DayCosts, Spending
from shared.domain.page import Page, PageRange
from shared.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """`hash` names tenant and key; `fingerprint` is of the whole request, so that another request is told apart."""

    hash: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs of a listing, newest first; `cursor` asks for the next ones, None where there are no more."""

    jobs: tuple[Job, ...]
    cursor: str | None


class JobStore(Protocol):
    """Every method is safe to call from any thread and any process, and raises Unavailable where the store is not.

    What a change of a job adds to the ledger (`shared.domain.ledger`) is written in the same commit as the change.
    """

    def add(self, job: Job, key: IdempotencyKey | None) -> tuple[Job, bool]:
        """Store a new job and its idempotency key in one commit; return it and True.

        Where the key is known, store nothing and return the key's job and False. Where this very job is stored already,
        an earlier try of this call had succeeded: return it as it is now, and True. Raises IdempotencyConflict where
        the key is known with another fingerprint.
        """

    def find(self, key: IdempotencyKey) -> Job | None:
        """Return the job that this key started. Raises IdempotencyConflict as `add` does."""

    def get(self, job_id: JobId) -> Job:
        """Raises UnknownJob."""

    def update(self, job_id: JobId, change: Callable[[Job], Job], *, durable: bool = True) -> Job:
        """Apply `change` to the stored job, write it if it was not changed meanwhile, and return the result.

        `change` may run more than once, so it must be pure; what it raises passes through and nothing is written. One
        that need not be `durable` may be undone by a power cut of a store on this machine, by nothing else, until
        something later is durable. Raises UnknownJob.
        """

    def watch(self, job: Job, changed: Callable[[Job], None]) -> AbstractContextManager[None]:
        """While the context is open, call `changed` with the job, from any thread, when it has another status or round.

        `job` is how the caller knows it. At once where this process changes it; where another does, or did before the
        context was open, within a second, and for its status alone. A change that is undone within that second goes by.
        """

    def search(
        self, tenant: str, *, status: Status | None, batch: str | None, cursor: str | None, limit: int
    ) -> JobPage:
        """Return jobs that are not marked for erasing. Raises InvalidRequest where the cursor is not ours."""

    def count(self, tenant: str, *, batch: str) -> Mapping[Status, int]:
        """Count a batch's jobs by status, those marked for erasing left out; a status that none has is left out."""

    def overdue(self, *, now: datetime, limit: int) -> tuple[Job, ...]:
        """Return jobs whose `next_check_at` has come, the longest overdue first."""

    def plan(self, job_id: JobId, pages: Iterable[Page], ranges: Iterable[PageRange]) -> None:
        """Store pages and ranges; those that exist already stand as they are."""

    def pages(self, job_id: JobId, among: Sequence[int] | None = None) -> tuple[Page, ...]:
        """Return the pages by number, all or those `among` the numbers given; none for a job that is not known."""

    def update_page(self, job_id: JobId, number: int, change: Callable[[Page], Page], *, durable: bool = True) -> Page:
        """As `update`, for a page. Raises UnknownJob where the page is not known."""

    def progress(self, job: Job) -> Progress:
        """Count its pages by status, as they are now; `total` is None where no page is stored."""

    def ranges(self, job_id: JobId) -> tuple[PageRange, ...]: ...

    def get_range(self, job_id: JobId, range_id: str) -> tuple[Job, PageRange]:
        """Return a range and its job, in one read. Raises UnknownJob where either is not known."""

    def update_range(self, job_id: JobId, range_id: str, change: Callable[[PageRange], PageRange]) -> PageRange:
        """As `update`, for a range. Raises UnknownJob where the range is not known."""

    def log_attempt(self, job_id: JobId, attempt: CallbackAttempt) -> None:
        """Store one line of the delivery log; the same round and number once more replaces it."""

    def attempts(self, job_id: JobId) -> tuple[CallbackAttempt, ...]:
        """Return the delivery log, oldest first."""

    def forget(self, job_id: JobId, *, tombstone: bool) -> None:
        """Remove the job's pages, ranges and delivery log; without `tombstone` the job and its key as well."""

    def costs(self, *, first: date, last: date, tenant: str | None = None) -> tuple[DayCosts, ...]:
        """Return what rounds used that ended from the first to the last day (UTC), of one tenant or of each.

        By day, then tenant; a day on which none ended is left out. Jobs that were erased since are still counted.
        """

    def spending(self, day: date, tenant: str | None) -> Spending:
        """Return what a tenant, or with None all together, has spent on that day, and what unfinished jobs hold.

        Costs the same however many jobs there were.
        """
