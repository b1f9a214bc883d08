"""What the bus in Pub/Sub promises beyond what every bus does."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Self

import grpc
import pytest
from google.pubsub_v1.types import (
    AcknowledgeRequest,
    ModifyAckDeadlineRequest,
    PubsubMessage,
    PullRequest,
    PullResponse,
    ReceivedMessage,
)

from shared.adapters.google.bus import PubSubBus, PubSubDelivery
from shared.adapters.google.names import Names
from shared.adapters.google.provision import Delivering, provision_bus
from shared.adapters.google.pubsub import open_pubsub
from shared.adapters.google.push import pushed
from shared.domain.errors import Unavailable
from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, Topic, to_bytes
from shared.metrics import Metrics
from shared.ports.bus import Bus
from tests.contract.families import GoogleFamily
from tests.servers import Receiver, Reply

SECOND = timedelta(seconds=1)
TOPIC = Topic.DOCUMENTS
MESSAGE = PrepareDocument(job_id=JobId("1"))


@pytest.fixture
def family(google: Mapping[str, str]) -> Iterator[GoogleFamily]:  # noqa: ARG001 - the environment that it reads
    family = GoogleFamily()
    yield family
    family.close()


def pulled(bus: Bus, *, wait: float = 8) -> PubSubDelivery:
    (delivery,) = bus.pull(TOPIC, limit=1, wait=wait)
    assert isinstance(delivery, PubSubDelivery)
    return delivery


def test_what_is_held_for_longer_than_a_lease_is_still_held(family: GoogleFamily) -> None:
    one, other = family.bus(), family.bus()
    one.publish(TOPIC, MESSAGE)
    delivery = pulled(one)

    family.pass_time(1.3 * family.lease)

    assert other.pull(TOPIC, limit=1, wait=0) == []
    delivery.ack()
    assert other.pull(TOPIC, limit=1, wait=2) == []


def test_what_is_handed_back_again_and_again_does_not_spin_and_becomes_a_dead_letter(family: GoogleFamily) -> None:
    provision_bus(family.clients.pubsub, family.names, Delivering(lease=family.lease, most_deliveries=5))
    bus = PubSubBus(family.clients.pubsub, family.names, metrics=Metrics(), lease=family.lease)
    bus.publish(TOPIC, MESSAGE)
    began = time.monotonic()

    for _ in range(5):
        pulled(bus).hand_back()

    assert time.monotonic() - began > 3
    assert bus.pull(TOPIC, limit=1, wait=4) == []
    assert dead_letters(family) == [to_bytes(MESSAGE)]
    bus.close()


def dead_letters(family: GoogleFamily) -> list[bytes]:
    subscriber, subscription = family.clients.pubsub.subscriber, family.names.dead_letter_subscription
    answer = subscriber.pull(subscription=subscription, max_messages=10, timeout=10, retry=None)
    return [received.message.data for received in answer.received_messages]


def test_a_bus_without_its_topics_is_unavailable(family: GoogleFamily) -> None:
    bus = PubSubBus(family.clients.pubsub, Names(family.project, "nowhere"), metrics=Metrics(), seconds=1)

    with pytest.raises(Unavailable):
        bus.publish(TOPIC, MESSAGE)
    with pytest.raises(Unavailable):
        bus.pull(TOPIC, limit=1, wait=1)
    bus.close()


def test_what_is_provisioned_twice_is_there_once_and_as_it_should_be(family: GoogleFamily) -> None:
    pubsub = family.clients.pubsub

    for _ in range(2):
        provision_bus(pubsub, family.names)

    listed = pubsub.subscriber.list_subscriptions(project=f"projects/{family.project}")
    subscriptions = {each.name: each for each in listed}
    assert len(subscriptions) == len(Topic) + 1
    for topic in Topic:
        made = subscriptions[family.names.subscription(topic)]
        assert made.topic == family.names.topic(topic)
        assert made.ack_deadline_seconds == 60
        assert made.dead_letter_policy.dead_letter_topic == family.names.dead_letters
        assert made.dead_letter_policy.max_delivery_attempts == 100
        assert (made.retry_policy.minimum_backoff, made.retry_policy.maximum_backoff) == (SECOND, 60 * SECOND)
        assert "expiration_policy" in made
        assert not made.expiration_policy.ttl


def test_what_is_pushed_comes_until_it_is_taken(family: GoogleFamily) -> None:
    with Receiver(Reply(status=503)) as receiver:
        provision_bus(family.clients.pubsub, family.names, Delivering(push={TOPIC: f"{receiver.url}/documents"}))
        bus = PubSubBus(family.clients.pubsub, family.names, metrics=Metrics())
        bus.publish(TOPIC, MESSAGE)

        first, second = (pushed(request.body) for request in receiver.wait_for(2, seconds=10))
        time.sleep(2)

        assert first.message == second.message == MESSAGE
        assert len(receiver.received) == 2
        bus.close()


def test_who_moves_is_pushed_to_where_it_is_now(family: GoogleFamily) -> None:
    with Receiver() as receiver:
        for url in ("http://127.0.0.1:9/nowhere", f"{receiver.url}/documents"):
            provision_bus(family.clients.pubsub, family.names, Delivering(push={TOPIC: url}))
        bus = PubSubBus(family.clients.pubsub, family.names, metrics=Metrics())
        bus.publish(TOPIC, MESSAGE)

        assert pushed(receiver.wait_for(1, seconds=10)[0].body).message == MESSAGE
        bus.close()


class PubSubServer:
    """Pub/Sub's subscriber, as slow as production's: a pull is answered when there is a message, and not before."""

    def __init__(self) -> None:
        self.messages: queue.Queue[ReceivedMessage] = queue.Queue()
        self.pulls = 0
        self.changed: list[tuple[str, int]] = []
        self.refuses_changes = False
        self._stopping = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(16))
        methods = {
            "Pull": grpc.unary_unary_rpc_method_handler(self._pull, PullRequest.deserialize, PullResponse.serialize),
            "ModifyAckDeadline": grpc.unary_unary_rpc_method_handler(
                self._change, ModifyAckDeadlineRequest.deserialize, lambda _: b""
            ),
            "Acknowledge": grpc.unary_unary_rpc_method_handler(
                lambda *_: None, AcknowledgeRequest.deserialize, lambda _: b""
            ),
        }
        handlers = grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", methods)
        self._server.add_generic_rpc_handlers([handlers])
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.stop(grace=None).wait()

    def deliver(self, ack_id: str, data: bytes | None = None) -> None:
        self.messages.put(ReceivedMessage(ack_id=ack_id, message=PubsubMessage(data=data or to_bytes(MESSAGE))))

    def _pull(self, _: PullRequest, context: Any) -> PullResponse:
        self.pulls += 1
        while context.is_active() and not self._stopping.is_set():
            try:
                return PullResponse(received_messages=[self.messages.get(timeout=0.02)])
            except queue.Empty:
                continue
        return PullResponse()

    def _change(self, request: ModifyAckDeadlineRequest, context: Any) -> None:
        self.changed += [(ack_id, request.ack_deadline_seconds) for ack_id in request.ack_ids]
        if self.refuses_changes:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such id")


@pytest.fixture
def server() -> Iterator[PubSubServer]:
    with PubSubServer() as server:
        yield server


@pytest.fixture
def slow(server: PubSubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubBus]:
    """A bus on that server, with leases so short that they are extended three times a second."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{server.port}")
    pubsub = open_pubsub()
    bus = PubSubBus(pubsub, Names("test", "mill"), metrics=Metrics(), lease=SECOND, longest_hold=2 * SECOND)
    yield bus
    bus.close()
    pubsub.close()


