"""Jobs in Firestore: `jobs/{id}`, below each its `pages`, `ranges` and `callbacks`; `keys/{hash}` beside them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice

from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.client import Client
from google.cloud.firestore_v1.collection import CollectionReference
from google.cloud.firestore_v1.query import Query

from shared.adapters.google.calls import SECONDS
from shared.adapters.google.documents import Documents
from shared.adapters.google.keys import Keys
from shared.adapters.google.kinds import ATTEMPT, JOB, PAGE, RANGE, document_id, field, is_document_id
from shared.adapters.google.ledger import Ledger
from shared.adapters.google.listener import Listener
from shared.adapters.google.listing import after, cursor_of, listed
from shared.adapters.watchers import Stored, Watchers
from shared.domain.callback import CallbackAttempt
from shared.domain.errors import UnknownJob
from shared.domain.job import Job, JobId, Progress
from shared.domain.ledger import DayCosts, Spending
from shared.domain.page import Page, PageRange, PageStatus
from shared.domain.status import Status
from shared.ports.jobs import IdempotencyKey, JobPage

_FEW_PAGES = 8
"""Each of them is paid for like a count."""


class FirestoreJobStore:
    """`seconds` is how long a call may take until it raises Unavailable; one that writes much makes several."""

    def __init__(self, client: Client, *, seconds: float = SECONDS) -> None:
        self._documents = Documents(client, seconds=seconds)
        self._keys = Keys(client, self._documents)
        self._jobs = client.collection("jobs")
        self._ledger = Ledger(client, self._documents)
        self._watchers = Watchers(self._as_stored, soonest=1.0)
        self._listener = Listener(client, self._heard)

    def add(self, job: Job, key: IdempotencyKey | None) -> tuple[Job, bool]:
        if not is_document_id(job.id):
            raise ValueError(f"{job.id!r} is not a job's id")
        for _ in self._documents.deadline().tries("add"):
            if self._documents.create(self._keys.writes(job, key), self._ledger.additions(None, job)):
                return job, True
            known = self._in_the_way(job, key)
            if known is not None:
                return known
        raise AssertionError("tries() ends by raising")

    def find(self, key: IdempotencyKey) -> Job | None:
        return self._keys.find(key)

    def get(self, job_id: JobId) -> Job:
        job = self._stored(job_id)
        if job is None:
            raise UnknownJob(job_id)
        return job

    def update(self, job_id: JobId, change: Callable[[Job], Job], *, durable: bool = True) -> Job:
        del durable  # Firestore's writes all are
        reference = self._jobs.document(document_id(job_id))
        job = self._documents.update(reference, JOB, change, self._ledger.additions)
        if job is None:
            raise UnknownJob(job_id)
        self._watchers.tell(job)
        return job

    @contextmanager
    def watch(self, job: Job, changed: Callable[[Job], None]) -> Iterator[None]:
        with self._watchers.watch(job, changed), self._listener.hear(self._jobs.document(document_id(job.id))):
            yield

    def search(
        self, tenant: str, *, status: Status | None, batch: str | None, cursor: str | None, limit: int
    ) -> JobPage:
        query = after(listed(self._jobs, tenant, status=status, batch=batch), cursor)
        jobs = list(islice(self._documents.readable(query, JOB, at_once=limit + 1), limit + 1))
        more = len(jobs) > limit
        return JobPage(jobs=tuple(jobs[:limit]), cursor=cursor_of(jobs[limit - 1]) if more else None)

    def count(self, tenant: str, *, batch: str) -> Mapping[Status, int]:
        queries = {status: listed(self._jobs, tenant, status=status, batch=batch) for status in Status}
        counts = {status: self._documents.count(query) for status, query in queries.items()}
        return {status: count for status, count in counts.items() if count}

    def overdue(self, *, now: datetime, limit: int) -> tuple[Job, ...]:
        due = self._jobs.where(filter=FieldFilter("next_check_at", "<=", now)).order_by("next_check_at")
        return tuple(islice(self._documents.readable(due, JOB, at_once=limit), limit))

    def plan(self, job_id: JobId, pages: Iterable[Page], ranges: Iterable[PageRange]) -> None:
        page_documents, range_documents = self._below(job_id, "pages"), self._below(job_id, "ranges")
        writes = [(page_documents.document(_number(page.number)), PAGE.fields(page)) for page in pages]
        writes += [(range_documents.document(each.id), RANGE.fields(each)) for each in ranges]
        self._documents.create_missing(writes)

    def pages(self, job_id: JobId, among: Sequence[int] | None = None) -> tuple[Page, ...]:
        documents = self._below(job_id, "pages")
        if among is None:
            pages = [PAGE.read(snapshot) for snapshot in self._documents.found(documents)]
        else:
            snapshots = self._documents.some([documents.document(_number(number)) for number in among])
            pages = [self._documents.record(snapshot, PAGE) for snapshot in snapshots]
        return tuple(sorted(pages, key=lambda page: page.number))

    def update_page(self, job_id: JobId, number: int, change: Callable[[Page], Page], *, durable: bool = True) -> Page:
        del durable  # as above
        page = self._documents.update(self._below(job_id, "pages").document(_number(number)), PAGE, change)
        if page is None:
            raise UnknownJob(job_id)
        return page

    def progress(self, job: Job) -> Progress:
        """Counting takes three calls; their order makes up for the moments between.

        A page goes from failed to done, never back, and none goes away: one that moves meanwhile counts as pending once
        too often, and never as done and failed. A few pages are asked for at once instead.
        """
        pages = self._below(job.id, "pages")
        if job.page_count is not None and job.page_count <= _FEW_PAGES:
            found = self._documents.found(pages.select(["status"]))
            return Progress.counted(Counter(str(field(page, "status")) for page in found))
        done = self._documents.count(_of(pages, PageStatus.DONE))
        failed = self._documents.count(_of(pages, PageStatus.FAILED))
        return Progress(total=self._documents.count(pages) or None, done=done, failed=failed)

    def ranges(self, job_id: JobId) -> tuple[PageRange, ...]:
        ranges = map(RANGE.read, self._documents.found(self._below(job_id, "ranges")))
        return tuple(sorted(ranges, key=lambda each: each.id))

    def get_range(self, job_id: JobId, range_id: str) -> tuple[Job, PageRange]:
        job, range_ = (
            self._jobs.document(document_id(job_id)),
            self._below(job_id, "ranges").document(document_id(range_id)),
        )
        found = {snapshot.reference.path: snapshot for snapshot in self._documents.some([job, range_])}
        if found.keys() != {job.path, range_.path}:
            raise UnknownJob(job_id)
        return self._documents.record(found[job.path], JOB), self._documents.record(found[range_.path], RANGE)

    def update_range(self, job_id: JobId, range_id: str, change: Callable[[PageRange], PageRange]) -> PageRange:
        reference = self._below(job_id, "ranges").document(document_id(range_id))
        range_ = self._documents.update(reference, RANGE, change)
        if range_ is None:
            raise UnknownJob(job_id)
        return range_

    def log_attempt(self, job_id: JobId, attempt: CallbackAttempt) -> None:
        name = f"{_number(attempt.round)}-{_number(attempt.number)}"
        self._documents.put(self._below(job_id, "callbacks").document(name), ATTEMPT.fields(attempt))

    def attempts(self, job_id: JobId) -> tuple[CallbackAttempt, ...]:
        attempts = map(ATTEMPT.read, self._documents.found(self._below(job_id, "callbacks")))
        return tuple(sorted(attempts, key=lambda attempt: (attempt.round, attempt.number)))

    def forget(self, job_id: JobId, *, tombstone: bool) -> None:
        for name in ("pages", "ranges", "callbacks"):
            self._documents.erase_all(self._below(job_id, name))
        if not tombstone:
            self._keys.erase_with_job(self._jobs.document(document_id(job_id)))

    def costs(self, *, first: date, last: date, tenant: str | None = None) -> tuple[DayCosts, ...]:
        return self._ledger.costs(first=first, last=last, tenant=tenant)

    def spending(self, day: date, tenant: str | None) -> Spending:
        return self._ledger.spending(day, tenant)

    def _in_the_way(self, job: Job, key: IdempotencyKey | None) -> tuple[Job, bool] | None:
        """Return what `add` does where it could not create; None where nothing is in the way any more."""
        known = None if key is None else self.find(key)
        if known is not None:
            return known, known.id == job.id
        stored = self._stored(job.id)
        if stored is not None:
            return stored, True
        if key is not None:
            self._keys.free(key)
        return None

    def _stored(self, job_id: JobId) -> Job | None:
        snapshot = self._documents.read(self._jobs.document(document_id(job_id)))
        return None if snapshot is None else self._documents.record(snapshot, JOB)

    def close(self) -> None:
        """Called before the client is closed."""
        self._listener.close()

    def _heard(self, job_id: str, fields: Mapping[str, str]) -> None:
        self._watchers.heard(JobId(job_id), Stored(fields.get("status", ""), fields.get("body", "")))

    def _as_stored(self, job_ids: Sequence[JobId]) -> Mapping[JobId, Stored]:
        references = [self._jobs.document(document_id(job_id)) for job_id in job_ids]
        return {
            JobId(snapshot.id): Stored(str(field(snapshot, "status")), str(field(snapshot, "body")))
            for snapshot in self._documents.some(references)
        }

    def _below(self, job_id: JobId, name: str) -> CollectionReference:
        collection: CollectionReference = self._jobs.document(document_id(job_id)).collection(name)
        return collection


def _number(number: int) -> str:
    """As a document's name: as wide as the highest, so that the console shows them in order."""
    return f"{number:06d}"


def _of(pages: CollectionReference, status: PageStatus) -> Query:
    return pages.where(filter=FieldFilter("status", "==", status.value))
