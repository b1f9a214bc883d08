"""What every bus promises."""

import threading
import time
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanContext, TraceFlags

from shared.domain.job import JobId
from shared.domain.messages import Message, PrepareDocument, ReadRange, RoundEnded, Topic
from shared.ports.bus import Bus, Delivery
from tests.contract.families import Family
from tests.racing import race

SECOND = timedelta(seconds=1)
TOPIC = Topic.DOCUMENTS
SOON = 8.0
"""What comes, has come by then: a bus may look every so often, and pause before it delivers again."""
SPAN = SpanContext(
    trace_id=0x0123456789ABCDEF0123456789ABCDEF,
    span_id=0x0123456789ABCDEF,
    is_remote=False,
    trace_flags=TraceFlags(TraceFlags.SAMPLED),
)


def a_message(name: object = 1) -> Message:
    return PrepareDocument(job_id=JobId(str(name)))


def pulled(bus: Bus, topic: Topic = TOPIC) -> list[Delivery]:
    """What is there, or comes as soon as it may."""
    return bus.pull(topic, limit=10, wait=SOON)


def is_quiet(bus: Bus, topic: Topic = TOPIC) -> bool:
    """Whether nothing is there now."""
    return not bus.pull(topic, limit=10, wait=0)


def drained(bus: Bus, *, limit: int) -> list[Delivery]:
    """All that is there, taken as it comes."""
    deliveries: list[Delivery] = []
    while some := bus.pull(TOPIC, limit=limit, wait=0.5):
        assert len(some) <= limit
        deliveries += some
    return deliveries


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

    family.pass_time(1.1 * family.lease)
    assert is_quiet(bus)


def test_each_topic_has_messages_of_its_own(bus: Bus) -> None:
    bus.publish(Topic.PAGES_BULK, a_message())

    assert is_quiet(bus, Topic.PAGES_EXPRESS)
    assert len(pulled(bus, Topic.PAGES_BULK)) == 1


@pytest.mark.parametrize("limit", [1, 2, 9])
def test_no_more_are_delivered_than_asked_for(bus: Bus, limit: int) -> None:
    for number in range(5):
        bus.publish(TOPIC, a_message(number))

    deliveries = drained(bus, limit=limit)

    assert sorted(each.message.job_id for each in deliveries) == ["0", "1", "2", "3", "4"]


def test_a_message_that_is_held_is_delivered_to_nobody_else(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message())

    assert len(pulled(one)) == 1

    assert is_quiet(other)
    assert is_quiet(one)


def test_of_many_that_pull_at_once_each_message_goes_to_one(family: Family) -> None:
    buses = [family.bus(), family.bus()]
    for number in range(40):
        buses[0].publish(TOPIC, a_message(number))

    deliveries = race(8, lambda index: drained(buses[index % 2], limit=3))

    ids = sorted(int(each.message.job_id) for some in deliveries for each in some)
    assert ids == list(range(40))


def test_what_is_neither_acked_nor_handed_back_comes_again_when_its_lease_is_over(family: Family) -> None:
    one, other = family.bus(hangs=True), family.bus()
    one.publish(TOPIC, a_message())
    pulled(one)

    family.pass_time(family.lease - 3 * SECOND)
    assert is_quiet(other)
    family.pass_time(3 * SECOND)

    assert the_only(pulled(other)).message == a_message()


def test_an_ack_that_comes_too_late_leaves_the_newer_delivery(family: Family) -> None:
    bus = family.bus(hangs=True)
    bus.publish(TOPIC, a_message())
    lost = the_only(pulled(bus))
    family.pass_time(family.lease)
    newer = the_only(pulled(bus))

    lost.ack()
    lost.hand_back()

    newer.hand_back(delay=timedelta(0))
    assert len(pulled(bus)) == 1


def test_an_ack_after_the_lease_counts_while_nobody_else_has_the_message(family: Family) -> None:
    bus = family.bus(hangs=True)
    bus.publish(TOPIC, a_message())
    slow = the_only(pulled(bus))
    family.pass_time(1.1 * family.lease)

    slow.ack()

    assert is_quiet(bus)


def test_what_is_handed_back_comes_again_after_its_delay(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message())

    the_only(pulled(one)).hand_back(delay=4 * SECOND)

    family.pass_time(2 * SECOND)
    assert is_quiet(other)
    family.pass_time(2 * SECOND)
    assert len(pulled(other)) == 1


def test_what_is_handed_back_without_a_delay_comes_again_soon(bus: Bus) -> None:
    bus.publish(TOPIC, a_message())

    the_only(pulled(bus)).hand_back(delay=timedelta(0))

    assert len(pulled(bus)) == 1


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


def test_malformed_messages_are_set_aside_and_hold_up_no_other(family: Family) -> None:
    bus = family.bus()
    malformed = [b"", b"\xff", b"{}", b"[" * 100_000, b'{"v": 99, "type": "prepare_document"}']
    for data in malformed:
        family.publish_raw(TOPIC, data)
    bus.publish(TOPIC, a_message())

    delivery = the_only(bus.pull(TOPIC, limit=1, wait=SOON))

    assert delivery.message == a_message()
    drained(bus, limit=10)
    assert family.set_aside() == len(malformed)
    delivery.ack()
    family.pass_time(1.1 * family.lease)
    assert is_quiet(bus)
    assert family.set_aside() == len(malformed)


def test_what_is_held_when_a_bus_closes_is_handed_back_at_once(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message(1))
    one.publish(TOPIC, a_message(2))
    first, *_ = drained(one, limit=10)
    first.ack()

    one.close()
    one.close()

    assert len(pulled(other)) == 1


@pytest.mark.parametrize("end", ["end_pulls", "close"])
def test_a_pull_that_waits_ends_when_its_bus_lets_go(bus: Bus, end: str) -> None:
    ender = threading.Timer(0.2, getattr(bus, end))
    ender.start()
    began = time.monotonic()

    assert bus.pull(TOPIC, limit=1, wait=10) == []

    ender.join()
    assert time.monotonic() - began < 1.2


def test_what_is_held_when_pulls_end_is_settled_after_that(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, a_message())
    held = the_only(pulled(one))

    one.end_pulls()
    one.end_pulls()
    held.ack()
    one.close()

    assert is_quiet(other)


def test_a_bus_that_is_closed_delivers_nothing_and_keeps_nothing(family: Family) -> None:
    one, other = family.bus(), family.bus()
    one.close()

    other.publish(TOPIC, a_message())

    assert one.pull(TOPIC, limit=1, wait=1) == []
    assert len(pulled(other)) == 1


def test_a_message_tells_the_trace_of_who_published_it(bus: Bus) -> None:
    context = trace.set_span_in_context(trace.NonRecordingSpan(SPAN))
    token = attach(context)
    bus.publish(TOPIC, a_message())
    detach(token)

    delivery = the_only(pulled(bus))

    assert delivery.trace == {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}


def test_a_message_without_a_trace_has_none(bus: Bus) -> None:
    bus.publish(TOPIC, a_message())

    assert the_only(pulled(bus)).trace == {}
