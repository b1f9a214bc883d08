"""Which pages may be in flight: so many at once, express before bulk, a suspect with nothing beside it."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane

EXPRESS_IN_A_ROW = 4
"""After so many express pages a waiting bulk page has its turn, so that bulk never starves."""


class Slots:
    """`capacity` is the number of page images that are alive at the same time, so times their size it is memory."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._changed = threading.Condition()
        self._taken = 0
        self._alone = False
        self._waiting_alone = 0
        self._waiting: Counter[Lane] = Counter()
        self._express_in_a_row = 0
        self._closed = False

    def take(self, lane: Lane) -> None:
        """Wait for a slot. Raises EngineUnavailable once the slots are closed."""
        with self._waiting_for(lane):
            self._changed.wait_for(lambda: self._closed or self._is_free_for(lane))
            self._check_open()
            self._taken += 1
            self._express_in_a_row = self._express_in_a_row + 1 if lane is Lane.EXPRESS else 0

    def take_alone(self) -> None:
        """Wait until nothing is in flight, and let nothing else in until `give_back`."""
        with self._changed:
            self._waiting_alone += 1
            try:
                self._changed.wait_for(lambda: self._closed or (self._taken == 0 and not self._alone))
            finally:
                self._waiting_alone -= 1
            self._check_open()
            self._taken, self._alone = 1, True

    def give_back(self) -> None:
        with self._changed:
            self._taken -= 1
            self._alone = False
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing more in, and let go who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextmanager
    def _waiting_for(self, lane: Lane) -> Iterator[None]:
        with self._changed:
            self._waiting[lane] += 1
            try:
                yield
            finally:
                self._waiting[lane] -= 1
                self._changed.notify_all()  # it may be the other lane's turn now, and a slot be free

    def _is_free_for(self, lane: Lane) -> bool:
        if self._alone or self._waiting_alone or self._taken >= self._capacity:
            return False
        return lane is self._next_lane()

    def _next_lane(self) -> Lane:
        if not self._waiting[Lane.EXPRESS]:
            return Lane.BULK
        bulk_is_due = self._waiting[Lane.BULK] and self._express_in_a_row >= EXPRESS_IN_A_ROW
        return Lane.BULK if bulk_is_due else Lane.EXPRESS

    def _check_open(self) -> None:
        if self._closed:
            raise EngineUnavailable("the worker is stopping")
