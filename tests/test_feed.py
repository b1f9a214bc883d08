"""Which ranges are pulled: those that would be worked on, and one bulk range for its turns."""

import pytest

from gpu_worker.feed import FEEDERS, Feed
from gpu_worker.slots import EXPRESS_IN_A_ROW, Slots
from shared.domain.options import Lane


def feed(slots: Slots, why_not: str = "") -> Feed:
    return Feed(slots, lambda: why_not, ranges=96, changed=lambda: None)


def test_so_many_ranges_are_opened_at_once_and_more_when_their_pages_are_begun() -> None:
    opened = feed(Slots(96))
    contexts = [opened.range_in_hand(Lane.EXPRESS) for _ in range(FEEDERS)]
    begun = [context.__enter__() for context in contexts]
    assert not opened.may_pull(Lane.EXPRESS)
    assert opened.may_pull(Lane.BULK)

    begun[0]()

    assert opened.may_pull(Lane.EXPRESS)
    assert opened.ranges_in_hand == FEEDERS


@pytest.mark.parametrize("lane", Lane)
def test_nothing_is_pulled_where_there_is_a_reason_not_to(lane: Lane) -> None:
    assert not feed(Slots(96), "the engine is away").may_pull(lane)


def test_one_bulk_range_is_pulled_for_its_turn_though_express_pages_leave_no_room() -> None:
    slots = Slots(96, lambda lane: lane is Lane.EXPRESS)
    pulled = feed(slots)
    assert not pulled.may_pull(Lane.BULK)

    for _ in range(EXPRESS_IN_A_ROW):
        slots.take(Lane.EXPRESS).handed_over()

    assert pulled.may_pull(Lane.BULK)
    with pulled.range_in_hand(Lane.BULK):
        assert not pulled.may_pull(Lane.BULK)
