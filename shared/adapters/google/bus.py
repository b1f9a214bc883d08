"""The bus in Pub/Sub: one message a publish, and unary pulls, which take no more than somebody works on."""

import logging
import math
import threading
import time
from collections.abc import Mapping
from datetime import timedelta

from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from shared.adapters.google.calls import SECONDS, Deadline
from shared.adapters.google.errors import NotAccepted, google_errors
from shared.adapters.google.leases import Held, Leases, modify
from shared.adapters.google.names import Names
from shared.adapters.google.pubsub import PubSub
from shared.adapters.google.pulls import Pulls
from shared.adapters.google.traces import trace_of
from shared.domain.errors import Unavailable
from shared.domain.messages import MalformedMessage, Message, Topic, from_bytes, to_bytes
from shared.metrics import Metrics
from shared.ports.bus import Delivery
from shared.tracing import trace_context

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
LONGEST_HOLD = timedelta(hours=1)
_LONGEST_DELAY = timedelta(seconds=600)
"""Pub/Sub's limit for a lease, and so for the pause that can be asked for."""
_ROUND_TRIP_SECONDS = 0.5
_PAUSE_SECONDS = 0.05
"""After an empty answer that came early: the emulator's answers all do."""


class PubSubDelivery:
    def __init__(self, bus: "PubSubBus", held: Held, message: Message, trace: Mapping[str, str]) -> None:
        self._bus, self._held = bus, held
        self.message, self.trace = message, trace

    def ack(self) -> None:
        self._bus._ack(self._held)

    def hand_back(self, *, delay: timedelta | None = None) -> None:
        """Pub/Sub's retry policy adds its own pause, of a second at first."""
        self._bus._hand_back(self._held, delay or timedelta(0))


class PubSubBus:
    """`lease` must be the subscriptions' own; `longest_hold` is how long a message in hand is kept from others.

    A pull that found nothing stays open for the next one with the same limit, so whoever pulls keeps to one limit.
    """

    def __init__(
        self,
        pubsub: PubSub,
        names: Names,
        *,
        metrics: Metrics,
        lease: timedelta = LEASE,
        longest_hold: timedelta = LONGEST_HOLD,
        seconds: float = SECONDS,
    ) -> None:
        self._publisher, self._subscriber, self._names = pubsub.publisher, pubsub.subscriber, names
        self._metrics, self._seconds = metrics, seconds
        self._pulls = Pulls(pubsub.channel)
        self._leases = Leases(pubsub.subscriber, lease=lease, longest=longest_hold, seconds=seconds)
        self._pulls_ended = threading.Event()
        self._closed = False

    def publish(self, topic: Topic, message: Message) -> None:
        sent = PubsubMessage(data=to_bytes(message), attributes=trace_context())
        with google_errors("publish"):
            self._publisher.publish(
                topic=self._names.topic(topic), messages=[sent], **Deadline(self._seconds).options()
            )

    def pull(self, topic: Topic, *, limit: int, wait: float) -> list[Delivery]:
        until = time.monotonic() + wait
        while not self._pulls_ended.is_set():
            left = until - time.monotonic()
            received = self._pulls.received(self._names.subscription(topic), limit, wait=max(left, _ROUND_TRIP_SECONDS))
            deliveries = self._understood(self._names.subscription(topic), received)
            left = until - time.monotonic()
            if deliveries or left <= 0:
                return deliveries
            if not received:
                self._pulls_ended.wait(min(_PAUSE_SECONDS, left))
        return []

    def end_pulls(self) -> None:
        self._pulls_ended.set()
        self._pulls.let_go()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.end_pulls()
        left_over = [Held(subscription=name, ack_id=received.ack_id) for name, received in self._pulls.close()]
        self._give_up([*left_over, *self._leases.close()])

    def _understood(self, subscription: str, received: list[ReceivedMessage]) -> list[Delivery]:
        if self._closed:
            self._give_up([Held(subscription=subscription, ack_id=each.ack_id) for each in received])
            return []
        deliveries: list[Delivery] = []
        for each in received:
            held = Held(subscription=subscription, ack_id=each.ack_id)
            try:
                message = from_bytes(each.message.data)
            except MalformedMessage as error:
                self._set_aside(held, each, str(error))
            else:
                self._leases.hold(held)
                deliveries.append(PubSubDelivery(self, held, message, trace_of(each.message.attributes)))
        return deliveries

    def _set_aside(self, held: Held, received: ReceivedMessage, reason: str) -> None:
        self._metrics.malformed_messages.inc()
        log.error("malformed message", extra={"message_id": received.message.message_id, "reason": reason})
        self._ack(held)

    def _ack(self, held: Held) -> None:
        """Of a lease that was lost it is no error: Pub/Sub takes it while nobody else has the message."""
        self._leases.let_go(held)
        with google_errors("ack"):
            self._subscriber.acknowledge(
                subscription=held.subscription, ack_ids=[held.ack_id], **Deadline(self._seconds).options()
            )

    def _hand_back(self, held: Held, delay: timedelta) -> None:
        self._leases.let_go(held)
        pause = timedelta(seconds=math.ceil(min(delay, _LONGEST_DELAY).total_seconds()))
        modify(self._subscriber, held.subscription, [held.ack_id], pause, seconds=self._seconds)

    def _give_up(self, messages: list[Held]) -> None:
        """Best effort: what cannot be handed back now comes again when its lease is over."""
        for subscription in {held.subscription for held in messages}:
            ids = [held.ack_id for held in messages if held.subscription == subscription]
            try:
                modify(self._subscriber, subscription, ids, timedelta(0), seconds=self._seconds)
            except (Unavailable, NotAccepted):
                log.warning("not handed back", extra={"messages": len(ids)}, exc_info=True)
