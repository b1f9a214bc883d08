"""What waits to be asked: express before bulk, and bulk in its turn."""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from gpu_worker.engines.vl.question import Answer, Question
from gpu_worker.slots import EXPRESS_IN_A_ROW
from shared.domain.options import Lane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiting:
    """One question, and the future that its asker holds."""

    question: Question
    future: Future[Answer] = field(default_factory=Future)


class Lanes:
    """A queue for each lane. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Lane, deque[Waiting]] = {lane: deque() for lane in Lane}
        self._express_in_a_row = 0
        self._idle = 0
        self._closed = False

    def put(self, waiting: Waiting) -> bool:
        """Whether somebody is there to take it: where not, one more may be needed."""
        with self._changed:
            self._waiting[waiting.question.lane].append(waiting)
            self._changed.notify()
            return self._idle >= sum(map(len, self._waiting.values()))

    def take(self) -> Waiting | None:
        """Wait for the next one; None once the queue is closed."""
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._closed or any(self._waiting.values()))
            finally:
                self._idle -= 1
            return None if self._closed else self._next()

    def drain(self) -> list[Waiting]:
        """Take all that wait, for who has nothing to ask them of."""
        with self._changed:
            drained = [waiting for queue in self._waiting.values() for waiting in queue]
            for queue in self._waiting.values():
                queue.clear()
            return drained

    def close(self) -> None:
        """Let go who waits in `take`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> Waiting:
        express, bulk = self._waiting[Lane.EXPRESS], self._waiting[Lane.BULK]
        bulk_is_due = bool(bulk) and (not express or self._express_in_a_row >= EXPRESS_IN_A_ROW)
        self._express_in_a_row = 0 if bulk_is_due else self._express_in_a_row + 1
        return bulk.popleft() if bulk_is_due else express.popleft()
