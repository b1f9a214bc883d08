"""Time, as a dependency."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the time in UTC, with its zone."""

    def sleep(self, seconds: float) -> None: ...
