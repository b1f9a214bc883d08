"""What the embedded bus promises beyond what every bus does."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, Topic
from shared.ports.bus import Bus, Delivery
from tests.contract.families import EmbeddedFamily

SECOND = timedelta(seconds=1)
TOPIC = Topic.DOCUMENTS
MESSAGE = PrepareDocument(job_id=JobId("1"))


@pytest.fixture
def family(tmp_path: Path) -> Iterator[EmbeddedFamily]:
    family = EmbeddedFamily(tmp_path)
    yield family
    family.close()


@pytest.fixture
def bus(family: EmbeddedFamily) -> Bus:
    return family.bus()


def pulled(bus: Bus) -> list[Delivery]:
    return bus.pull(TOPIC, limit=10, wait=0)


def is_there(bus: Bus) -> bool:
    """Looking is a delivery too."""
    deliveries = pulled(bus)
    for delivery in deliveries:
        delivery.hand_back(delay=timedelta(0))
    return bool(deliveries)


def test_its_pause_doubles_each_time_and_has_an_end(bus: Bus, family: EmbeddedFamily) -> None:
    pauses = []
    bus.publish(TOPIC, MESSAGE)

    for _ in range(12):
        (delivery,) = pulled(bus)
        delivery.hand_back()
        waited = timedelta(0)
        while not is_there(bus):
            family.pass_time(SECOND)
            waited += SECOND
        pauses.append(waited // SECOND)

    assert pauses[:3] == [1, 4, 16]
    assert max(pauses) == 600


def test_what_is_handed_back_without_a_delay_is_there_at_once(bus: Bus) -> None:
    bus.publish(TOPIC, MESSAGE)

    pulled(bus)[0].hand_back(delay=timedelta(0))

    assert len(pulled(bus)) == 1


def test_what_is_handed_back_is_there_when_its_delay_is_over_and_no_sooner(bus: Bus, family: EmbeddedFamily) -> None:
    bus.publish(TOPIC, MESSAGE)

    pulled(bus)[0].hand_back(delay=10 * SECOND)

    family.pass_time(9 * SECOND)
    assert pulled(bus) == []
    family.pass_time(SECOND)
    assert len(pulled(bus)) == 1


def test_as_many_are_delivered_as_there_are(bus: Bus) -> None:
    for _ in range(5):
        bus.publish(TOPIC, MESSAGE)

    counts = [len(bus.pull(TOPIC, limit=2, wait=0)) for _ in range(4)]

    assert counts == [2, 2, 1, 0]


def test_a_message_that_was_delivered_a_hundred_times_is_set_aside(bus: Bus, family: EmbeddedFamily) -> None:
    bus.publish(TOPIC, MESSAGE)

    for _ in range(100):
        (delivery,) = pulled(bus)
        delivery.hand_back(delay=timedelta(0))

    assert pulled(bus) == []
    assert len(family.dead_letters()) == 1


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"[" * 100_000, b'{"v": 99, "type": "prepare_document"}'])
def test_what_is_set_aside_is_kept_as_it_was(bus: Bus, family: EmbeddedFamily, data: bytes) -> None:
    family.publish_raw(TOPIC, data)

    assert pulled(bus) == []

    assert family.dead_letters() == [data]
