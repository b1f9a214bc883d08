"""Which page may be in hand: so many at once, no more than the engine has room for, express first, a suspect alone."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future

from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane

EXPRESS_IN_A_ROW = 4
"""After so many express pages a waiting bulk page has its turn, so that bulk never starves."""

OPENING = 8
"""Pages of one lane that have a slot and are not the engine's yet. Its room does not shrink by them, so a hundred that
wait would all find the same room; and more are not rendered at once by the cores that there are."""

_KEPT = 8
"""One slot of so many is express's own: bulk pages that take long must not be all that is in hand."""


class Slot:
    """One page's place. Each method is called once, `handed_over` only where it came to that."""

    def __init__(self, slots: "Slots", lane: Lane) -> None:
        self._slots, self.lane = slots, lane
        self.is_opening = True
        self.taken_at = time.monotonic()

    def handed_over(self) -> None:
        """Say that the engine has the page, and counts it."""
        self._slots._handed_over(self)

    def give_back(self) -> None:
        self._slots._give_back(self)


class Slots:
    """`capacity` is the number of page images that are alive at the same time, so times their size it is memory.

    `has_room` is the engine's; it is asked under a lock, so whoever says that there may be room again, by
    `look_again`, must not hold what it waits for. `freed` is called when another page may have become possible.
    """

    def __init__(
        self,
        capacity: int,
        has_room: Callable[[Lane], bool] = lambda _lane: True,
        *,
        freed: Callable[[], None] = lambda: None,
    ) -> None:
        kept = max(1, capacity // _KEPT) if capacity > len(Lane) else 0
        self._most = {Lane.EXPRESS: capacity, Lane.BULK: capacity - kept}
        self._capacity, self._has_room, self._freed = capacity, has_room, freed
        self._lock = threading.Lock()
        self._taken = Counter(dict.fromkeys(Lane, 0))  # never of another size: `in_hand` takes no lock
        self._opening = Counter(dict.fromkeys(Lane, 0))
        self._is_alone = False
        self._suspects: deque[Future[Slot]] = deque()
        self._waiting: dict[Lane, deque[Future[Slot]]] = {lane: deque() for lane in Lane}
        self._express_in_a_row = 0
        self._before_next_suspect = 0
        self._shut = ""
        self.is_closed = False
        self._given: dict[Slot, None] = {}
        """Those in hand, the oldest first."""

    @property
    def in_hand(self) -> int:
        return self._taken.total()

    @property
    def oldest_seconds(self) -> float:
        """For how long the oldest page has been in hand; 0 while there is none."""
        with self._lock:
            oldest = next(iter(self._given), None)
        return time.monotonic() - oldest.taken_at if oldest is not None else 0.0

    def take(self, lane: Lane) -> Slot:
        """Wait for a slot. Raises EngineUnavailable once the slots are shut, and while they are."""
        return self._queued(self._waiting[lane])

    def take_alone(self) -> Slot:
        """Wait until nothing is in flight, and let nothing else in until it is given back. Raises as `take` does.

        Between two suspects a few express pages have their turn: an engine that dies makes suspects of all in hand.
        """
        return self._queued(self._suspects)

    def has_room(self, lane: Lane) -> bool:
        """Whether one more page of this lane would have the next slot; of express, after one suspect at most."""
        with self._lock:
            is_next = not (self._shut or self._waiting[lane])
            has_turn = lane is Lane.EXPRESS or not (self._suspects or self._is_alone)
            return is_next and has_turn and self._is_free(lane) and self._has_room(lane)

    @property
    def owes_bulk(self) -> bool:
        """Whether it is a bulk page's turn and none is there to take it, while express pages leave no room."""
        with self._lock:
            is_due = self._express_in_a_row >= EXPRESS_IN_A_ROW and not (self._shut or self._suspects)
            return is_due and not self._waiting[Lane.BULK] and not self._opening[Lane.BULK]

    def look_again(self) -> None:
        """The engine may have room again."""
        with self._lock:
            self._admit()
        self._freed()

    def shut(self, reason: str) -> None:
        """Let nothing in until `reopen`, and let go who waits."""
        with self._lock:
            self._shut = reason
            for queue in (self._suspects, *self._waiting.values()):
                while queue:
                    queue.popleft().set_exception(EngineUnavailable(reason))

    def reopen(self) -> None:
        """Harmless where nothing was shut, and without effect once it is closed."""
        with self._lock:
            self._shut = "" if not self.is_closed else self._shut
        self._freed()

    def close(self) -> None:
        """Shut for good."""
        self.is_closed = True
        self.shut("the worker is stopping")

    def _queued(self, queue: "deque[Future[Slot]]") -> Slot:
        """Each has a future of its own, so that a slot wakes the one who gets it and nobody else."""
        turn: Future[Slot] = Future()
        with self._lock:
            if self._shut:
                raise EngineUnavailable(self._shut)
            queue.append(turn)
            self._admit()
        return turn.result()

    def _handed_over(self, slot: Slot) -> None:
        with self._lock:
            self._end_opening(slot)
            self._admit()
        self._freed()

    def _give_back(self, slot: Slot) -> None:
        with self._lock:
            self._end_opening(slot)
            self._taken[slot.lane] -= 1
            del self._given[slot]
            if self._is_alone:
                self._is_alone = False
                self._before_next_suspect = EXPRESS_IN_A_ROW
            self._admit()
        self._freed()

    def _end_opening(self, slot: Slot) -> None:
        if slot.is_opening:
            slot.is_opening = False
            self._opening[slot.lane] -= 1

    def _admit(self) -> None:
        """Give out what is free to those whose turn it is."""
        while not self._is_alone:
            lane = self._next_lane()
            if self._suspects and not (lane is Lane.EXPRESS and self._before_next_suspect):
                self._admit_suspect()
                return
            if lane is None:
                return
            self._express_in_a_row = self._express_in_a_row + 1 if lane is Lane.EXPRESS else 0
            self._before_next_suspect = max(0, self._before_next_suspect - 1) if self._suspects else 0
            self._grant(self._waiting[lane], lane)

    def _admit_suspect(self) -> None:
        if not self.in_hand:
            self._is_alone = True
            self._grant(self._suspects, Lane.BULK)

    def _grant(self, queue: "deque[Future[Slot]]", lane: Lane) -> None:
        slot = Slot(self, lane)
        self._given[slot] = None
        self._taken[lane] += 1
        self._opening[lane] += 1
        queue.popleft().set_result(slot)

    def _next_lane(self) -> Lane | None:
        """The lane whose turn it is, of those of which somebody waits and may come in.

        A turn of bulk's among express pages is taken from express's room: the engine may never have any other.
        """
        express, bulk = (bool(self._waiting[lane]) and self._is_free(lane) for lane in (Lane.EXPRESS, Lane.BULK))
        if bulk and express and self._express_in_a_row >= EXPRESS_IN_A_ROW and self._has_room(Lane.EXPRESS):
            return Lane.BULK
        if express and self._has_room(Lane.EXPRESS):
            return Lane.EXPRESS
        return Lane.BULK if bulk and self._has_room(Lane.BULK) else None

    def _is_free(self, lane: Lane) -> bool:
        fits = self.in_hand < self._capacity and self._taken[lane] < self._most[lane]
        return fits and self._opening[lane] < OPENING
