"""Who waits for which job to change, in this process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.domain.job import JobId


class Watchers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[JobId, list[Callable[[], None]]] = {}

    @contextmanager
    def watch(self, job_id: JobId, wake: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._waiting.setdefault(job_id, []).append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._waiting[job_id].remove(wake)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]

    def wake(self, job_id: JobId) -> None:
        with self._lock:
            waiting = list(self._waiting.get(job_id, ()))
        for wake in waiting:
            wake()
