"""What every bus promises."""

import threading
import time
from datetime import timedelta

import pytest

from shared.domain.job import JobId
from shared.domain.messages import Message, PrepareDocument, ReadRange, RoundEnded, Topic
from shared.ports.bus import Bus, Delivery
from tests.contract.families import Family
from tests.racing import race

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=60)
TOPIC = Topic.DOCUMENTS


def a_message(name: object = 1) -> Message:
    return PrepareDocument(job_id=JobId(str(name)))


def pulled(bus: Bus, topic: Topic = TOPIC, *, limit: int = 10) -> list[Delivery]:
    return bus.pull(topic, limit=limit, wait=0)


def the_only(deliveries: list[Delivery]) -> Delivery:
    (delivery,) = deliveries
    return delivery


@pytest.mark.parametrize(
    "message",
    [a_message(), ReadRange(job_id=JobId("1"), range_id="1-0001"), RoundEnded(job_id=JobId("1"), round=2)],
    ids=lambda message: type(message).__name__,
)
def test_what_is_published_is_delivered(bus: Bus, message: Message) -> None:
    bus.publish(TOPIC, message)

    assert the_only(pulled(bus)).message == message


def test_what_is_acked_does_not_come_again(bus: Bus, family: Family) -> None:
    bus.publish(TOPIC, a_message())

    the_only(pulled(bus)).ack()

    family.pass_time(10 * LEASE)
    assert pulled(bus) == []


def test_each_topic_has_messages_of_its_own(bus: Bus) -> None:
    bus.publish(Topic.PAGES_BULK, a_message())

    assert pulled(bus, Topic.PAGES_EXPRESS) == []
    assert len(pulled(bus, Topic.PAGES_BULK)) == 1


def test_no_more_are_delivered_than_asked_for(bus: Bus) -> None:
    for number in range(5):
        bus.publish(TOPIC, a_message(number))

    counts = [len(pulled(bus, limit=2)) for _ in range(4)]

    assert counts == [2, 2, 1, 0]


def test_a_message_that_is_held_is_delivered_to_nobody_else(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message())

    assert len(pulled(one)) == 1

    assert pulled(other) == []
    assert pulled(one) == []


def test_of_many_that_pull_at_once_each_message_goes_to_one(family: Family) -> None:
    buses = [family.bus(), family.bus()]
    for number in range(40):
        buses[0].publish(TOPIC, a_message(number))

    deliveries = race(8, lambda index: [each for _ in range(10) for each in pulled(buses[index % 2], limit=3)])

    ids = sorted(int(each.message.job_id) for some in deliveries for each in some)
    assert ids == list(range(40))


def test_what_is_neither_acked_nor_handed_back_comes_again_when_its_lease_is_over(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message())
    pulled(one)

    family.pass_time(LEASE - SECOND)
    assert pulled(other) == []
    family.pass_time(SECOND)

    assert the_only(pulled(other)).message == a_message()


def test_an_ack_that_comes_too_late_leaves_the_newer_delivery(family: Family) -> None:
    bus = family.bus()
    bus.publish(TOPIC, a_message())
    lost = the_only(pulled(bus))
    family.pass_time(LEASE)
    newer = the_only(pulled(bus))

    lost.ack()
    lost.hand_back()

    newer.hand_back(delay=timedelta(0))
    assert len(pulled(bus)) == 1


def test_an_ack_after_the_lease_counts_while_nobody_else_has_the_message(family: Family) -> None:
    bus = family.bus()
    bus.publish(TOPIC, a_message())
    slow = the_only(pulled(bus))
    family.pass_time(2 * LEASE)

    slow.ack()

    assert pulled(bus) == []


def test_what_is_handed_back_comes_again_after_its_delay(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message())

    the_only(pulled(one)).hand_back(delay=10 * SECOND)

    family.pass_time(9 * SECOND)
    assert pulled(other) == []
    family.pass_time(SECOND)
    assert len(pulled(other)) == 1


def test_what_is_handed_back_without_a_delay_comes_again_at_once(bus: Bus) -> None:
    bus.publish(TOPIC, a_message())

    the_only(pulled(bus)).hand_back(delay=timedelta(0))

    assert len(pulled(bus)) == 1


def test_the_pause_of_a_bus_doubles_each_time_and_has_an_end(family: Family) -> None:
    bus, pauses = family.bus(), []
    bus.publish(TOPIC, a_message())

    for _ in range(12):
        the_only(pulled(bus)).hand_back()
        waited = timedelta(0)
        while not pulled_and_returned(bus):
            family.pass_time(SECOND)
            waited += SECOND
        pauses.append(waited // SECOND)

    assert pauses[:3] == [1, 4, 16]  # looking whether it is there is a delivery too
    assert max(pauses) == 600


def pulled_and_returned(bus: Bus) -> bool:
    deliveries = pulled(bus)
    for delivery in deliveries:
        delivery.hand_back(delay=timedelta(0))
    return bool(deliveries)


def test_a_pull_waits_for_a_message_and_no_longer(bus: Bus) -> None:
    publisher = threading.Timer(0.2, lambda: bus.publish(TOPIC, a_message()))
    publisher.start()
    began = time.monotonic()

    deliveries = bus.pull(TOPIC, limit=1, wait=10)

    publisher.join()
    assert len(deliveries) == 1
    assert time.monotonic() - began < 1.2


def test_a_pull_that_finds_nothing_ends_after_its_wait(bus: Bus) -> None:
    began = time.monotonic()

    assert bus.pull(TOPIC, limit=1, wait=0.2) == []

    assert 0.2 <= time.monotonic() - began < 1.2


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"[" * 100_000, b'{"v": 99, "type": "prepare_document"}'])
def test_a_malformed_message_is_set_aside_and_holds_up_no_other(family: Family, data: bytes) -> None:
    bus = family.bus()
    family.publish_raw(TOPIC, data)
    bus.publish(TOPIC, a_message())

    assert [each.message for each in bus.pull(TOPIC, limit=1, wait=5)] == [a_message()]

    assert family.dead_letters() == [data]
    family.pass_time(10 * LEASE)
    assert [each.message for each in pulled(bus)] == [a_message()]


def test_a_message_that_was_delivered_a_hundred_times_is_set_aside(family: Family) -> None:
    bus = family.bus()
    bus.publish(TOPIC, a_message())

    for _ in range(100):
        the_only(pulled(bus)).hand_back(delay=timedelta(0))

    assert pulled(bus) == []
    assert len(family.dead_letters()) == 1


def test_what_is_held_when_a_bus_closes_is_handed_back_at_once(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message(1))
    one.publish(TOPIC, a_message(2))
    first, _ = pulled(one)
    first.ack()

    one.close()
    one.close()

    assert len(pulled(other)) == 1


def test_a_pull_that_waits_ends_when_its_bus_closes(bus: Bus) -> None:
    closer = threading.Timer(0.2, bus.close)
    closer.start()
    began = time.monotonic()

    assert bus.pull(TOPIC, limit=1, wait=10) == []

    closer.join()
    assert time.monotonic() - began < 1.2
