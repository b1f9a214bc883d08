"""How many requests are in hand, and so whether one more page would be worked on."""

import threading
from collections.abc import Callable

from shared.domain.options import Lane

_FIRST_GUESS = 8.0
"""Requests a page, until pages have been seen: of the library's own sample pages."""
_WEIGHT = 0.1
"""Of the newest page in the running mean: after ten of another kind it has come most of the way."""


class Room:
    """Counts requests, not pages, for pages differ: one block or forty.

    A page that layout has not seen yet counts as the mean of those before it. What is asked beyond `requests`, which
    the server has slots for, waits in the client, so that no slot waits for layout; express may go further than bulk.
    """

    def __init__(self, requests: int) -> None:
        reserve = max(4, requests // 2)
        self._limits = {Lane.BULK: requests + reserve, Lane.EXPRESS: requests + 2 * reserve}
        self._lock = threading.Lock()
        self._unseen = 0
        self._asked = 0
        self._mean = _FIRST_GUESS
        self._turned_away: set[Lane] = set()
        self._wake: Callable[[], None] = _nobody

    def on_room(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def has(self, lane: Lane) -> bool:
        with self._lock:
            if self._is_free(lane):
                return True
            self._turned_away.add(lane)
            return False

    def page_came(self) -> None:
        with self._lock:
            self._unseen += 1

    def page_left(self) -> None:
        """It ended before it was laid out."""
        with self._lock:
            self._unseen -= 1
        self._tell()

    def laid_out(self, requests: int) -> None:
        with self._lock:
            self._unseen -= 1
            self._asked += requests
            self._mean += (requests - self._mean) * _WEIGHT
        self._tell()

    def asked(self, requests: int) -> None:
        """Once more, of a page that was laid out before."""
        with self._lock:
            self._asked += requests

    def answered(self) -> None:
        with self._lock:
            self._asked -= 1
        self._tell()

    def _is_free(self, lane: Lane) -> bool:
        return self._asked + self._unseen * max(1.0, self._mean) < self._limits[lane]

    def _tell(self) -> None:
        """Only where somebody was turned away, and without the lock: the listener has one of its own."""
        with self._lock:
            welcome = {lane for lane in self._turned_away if self._is_free(lane)}
            self._turned_away -= welcome
        if welcome:
            self._wake()


def _nobody() -> None:
    pass
