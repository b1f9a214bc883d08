"""Jobs in SQLite: records as JSON, beside them the few columns that are asked for."""

import base64
import json
import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import date, datetime
from itertools import islice

from shared.adapters.embedded.database import Database
from shared.adapters.embedded.ledger import costs, post, spending
from shared.adapters.watchers import Stored, Watchers
from shared.domain.callback import CallbackAttempt
from shared.domain.errors import IdempotencyConflict, InvalidRequest, UnknownJob
from shared.domain.job import Job, JobId, Progress
from shared.domain.ledger import DayCosts, Spending, entries
from shared.domain.page import Page, PageRange
from shared.domain.status import Status
from shared.ports.jobs import IdempotencyKey, JobPage
from shared.records import UnreadableRecord, from_json, to_json

log = logging.getLogger(__name__)

_CURSOR = re.compile(r"(\d{1,12}\.\d{1,9}) ([!-~]{1,200})", re.ASCII)

_PUT_JOB = """
INSERT INTO jobs (id, tenant, status, batch, created_at, next_check_at, erased, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, next_check_at = excluded.next_check_at, erased = excluded.erased, body = excluded.body
"""


class SqliteJobStore:
    """What was accepted, what ended and the pages' tries are synced to disk before anybody relies on them. Plans,
    claims and the delivery log need no sync of their own: the next has it, and until then they can be made again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers = Watchers(self._as_stored)

    def add(self, job: Job, key: IdempotencyKey | None) -> tuple[Job, bool]:
        with self._database.write() as connection:
            known = None if key is None else _find(connection, key)
            if known is not None:
                return known, known.id == job.id
            if connection.execute("SELECT 1 FROM jobs WHERE id = ?", (job.id,)).fetchone():
                return _get_job(connection, job.id), True
            if key is not None:
                connection.execute("INSERT INTO keys VALUES (?, ?, ?)", (key.hash, key.fingerprint, job.id))
            _put_job(connection, job)
            post(connection, entries(None, job))
        return job, True

    def find(self, key: IdempotencyKey) -> Job | None:
        with self._database.read() as connection:
            return _find(connection, key)

    def get(self, job_id: JobId) -> Job:
        with self._database.read() as connection:
            return _get_job(connection, job_id)

    def update(self, job_id: JobId, change: Callable[[Job], Job], *, durable: bool = True) -> Job:
        with self._database.write(durable=durable) as connection:
            before = _get_job(connection, job_id)
            after = change(before)
            if after != before:
                _put_job(connection, after)
                post(connection, entries(before, after))
        self._watchers.tell(after)
        return after

    def watch(self, job: Job, changed: Callable[[Job], None]) -> AbstractContextManager[None]:
        return self._watchers.watch(job, changed)

    def search(
        self, tenant: str, *, status: Status | None, batch: str | None, cursor: str | None, limit: int
    ) -> JobPage:
        created_at, last_id = _read_cursor(cursor)
        index = "jobs_of_batch" if batch else "jobs_listed"
        query = (
            f"SELECT body FROM jobs INDEXED BY {index} WHERE tenant = :tenant AND erased = 0"
            " AND (created_at, id) < (:created_at, :id) AND (:status IS NULL OR status = :status)"
            f"{' AND batch = :batch' if batch else ''} ORDER BY created_at DESC, id DESC"
        )
        values = {"tenant": tenant, "created_at": created_at, "id": last_id, "status": status, "batch": batch}
        with self._database.read() as connection, closing(connection.execute(query, values)) as rows:
            jobs = list(islice(_readable(rows), limit + 1))
        more = len(jobs) > limit
        return JobPage(jobs=tuple(jobs[:limit]), cursor=_cursor(jobs[limit - 1]) if more else None)

    def count(self, tenant: str, *, batch: str) -> Mapping[Status, int]:
        query = "SELECT status, count(*) FROM jobs WHERE batch = ? AND tenant = ? AND erased = 0 GROUP BY status"
        with self._database.read() as connection:
            return {Status(status): count for status, count in connection.execute(query, (batch, tenant))}

    def overdue(self, *, now: datetime, limit: int) -> tuple[Job, ...]:
        query = "SELECT body FROM jobs WHERE next_check_at <= ? ORDER BY next_check_at"
        with self._database.read() as connection, closing(connection.execute(query, (now.timestamp(),))) as rows:
            return tuple(islice(_readable(rows), limit))

    def plan(self, job_id: JobId, pages: Iterable[Page], ranges: Iterable[PageRange]) -> None:
        with self._database.write(durable=False) as connection:
            connection.executemany(
                "INSERT INTO pages VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(job_id, page.number, page.status, to_json(page).decode()) for page in pages],
            )
            connection.executemany(
                "INSERT INTO ranges VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(job_id, each.id, to_json(each).decode()) for each in ranges],
            )

    def pages(self, job_id: JobId, among: Sequence[int] | None = None) -> tuple[Page, ...]:
        query, values = "SELECT body FROM pages WHERE job_id = ?", [str(job_id)]
        if among is not None:
            query, values = query + " AND number IN (SELECT value FROM json_each(?))", [job_id, json.dumps(among)]
        with self._database.read() as connection:
            rows = connection.execute(query + " ORDER BY number", values)
            return tuple(from_json(Page, body) for (body,) in rows)

    def update_page(self, job_id: JobId, number: int, change: Callable[[Page], Page], *, durable: bool = True) -> Page:
        with self._database.write(durable=durable) as connection:
            row = connection.execute("SELECT body FROM pages WHERE job_id = ? AND number = ?", (job_id, number))
            before = from_json(Page, _only(row.fetchone(), job_id))
            after = change(before)
            if after != before:
                connection.execute(
                    "UPDATE pages SET status = ?, body = ? WHERE job_id = ? AND number = ?",
                    (after.status, to_json(after).decode(), job_id, number),
                )
        return after

    def progress(self, job: Job) -> Progress:
        with self._database.read() as connection:
            query = "SELECT status, count(*) FROM pages WHERE job_id = ? GROUP BY status"
            return Progress.counted(dict(connection.execute(query, (job.id,))))

    def ranges(self, job_id: JobId) -> tuple[PageRange, ...]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT body FROM ranges WHERE job_id = ? ORDER BY id", (job_id,))
            return tuple(from_json(PageRange, body) for (body,) in rows)

    def get_range(self, job_id: JobId, range_id: str) -> tuple[Job, PageRange]:
        query = (
            "SELECT jobs.body, ranges.body FROM ranges JOIN jobs ON jobs.id = job_id WHERE job_id = ? AND ranges.id = ?"
        )
        with self._database.read() as connection:
            row = connection.execute(query, (job_id, range_id)).fetchone()
        if row is None:
            raise UnknownJob(job_id)
        return from_json(Job, row[0]), from_json(PageRange, row[1])

    def update_range(self, job_id: JobId, range_id: str, change: Callable[[PageRange], PageRange]) -> PageRange:
        with self._database.write(durable=False) as connection:
            row = connection.execute("SELECT body FROM ranges WHERE job_id = ? AND id = ?", (job_id, range_id))
            after = change(from_json(PageRange, _only(row.fetchone(), job_id)))
            connection.execute(
                "UPDATE ranges SET body = ? WHERE job_id = ? AND id = ?", (to_json(after).decode(), job_id, range_id)
            )
        return after

    def log_attempt(self, job_id: JobId, attempt: CallbackAttempt) -> None:
        values = (job_id, attempt.round, attempt.number, to_json(attempt).decode())
        with self._database.write(durable=False) as connection:
            connection.execute("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?)", values)

    def attempts(self, job_id: JobId) -> tuple[CallbackAttempt, ...]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT body FROM attempts WHERE job_id = ? ORDER BY round, number", (job_id,))
            return tuple(from_json(CallbackAttempt, body) for (body,) in rows)

    def forget(self, job_id: JobId, *, tombstone: bool) -> None:
        statements = ["DELETE FROM pages WHERE job_id = ?", "DELETE FROM ranges WHERE job_id = ?"]
        statements += ["DELETE FROM attempts WHERE job_id = ?"]
        if not tombstone:
            statements += ["DELETE FROM keys WHERE job_id = ?", "DELETE FROM jobs WHERE id = ?"]
        with self._database.write() as connection:
            for statement in statements:
                connection.execute(statement, (job_id,))

    def costs(self, *, first: date, last: date, tenant: str | None = None) -> tuple[DayCosts, ...]:
        with self._database.read() as connection:
            return costs(connection, first=first, last=last, tenant=tenant)

    def spending(self, day: date, tenant: str | None) -> Spending:
        with self._database.read() as connection:
            return spending(connection, day, tenant)

    def _as_stored(self, job_ids: Sequence[JobId]) -> Mapping[JobId, Stored]:
        query = "SELECT id, status, body FROM jobs WHERE id IN (SELECT value FROM json_each(?))"
        with self._database.read() as connection:
            rows = connection.execute(query, (json.dumps(job_ids),))
            return {job_id: Stored(status, body) for job_id, status, body in rows}


def _find(connection: sqlite3.Connection, key: IdempotencyKey) -> Job | None:
    query = "SELECT fingerprint, body FROM keys JOIN jobs ON jobs.id = keys.job_id WHERE hash = ?"
    row = connection.execute(query, (key.hash,)).fetchone()
    if row is None:
        return None
    if row[0] != key.fingerprint:
        raise IdempotencyConflict("another request has this key")
    return from_json(Job, row[1])


def _readable(rows: Iterable[tuple[str]]) -> Iterator[Job]:
    """Leave out what this version cannot read: one damaged record must not hide the others."""
    for (body,) in rows:
        try:
            yield from_json(Job, body)
        except UnreadableRecord as error:
            log.warning("unreadable job left out", extra={"reason": str(error)})


def _get_job(connection: sqlite3.Connection, job_id: JobId) -> Job:
    row = connection.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return from_json(Job, _only(row, job_id))


def _only(row: tuple[str] | None, job_id: JobId) -> str:
    if row is None:
        raise UnknownJob(job_id)
    return row[0]


def _put_job(connection: sqlite3.Connection, job: Job) -> None:
    due = job.next_check_at.timestamp() if job.next_check_at else None
    erased = job.erased_at is not None
    body = to_json(job).decode()
    values = (job.id, job.tenant, job.status, job.batch, job.created_at.timestamp(), due, erased, body)
    connection.execute(_PUT_JOB, values)


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.timestamp():.6f} {job.id}".encode()).decode()


def _read_cursor(cursor: str | None) -> tuple[float, str]:
    if cursor is None:
        return float("inf"), ""
    try:
        match = _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor.encode()).decode())
    except ValueError:
        match = None
    if match is None:
        raise InvalidRequest("cursor", public="The cursor is not one that this service gave out.")
    return float(match[1]), match[2]
