"""What waits for somebody to do it: express before bulk, and bulk in its turn."""

import threading
from collections import deque
from typing import Generic, TypeVar

from gpu_worker.slots import EXPRESS_IN_A_ROW
from shared.domain.options import Lane

T = TypeVar("T")


class Lanes(Generic[T]):
    """A queue for each lane. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Lane, deque[T]] = {lane: deque() for lane in Lane}
        self._express_in_a_row = 0
        self._idle = 0
        self._closed = False

    def put(self, item: T, lane: Lane) -> bool:
        """Whether somebody is there to take it: where not, one more may be needed."""
        with self._changed:
            self._waiting[lane].append(item)
            self._changed.notify()
            return self._idle >= sum(map(len, self._waiting.values()))

    def take(self) -> T | None:
        """Wait for the next one; None once the queue is closed."""
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._closed or any(self._waiting.values()))
            finally:
                self._idle -= 1
            return None if self._closed else self._next()

    def drain(self) -> list[T]:
        """Take all that wait, for who has nobody to do them."""
        with self._changed:
            drained = [item for queue in self._waiting.values() for item in queue]
            for queue in self._waiting.values():
                queue.clear()
            return drained

    def close(self) -> None:
        """Let go who waits in `take`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> T:
        express, bulk = self._waiting[Lane.EXPRESS], self._waiting[Lane.BULK]
        bulk_is_due = bool(bulk) and (not express or self._express_in_a_row >= EXPRESS_IN_A_ROW)
        self._express_in_a_row = 0 if bulk_is_due else self._express_in_a_row + 1
        return bulk.popleft() if bulk_is_due else express.popleft()
