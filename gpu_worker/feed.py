"""Which ranges to pull: no more than there is room for, since another worker may be idle."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gpu_worker.slots import Slots
from shared.domain.options import Lane

FEEDERS = 8
"""Ranges of one lane that still have pages to begin. Opening one takes some round trips, and the engine's room is the
same until its first page is there: with fewer, one-page documents would not fill the engine; more would be hoarded."""


class Feed:
    """`why_not` gives a reason to pull nothing at all, or nothing; `changed` hears when `may_pull` may answer anew."""

    def __init__(self, slots: Slots, why_not: Callable[[], str], *, ranges: int, changed: Callable[[], None]) -> None:
        self._slots, self._why_not, self._changed = slots, why_not, changed
        self._most = min(ranges, FEEDERS)
        self._lock = threading.Lock()
        self._feeding = Counter(dict.fromkeys(Lane, 0))
        self._in_hand = 0

    @property
    def ranges_in_hand(self) -> int:
        return self._in_hand

    def may_pull(self, lane: Lane) -> bool:
        """Never hoards; but one bulk range is there for the turns that bulk has, however full of express it is."""
        if self._why_not() or self._feeding[lane] >= self._most:
            return False
        is_owed = lane is Lane.BULK and not self._feeding[lane] and self._slots.owes_bulk
        return is_owed or self._slots.has_room(lane)

    @contextmanager
    def range_in_hand(self, lane: Lane) -> Iterator[Callable[[], None]]:
        """Count the range while the context is open; what is yielded says, once, that all its pages are begun."""
        begun = threading.Event()

        def all_begun() -> None:
            begun.set()
            self._change(lane, feeding=-1)

        self._change(lane, feeding=1, in_hand=1)
        try:
            yield all_begun
        finally:
            self._change(lane, feeding=0 if begun.is_set() else -1, in_hand=-1)

    def _change(self, lane: Lane, *, feeding: int, in_hand: int = 0) -> None:
        with self._lock:
            self._feeding[lane] += feeding
            self._in_hand += in_hand
        self._changed()
