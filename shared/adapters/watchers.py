"""Who waits for which job to change: woken at once by who changes it in this process, soon where another does."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from shared.domain.errors import Unavailable
from shared.domain.job import Job, JobId

log = logging.getLogger(__name__)

_SOONEST_SECONDS, _LATEST_SECONDS = 0.05, 1.0
_LATE = 0.25
"""What another process changes is seen late by this share of the time waited: looks cost, so they grow rarer."""
_REST = 4
"""After a look, so many times as long as it took: with many who wait, a fifth of a thread's time goes into looking."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Watched:
    """`since` and `due` are of the monotonic clock."""

    job_id: JobId
    status: str
    wake: Callable[[], None]
    since: float
    due: float


class Watchers:
    """`statuses` returns those of the jobs that there are. The thread that asks ends when nobody waits any more."""

    def __init__(self, statuses: Callable[[Sequence[JobId]], Mapping[JobId, str]]) -> None:
        self._statuses = statuses
        self._changed = threading.Condition()
        self._watched: list[_Watched] = []
        self._thread: threading.Thread | None = None
        self._rests_until = 0.0

    @contextmanager
    def watch(self, job: Job, wake: Callable[[], None]) -> Iterator[None]:
        now = time.monotonic()
        watched = _Watched(job_id=job.id, status=job.status.value, wake=wake, since=now, due=now + _SOONEST_SECONDS)
        with self._changed:
            self._watched.append(watched)
            self._changed.notify()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_for_all, name="watchers", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._watched.remove(watched)
                self._changed.notify()

    def wake(self, job_id: JobId) -> None:
        with self._changed:
            waiting = [watched for watched in self._watched if watched.job_id == job_id]
        for watched in waiting:
            watched.wake()

    def _look_for_all(self) -> None:
        while due := self._due():
            self._look(due)

    def _due(self) -> list[_Watched]:
        """Wait until somebody is due, who takes along those that soon will be; nobody once nobody waits."""
        with self._changed:
            while self._watched:
                now = time.monotonic()
                left = max(self._rests_until, min(watched.due for watched in self._watched)) - now
                if left <= 0:
                    soon = now + _SOONEST_SECONDS
                    return [watched for watched in self._watched if watched.due <= soon]
                self._changed.wait(left)
            self._thread = None
            return []

    def _look(self, due: Sequence[_Watched]) -> None:
        started, statuses = time.monotonic(), dict[JobId, str]()
        try:
            statuses |= self._statuses([watched.job_id for watched in due])
        except Unavailable:
            log.warning("jobs that are waited for could not be looked at", exc_info=True)
        now = time.monotonic()
        self._rests_until = now + min(_REST * (now - started), _LATEST_SECONDS)
        for watched in due:
            status = statuses.get(watched.job_id, watched.status)
            if status != watched.status:
                watched.status = status
                watched.wake()
            watched.due = now + min(max(_SOONEST_SECONDS, _LATE * (now - watched.since)), _LATEST_SECONDS)
