"""Whether a job still counts, for those who are about to begin a page of it; who is about to write asks the store."""

import threading
import time

from shared.domain.job import Job, JobId
from shared.ports.jobs import JobStore

_SECONDS = 1.0
"""How long a cancelled job may go on being begun."""
_MOST = 1_000


class Liveness:
    """Asks the store about each job once a second at most."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[JobId, float] = {}

    def note(self, job: Job) -> None:
        """The job was read from the store just now, and is live."""
        with self._lock:
            if len(self._seen) >= _MOST:
                self._seen.clear()
            self._seen[job.id] = time.monotonic()

    def is_live(self, job_id: JobId) -> bool:
        """Raises UnknownJob."""
        with self._lock:
            seen = self._seen.get(job_id)
        if seen is not None and time.monotonic() - seen < _SECONDS:
            return True
        job = self._store.get(job_id)
        if job.is_live:
            self.note(job)
        return job.is_live