def wait_until(condition: Any) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_pull_that_found_nothing_is_not_broken_off_but_waited_for_by_the_next(
    slow: PubSubBus, server: PubSubServer
) -> None:
    assert slow.pull(TOPIC, limit=1, wait=0.6) == []
    server.deliver("a")
    wait_until(server.messages.empty)

    assert pulled(slow).message == MESSAGE

    assert server.pulls == 1


def test_a_pull_that_waits_ends_at_once_when_its_bus_closes(slow: PubSubBus) -> None:
    threading.Timer(0.3, slow.close).start()
    began = time.monotonic()

    assert slow.pull(TOPIC, limit=1, wait=30) == []

    assert time.monotonic() - began < 2


def test_what_came_while_nobody_asked_is_handed_back_when_the_bus_closes(slow: PubSubBus, server: PubSubServer) -> None:
    slow.pull(TOPIC, limit=1, wait=0)
    server.deliver("a")
    wait_until(server.messages.empty)
    time.sleep(0.1)

    slow.close()

    assert server.changed == [("a", 0)]


def test_what_is_held_is_extended_until_it_was_held_for_the_longest(slow: PubSubBus, server: PubSubServer) -> None:
    server.deliver("a")
    pulled(slow)

    time.sleep(3)

    assert set(server.changed) == {("a", 1)}
    assert 4 <= len(server.changed) <= 6


def test_what_is_acked_is_extended_no_more(slow: PubSubBus, server: PubSubServer) -> None:
    server.deliver("a")
    pulled(slow).ack()

    time.sleep(1)

    assert server.changed == []


def test_one_lease_that_cannot_be_extended_ends_no_other(slow: PubSubBus, server: PubSubServer) -> None:
    server.refuses_changes = True
    server.deliver("a")
    server.deliver("b")
    slow.pull(TOPIC, limit=1, wait=1)
    slow.pull(TOPIC, limit=1, wait=1)

    wait_until(lambda: len(server.changed) >= 6)

    assert {ack_id for ack_id, _ in server.changed} == {"a", "b"}
    slow.close()


def test_a_delay_is_rounded_up_and_no_longer_than_pubsub_has(slow: PubSubBus, server: PubSubServer) -> None:
    for ack_id, delay in [("a", timedelta(milliseconds=1)), ("b", timedelta(hours=1)), ("c", None)]:
        server.deliver(ack_id)
        pulled(slow).hand_back(delay=delay)

    assert server.changed == [("a", 1), ("b", 600), ("c", 0)]
