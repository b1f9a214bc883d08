"""Slots: so many at once, express first but bulk in its turn, a suspect with nothing beside it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gpu_worker.slots import EXPRESS_IN_A_ROW, Slots
from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane

A_MOMENT = 0.05
ENOUGH = 5.0


class Waiting:
    """Threads that each wait for a slot, one after the other, and say in which order they got it."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.order: list[str] = []
        self._threads = ThreadPoolExecutor(32)

    def take(self, lane: Lane) -> Future[None]:
        return self._begin(str(lane), lambda: self.slots.take(lane))

    def take_alone(self) -> Future[None]:
        return self._begin("alone", self.slots.take_alone)

    def _begin(self, name: str, take: Callable[[], None]) -> Future[None]:
        def taken() -> None:
            take()
            self.order.append(name)

        future = self._threads.submit(taken)
        time.sleep(A_MOMENT / 5)
        return future

    def let_all_through(self, futures: list[Future[None]]) -> None:
        """Give one slot back at a time, until everybody had one."""
        for count in range(1, len(futures) + 1):
            self.slots.give_back()
            until = time.monotonic() + ENOUGH
            while len(self.order) < count and time.monotonic() < until:
                time.sleep(0.001)
        for future in futures:
            future.result(ENOUGH)
        self._threads.shutdown()


def is_waiting(future: Future[None]) -> bool:
    time.sleep(A_MOMENT)
    return not future.done()


def test_no_more_are_in_flight_than_there_are_slots() -> None:
    slots, in_flight, most = Slots(3), 0, 0
    lock = threading.Lock()

    def use(lane: Lane) -> None:
        nonlocal in_flight, most
        slots.take(lane)
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        time.sleep(0.001)
        with lock:
            in_flight -= 1
        slots.give_back()

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(use, [Lane.EXPRESS, Lane.BULK] * 60, timeout=ENOUGH))

    assert most == 3


def test_express_goes_before_bulk_however_long_bulk_has_waited() -> None:
    slots = Slots(1)
    slots.take(Lane.BULK)
    waiting = Waiting(slots)
    futures = [waiting.take(lane) for lane in (Lane.BULK, Lane.BULK, Lane.EXPRESS, Lane.EXPRESS)]

    waiting.let_all_through(futures)

    assert waiting.order == ["express", "express", "bulk", "bulk"]


def test_bulk_has_its_turn_after_so_many_express_pages() -> None:
    slots = Slots(1)
    slots.take(Lane.BULK)
    waiting = Waiting(slots)
    futures = [waiting.take(lane) for lane in (Lane.BULK, *[Lane.EXPRESS] * (EXPRESS_IN_A_ROW + 2))]

    waiting.let_all_through(futures)

    assert waiting.order.index("bulk") == EXPRESS_IN_A_ROW


def test_no_slot_stays_empty_while_somebody_waits() -> None:
    slots = Slots(9)
    slots.take_alone()
    waiting = Waiting(slots)
    futures = [*(waiting.take(Lane.BULK) for _ in range(8)), waiting.take(Lane.EXPRESS)]

    slots.give_back()

    for future in futures:
        future.result(ENOUGH)


def test_a_suspect_waits_until_nothing_is_in_flight_and_nobody_overtakes_it() -> None:
    slots = Slots(2)
    slots.take(Lane.EXPRESS)
    waiting = Waiting(slots)
    alone = waiting.take_alone()
    late = waiting.take(Lane.EXPRESS)
    assert is_waiting(alone)
    assert is_waiting(late)

    slots.give_back()

    alone.result(ENOUGH)
    assert is_waiting(late)
    slots.give_back()
    late.result(ENOUGH)


def test_two_suspects_are_never_in_flight_together() -> None:
    slots = Slots(4)
    waiting = Waiting(slots)
    slots.take_alone()
    second = waiting.take_alone()
    assert is_waiting(second)

    slots.give_back()

    second.result(ENOUGH)


@pytest.mark.parametrize("kind", ["express", "bulk", "alone"])
def test_closing_lets_go_who_waits_and_lets_nobody_in(kind: str) -> None:
    slots = Slots(1)
    slots.take(Lane.EXPRESS)
    waiting = Waiting(slots)
    takes = {
        "express": lambda: waiting.take(Lane.EXPRESS),
        "bulk": lambda: waiting.take(Lane.BULK),
        "alone": waiting.take_alone,
    }
    future = takes[kind]()

    slots.close()

    with pytest.raises(EngineUnavailable):
        future.result(ENOUGH)
    slots.give_back()
    with pytest.raises(EngineUnavailable):
        slots.take(Lane.EXPRESS)
    with pytest.raises(EngineUnavailable):
        slots.take_alone()
