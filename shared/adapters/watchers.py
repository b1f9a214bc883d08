"""Who waits for which job to change: told at once by who changes it in this process, soon where another does.

What another process changes is looked for; who hears of it in another way says so, and it is looked for less often.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from shared.domain.errors import PagemillError
from shared.domain.job import Job, JobId
from shared.records import UnreadableRecord, from_json

log = logging.getLogger(__name__)

_SOONEST_SECONDS, _LATEST_SECONDS = 0.02, 1.0
_LATE = 0.25
"""What another process changes is seen late by this share of the time waited: looks cost, so they grow rarer."""
_TOGETHER_SECONDS = 0.05
"""Who is due so soon is looked for with those who are due."""
_REST = 2
"""After a look, so many times as long as it took: with many who wait, a third of a thread's time goes into looking."""


class Stored(NamedTuple):
    """A job as it is stored: its status, beside the JSON of its record."""

    status: str
    body: str


@dataclass(slots=True, kw_only=True, eq=False)
class _Watched:
    """`job` is the last that who waits knows; `since` and `due` are of the monotonic clock."""

    job: Job
    changed: Callable[[Job], None]
    since: float
    due: float


class Watchers:
    """`stored` reads those of the jobs that there are. The thread that asks ends when nobody waits any more."""

    def __init__(
        self, stored: Callable[[Sequence[JobId]], Mapping[JobId, Stored]], *, soonest: float = _SOONEST_SECONDS
    ) -> None:
        """`soonest` is after how many seconds a job is looked for first, one at most."""
        self._stored, self._soonest = stored, soonest
        self._condition = threading.Condition()
        self._watched: list[_Watched] = []
        self._thread: threading.Thread | None = None
        self._rests_until = 0.0

    @contextmanager
    def watch(self, job: Job, changed: Callable[[Job], None]) -> Iterator[None]:
        now = time.monotonic()
        watched = _Watched(job=job, changed=changed, since=now, due=now + self._soonest)
        with self._condition:
            self._watched.append(watched)
            self._condition.notify()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_for_all, name="watchers", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._condition:
                self._watched.remove(watched)
                self._condition.notify()

    def tell(self, job: Job) -> None:
        """Tell those who saw it in another status or round."""
        for watched in self._waiting_for(job.id):
            self._tell(watched, job)

    def heard(self, job_id: JobId, stored: Stored) -> None:
        """As `tell`, of a job as it is stored."""
        for watched in self._waiting_for(job_id):
            self._tell_of(stored, watched)

    def _waiting_for(self, job_id: JobId) -> list[_Watched]:
        with self._condition:
            return [watched for watched in self._watched if watched.job.id == job_id]

    def _look_for_all(self) -> None:
        while due := self._due():
            self._look(due)

    def _due(self) -> list[_Watched]:
        """Wait until somebody is due, who takes along those that soon will be; nobody once nobody waits."""
        with self._condition:
            while self._watched:
                now = time.monotonic()
                left = max(self._rests_until, min(watched.due for watched in self._watched)) - now
                if left <= 0:
                    return [watched for watched in self._watched if watched.due <= now + _TOGETHER_SECONDS]
                self._condition.wait(left)
            self._thread = None
            return []

    def _look(self, due: Sequence[_Watched]) -> None:
        started = time.monotonic()
        try:
            stored = self._stored([watched.job.id for watched in due])
        except PagemillError:
            log.warning("jobs that are waited for could not be looked at", exc_info=True)
            stored = {}
        now = time.monotonic()
        self._rests_until = now + min(_REST * (now - started), _LATEST_SECONDS)
        for watched in due:
            watched.due = now + min(max(self._soonest, _LATE * (now - watched.since)), _LATEST_SECONDS)
            found = stored.get(watched.job.id)
            if found is not None:
                self._tell_of(found, watched)

    def _tell_of(self, stored: Stored, watched: _Watched) -> None:
        """Who waits for a job that nobody can read finds it out at the end."""
        if stored.status == watched.job.status:
            return
        try:
            self._tell(watched, from_json(Job, stored.body))
        except UnreadableRecord as error:
            log.warning("unreadable job", extra={"job_id": watched.job.id, "reason": str(error)})

    def _tell(self, watched: _Watched, job: Job) -> None:
        """Once, though who changed it, who looked and who heard may come at the same time."""
        with self._condition:
            if (job.status, job.round) == (watched.job.status, watched.job.round):
                return
            watched.job = job
        watched.changed(job)
