"""Slots: so many at once, express first but bulk in its turn, a suspect alone, none without room in the engine."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gpu_worker.slots import EXPRESS_IN_A_ROW, OPENING, Slot, Slots
from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane

A_MOMENT = 0.05
ENOUGH = 5.0


class Waiting:
    """Threads that each wait for a slot, one after the other, and say in which order they got it."""

    def __init__(self, slots: Slots, *held: Slot) -> None:
        self.slots = slots
        self.order: list[str] = []
        self.held = list(held)
        self._threads = ThreadPoolExecutor(32)

    def take(self, lane: Lane) -> Future[Slot]:
        return self._begin(str(lane), lambda: self.slots.take(lane))

    def take_alone(self) -> Future[Slot]:
        return self._begin("alone", self.slots.take_alone)

    def _begin(self, name: str, take: Callable[[], Slot]) -> Future[Slot]:
        def taken() -> Slot:
            slot = take()
            self.held.append(slot)
            self.order.append(name)
            return slot

        future = self._threads.submit(taken)
        time.sleep(A_MOMENT / 5)
        return future

    def let_all_through(self, futures: list[Future[Slot]]) -> None:
        """Give one slot back at a time, until everybody had one."""
        for count in range(1, len(futures) + 1):
            self.held.pop(0).give_back()
            until = time.monotonic() + ENOUGH
            while len(self.order) < count and time.monotonic() < until:
                time.sleep(0.001)
        for future in futures:
            future.result(ENOUGH)
        self._threads.shutdown()


class Room:
    """An engine's room, as a test says."""

    def __init__(self, *lanes: Lane) -> None:
        self.lanes = set(lanes)

    def __call__(self, lane: Lane) -> bool:
        return lane in self.lanes


def is_waiting(future: Future[Slot]) -> bool:
    time.sleep(A_MOMENT)
    return not future.done()


def handed_over(slots: Slots, lane: Lane, count: int) -> list[Slot]:
    """So many pages that are the engine's by now."""
    held = []
    for _ in range(count):
        held.append(slots.take(lane))
        held[-1].handed_over()
    return held


def test_no_more_are_in_flight_than_there_are_slots() -> None:
    slots, in_flight, most = Slots(3), 0, 0
    lock = threading.Lock()

    def use(lane: Lane) -> None:
        nonlocal in_flight, most
        slot = slots.take(lane)
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        time.sleep(0.001)
        with lock:
            in_flight -= 1
        slot.give_back()

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(use, [Lane.EXPRESS, Lane.BULK] * 60, timeout=ENOUGH))

    assert most == 3


def test_express_goes_before_bulk_however_long_bulk_has_waited() -> None:
    slots = Slots(1)
    waiting = Waiting(slots, slots.take(Lane.BULK))
    futures = [waiting.take(lane) for lane in (Lane.BULK, Lane.BULK, Lane.EXPRESS, Lane.EXPRESS)]

    waiting.let_all_through(futures)

    assert waiting.order == ["express", "express", "bulk", "bulk"]


def test_bulk_has_its_turn_after_so_many_express_pages() -> None:
    slots = Slots(1)
    waiting = Waiting(slots, slots.take(Lane.BULK))
    futures = [waiting.take(lane) for lane in (Lane.BULK, *[Lane.EXPRESS] * (EXPRESS_IN_A_ROW + 2))]

    waiting.let_all_through(futures)

    assert waiting.order.index("bulk") == EXPRESS_IN_A_ROW


def test_bulk_has_its_turn_though_the_engine_only_ever_has_room_for_express() -> None:
    slots = Slots(3, Room(Lane.EXPRESS))
    waiting = Waiting(slots, *handed_over(slots, Lane.EXPRESS, 3))
    futures = [waiting.take(lane) for lane in (Lane.BULK, *[Lane.EXPRESS] * (EXPRESS_IN_A_ROW + 1))]

    waiting.let_all_through(futures)

    assert "bulk" in waiting.order[: EXPRESS_IN_A_ROW + 1]


def test_bulk_pages_never_take_all_the_slots() -> None:
    slots = Slots(16)
    waiting = Waiting(slots, *handed_over(slots, Lane.BULK, 14))
    one_more = waiting.take(Lane.BULK)

    express = [waiting.take(Lane.EXPRESS), waiting.take(Lane.EXPRESS)]

    for future in express:
        future.result(ENOUGH)
    assert is_waiting(one_more)
    waiting.held[0].give_back()
    waiting.held[1].give_back()
    waiting.held[2].give_back()
    one_more.result(ENOUGH)


def test_no_slot_stays_empty_while_somebody_waits() -> None:
    slots = Slots(9)
    alone = slots.take_alone()
    waiting = Waiting(slots)
    futures = [*(waiting.take(Lane.BULK) for _ in range(8)), waiting.take(Lane.EXPRESS)]

    alone.give_back()

    for future in futures:
        future.result(ENOUGH)


