"""When a worker should end so that a fresh one goes on: some libraries never give back all memory that they took."""

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_SECONDS = 5.0
"""Looking at every process costs some milliseconds."""


class Recycling:
    """`limit_mb` 0 means never; `used_mb` measures."""

    def __init__(self, limit_mb: float, used_mb: Callable[[], float]) -> None:
        self._limit_mb, self._used_mb = limit_mb, used_mb
        self._look_at = 0.0
        self._is_due = False

    def is_due(self, *, has_worked: bool) -> bool:
        """Whether the limit was passed, from then on for good.

        A worker that has read nothing stays: if the limit is less than a fresh one takes, pages are still read.
        """
        if self._limit_mb and has_worked and not self._is_due and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _SECONDS
            self._note(self._used_mb())
        return self._is_due

    def _note(self, used: float) -> None:
        if used > self._limit_mb:
            self._is_due = True
            log.warning("the worker ends, for a fresh one", extra={"used_mb": round(used), "limit_mb": self._limit_mb})
