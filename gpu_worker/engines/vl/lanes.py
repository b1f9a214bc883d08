"""What waits to be asked, first to be encoded and then to be sent: express first, and bulk in its turn."""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gpu_worker.engines.vl.question import Answer, Question
from gpu_worker.slots import EXPRESS_IN_A_ROW
from shared.domain.options import Lane

AHEAD = 64
"""Encoded questions of a lane that wait to be sent: enough for a burst of answers, and some 6 MB."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiting:
    """One question, and the future that its asker holds."""

    question: Question
    future: Future[Answer] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """A question as it is sent."""

    body: bytes
    lane: Lane
    future: Future[Answer]


class Lanes:
    """Safe to use from any thread. Whoever waits here is let go with None once it is closed."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._to_encode, self._to_send = threading.Condition(lock), threading.Condition(lock)
        self._waiting, self._encoded = _Turns[Waiting](), _Turns[Encoded]()
        self._in_hand = dict.fromkeys(Lane, 0)
        self._idle = 0
        self._closed = False

    def put(self, waiting: Waiting) -> bool:
        """Whether there are senders enough for what waits: where not, one more may be needed."""
        with self._to_encode:
            self._waiting.of[waiting.question.lane].append(waiting)
            self._to_encode.notify()
            return self._idle >= len(self._waiting) + len(self._encoded) + sum(self._in_hand.values())

    def next_to_encode(self) -> Waiting | None:
        with self._to_encode:
            self._to_encode.wait_for(lambda: self._closed or self._waiting.has(self._wanted()))
            if self._closed:
                return None
            waiting = self._waiting.take(self._wanted())
            self._in_hand[waiting.question.lane] += 1
            return waiting

    def put_encoded(self, encoded: Encoded | None, lane: Lane) -> None:
        """What came of the one that was taken: None where there is nothing to send."""
        with self._to_send:
            self._in_hand[lane] -= 1
            if encoded is None:
                self._to_encode.notify()
            else:
                self._encoded.of[lane].append(encoded)
                self._to_send.notify()

    def next_to_send(self) -> Encoded | None:
        with self._to_send:
            self._idle += 1
            try:
                self._to_send.wait_for(lambda: self._closed or self._encoded.has(_ALL))
            finally:
                self._idle -= 1
            if self._closed:
                return None
            self._to_encode.notify()
            return self._encoded.take(_ALL)

    def drain(self) -> list[Future[Answer]]:
        """Take all that wait, for who has nobody to ask."""
        with self._to_encode:
            self._to_encode.notify_all()
            return [each.future for each in (*self._waiting.taken(), *self._encoded.taken())]

    def close(self) -> None:
        with self._to_encode:
            self._closed = True
            self._to_encode.notify_all()
            self._to_send.notify_all()

    def _wanted(self) -> list[Lane]:
        """The lanes of which more is to be encoded: a lane that waits to be sent keeps no other from it."""
        return [lane for lane in Lane if len(self._encoded.of[lane]) + self._in_hand[lane] < AHEAD]


_ALL = list(Lane)


class _Turns(Generic[T]):
    """A queue for each lane, and whose turn it is."""

    def __init__(self) -> None:
        self.of: dict[Lane, deque[T]] = {lane: deque() for lane in Lane}
        self._express_in_a_row = 0

    def __len__(self) -> int:
        return sum(map(len, self.of.values()))

    def has(self, lanes: list[Lane]) -> bool:
        return any(self.of[lane] for lane in lanes)

    def take(self, lanes: list[Lane]) -> T:
        express = Lane.EXPRESS in lanes and bool(self.of[Lane.EXPRESS])
        bulk = Lane.BULK in lanes and bool(self.of[Lane.BULK])
        bulk_is_due = bulk and (not express or self._express_in_a_row >= EXPRESS_IN_A_ROW)
        self._express_in_a_row = 0 if bulk_is_due else self._express_in_a_row + 1
        return self.of[Lane.BULK if bulk_is_due else Lane.EXPRESS].popleft()

    def taken(self) -> list[T]:
        left = [each for queue in self.of.values() for each in queue]
        for queue in self.of.values():
            queue.clear()
        return left
