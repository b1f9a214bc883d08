"""Whether one more page would be worked on: by requests, not by pages, and woken when that changes."""

from gpu_worker.engines.vl.room import Room
from shared.domain.options import Lane


def test_there_is_room_until_the_requests_and_a_reserve_are_in_hand() -> None:
    room = Room(16)
    for _ in range(2):
        room.page_came()
        room.laid_out(11)
    assert room.has(Lane.BULK)

    room.page_came()
    room.laid_out(2)

    assert not room.has(Lane.BULK)


def test_express_goes_further_than_bulk_and_has_an_end_too() -> None:
    room = Room(16)
    room.page_came()
    room.laid_out(24)
    assert (room.has(Lane.BULK), room.has(Lane.EXPRESS)) == (False, True)

    room.page_came()
    room.laid_out(8)

    assert not room.has(Lane.EXPRESS)


def test_a_page_that_layout_has_not_seen_counts_as_those_before_it_did() -> None:
    light, heavy = Room(64), Room(64)
    for room, requests in ((light, 1), (heavy, 40)):
        for _ in range(40):
            room.page_came()
            room.laid_out(requests)
            for _ in range(requests):
                room.answered()

    def taken(room: Room) -> int:
        pages = 0
        while room.has(Lane.BULK):
            room.page_came()
            pages += 1
        return pages

    assert taken(light) > 80
    assert taken(heavy) == 3


def test_pages_without_blocks_fill_it_all_the_same() -> None:
    room = Room(16)
    for _ in range(200):
        room.page_came()
        room.laid_out(0)
    for _ in range(24):
        room.page_came()

    assert not room.has(Lane.BULK)


def test_who_was_turned_away_is_woken_once_there_is_room_and_not_before() -> None:
    room, woken = Room(16), []
    room.on_room(lambda: woken.append(room.has(Lane.BULK)))
    room.page_came()
    room.laid_out(26)
    room.answered()
    assert not room.has(Lane.BULK)

    for _ in range(5):
        room.answered()

    assert woken == [True]


def test_nobody_is_woken_who_was_not_turned_away() -> None:
    room, woken = Room(16), []
    room.on_room(lambda: woken.append(1))
    room.page_came()
    room.laid_out(2)
    room.answered()

    assert woken == []


def test_a_page_that_never_was_laid_out_leaves_its_room() -> None:
    room = Room(4)
    room.page_came()
    assert not room.has(Lane.BULK)
    woken = []
    room.on_room(lambda: woken.append(1))

    room.page_left()

    assert woken == [1]
    assert room.has(Lane.BULK)