def test_a_page_waits_until_the_engine_says_that_there_is_room() -> None:
    room = Room()
    slots = Slots(4, room)
    waiting = Waiting(slots)
    bulk, express = waiting.take(Lane.BULK), waiting.take(Lane.EXPRESS)
    assert is_waiting(express)

    room.lanes = {Lane.EXPRESS}
    slots.look_again()

    express.result(ENOUGH)
    assert is_waiting(bulk)
    room.lanes = {Lane.EXPRESS, Lane.BULK}
    slots.look_again()
    bulk.result(ENOUGH)


def test_a_hundred_that_wait_do_not_all_find_the_same_room() -> None:
    """The engine counts a page once it has it, and rendering comes before that."""
    slots = Slots(100)
    with ThreadPoolExecutor(50) as threads:
        futures = [threads.submit(slots.take, Lane.BULK) for _ in range(50)]
        time.sleep(4 * A_MOMENT)
        opening = [future for future in futures if future.done()]

        opening[0].result().handed_over()
        time.sleep(A_MOMENT)

        assert len(opening) == OPENING
        assert len([future for future in futures if future.done()]) == OPENING + 1
        slots.close()


def test_room_for_another_is_told_without_taking_it() -> None:
    room = Room(*Lane)
    slots = Slots(2, room)

    assert slots.has_room(Lane.BULK)
    taken = handed_over(slots, Lane.BULK, 2)
    assert not slots.has_room(Lane.BULK)
    taken[0].give_back()
    assert slots.has_room(Lane.BULK)
    room.lanes = {Lane.EXPRESS}
    assert not slots.has_room(Lane.BULK)
    assert slots.has_room(Lane.EXPRESS)


def test_who_listens_hears_of_each_slot_that_is_free_again() -> None:
    heard: list[int] = []
    slots = Slots(2, freed=lambda: heard.append(1))

    slots.take(Lane.BULK).give_back()

    assert heard == [1]


def test_a_suspect_waits_until_nothing_is_in_flight_and_nobody_overtakes_it() -> None:
    slots = Slots(2)
    waiting = Waiting(slots, slots.take(Lane.EXPRESS))
    alone = waiting.take_alone()
    late = waiting.take(Lane.EXPRESS)
    assert is_waiting(alone)
    assert is_waiting(late)

    waiting.held[0].give_back()

    suspect = alone.result(ENOUGH)
    assert is_waiting(late)
    suspect.give_back()
    late.result(ENOUGH)


def test_two_suspects_are_never_in_flight_together() -> None:
    slots = Slots(4)
    waiting = Waiting(slots)
    first = slots.take_alone()
    second = waiting.take_alone()
    assert is_waiting(second)

    first.give_back()

    second.result(ENOUGH)


def test_express_pages_have_a_turn_between_two_suspects_and_bulk_pages_have_none() -> None:
    slots = Slots(4)
    waiting = Waiting(slots, slots.take_alone())
    second, bulk = waiting.take_alone(), waiting.take(Lane.BULK)
    assert slots.has_room(Lane.EXPRESS)
    assert not slots.has_room(Lane.BULK)
    express = waiting.take(Lane.EXPRESS)

    waiting.held[0].give_back()

    express.result(ENOUGH)
    assert is_waiting(second)
    assert is_waiting(bulk)
    express.result().give_back()
    second.result(ENOUGH).give_back()
    bulk.result(ENOUGH)


def test_express_pages_that_never_end_keep_no_suspect_waiting() -> None:
    slots = Slots(4)
    waiting = Waiting(slots, slots.take_alone())
    second = waiting.take_alone()
    express = [waiting.take(Lane.EXPRESS) for _ in range(EXPRESS_IN_A_ROW + 3)]

    waiting.let_all_through([*express, second])

    assert waiting.order.index("alone") == EXPRESS_IN_A_ROW


@pytest.mark.parametrize("kind", ["express", "bulk", "alone"])
def test_closing_lets_go_who_waits_and_lets_nobody_in(kind: str) -> None:
    slots = Slots(1)
    taken = slots.take(Lane.EXPRESS)
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
    taken.give_back()
    slots.reopen()
    with pytest.raises(EngineUnavailable):
        slots.take(Lane.EXPRESS)
    with pytest.raises(EngineUnavailable):
        slots.take_alone()


def test_what_was_shut_for_a_while_lets_in_again() -> None:
    slots = Slots(1)
    waiting = Waiting(slots, slots.take(Lane.BULK))
    future = waiting.take(Lane.BULK)

    slots.shut("the engine is away")

    with pytest.raises(EngineUnavailable, match="away"):
        future.result(ENOUGH)
    waiting.held[0].give_back()
    slots.reopen()
    slots.take(Lane.BULK).give_back()


def test_for_how_long_the_oldest_has_been_in_hand_is_told_whatever_else_moves() -> None:
    slots = Slots(3)
    assert slots.oldest_seconds == 0
    first = slots.take(Lane.BULK)
    time.sleep(A_MOMENT)
    second = slots.take(Lane.EXPRESS)

    second.give_back()

    assert slots.oldest_seconds >= A_MOMENT
    third = slots.take(Lane.EXPRESS)
    first.give_back()
    assert slots.oldest_seconds < A_MOMENT
    third.give_back()
    assert slots.oldest_seconds == 0
