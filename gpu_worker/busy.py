"""For how much of the time the worker has work, as a line of its log a minute.

Where nobody else tells how busy a GPU is, an alert counts these.
"""

import logging
import time

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0


class Busy:
    """Told often whether there is work, by one thread."""

    def __init__(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._since = self._looked_at = time.monotonic()
        self._seconds = 0.0

    def look(self, *, has_work: bool) -> None:
        """Count the time since the last look as busy, or as idle."""
        now = time.monotonic()
        if has_work:
            self._seconds += now - self._looked_at
        self._looked_at = now
        if now - self._since >= self._every_seconds:
            log.info("had work", extra={"busy_seconds": round(self._seconds, 1)})
            self._since, self._seconds = now, 0.0
