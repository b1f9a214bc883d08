"""Makes on the emulators what Terraform makes in production: topics, subscriptions, buckets. Safe to run again.

The storage emulator knows no notifications as a resource: it takes them as arguments when it starts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from google.api_core.exceptions import AlreadyExists, Conflict
from google.cloud.storage import Client
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy, Subscription

from shared.adapters.google.bus import LEASE
from shared.adapters.google.calls import SECONDS, Deadline
from shared.adapters.google.errors import google_errors
from shared.adapters.google.names import Names
from shared.adapters.google.pubsub import PubSub
from shared.domain.messages import Topic

MOST_DELIVERIES = 100
"""Far above what any healthy message needs: a count of deliveries also counts hand-backs."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=60)
"""Before a message comes again: without a pause, one that is handed back spins."""
PUSH_LEASE = timedelta(seconds=600)
"""Pub/Sub's longest. A lease of a push cannot be extended, and one that ends early has the message pushed once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivering:
    """How messages are delivered; `push` maps a topic to the URL that they are posted to, the others are pulled.

    `lease` is of what is pulled.
    """

    push: Mapping[Topic, str] = field(default_factory=dict)
    lease: timedelta = LEASE
    most_deliveries: int = MOST_DELIVERIES


def provision_bus(pubsub: PubSub, names: Names, delivering: Delivering | None = None) -> None:
    """Make each topic with its subscription, and the topic of dead letters with one that keeps them."""
    _make_topic(pubsub, names.dead_letters)
    kept = Subscription(
        name=names.dead_letter_subscription, topic=names.dead_letters, expiration_policy=ExpirationPolicy()
    )
    _make_subscription(pubsub, kept)
    for topic in Topic:
        _make_topic(pubsub, names.topic(topic))
        _make_subscription(pubsub, subscription(topic, names, delivering or Delivering()))


def provision_buckets(client: Client, buckets: Iterable[str]) -> None:
    for bucket in buckets:
        with google_errors("make bucket"):
            try:
                client.create_bucket(bucket, timeout=SECONDS, retry=None)
            except Conflict:
                continue  # made before


def subscription(topic: Topic, names: Names, delivering: Delivering) -> Subscription:
    """Of itself Pub/Sub would let a subscription die after 31 idle days."""
    url = delivering.push.get(topic)
    return Subscription(
        name=names.subscription(topic),
        topic=names.topic(topic),
        push_config=PushConfig(push_endpoint=url) if url else None,
        ack_deadline_seconds=int((PUSH_LEASE if url else delivering.lease).total_seconds()),
        retry_policy=RetryPolicy(minimum_backoff=_duration(FIRST_PAUSE), maximum_backoff=_duration(LONGEST_PAUSE)),
        dead_letter_policy=DeadLetterPolicy(
            dead_letter_topic=names.dead_letters, max_delivery_attempts=delivering.most_deliveries
        ),
        expiration_policy=ExpirationPolicy(),
    )


def _make_topic(pubsub: PubSub, name: str) -> None:
    with google_errors("make topic"):
        try:
            pubsub.publisher.create_topic(name=name, **Deadline(SECONDS).options())
        except AlreadyExists:
            return


def _make_subscription(pubsub: PubSub, wanted: Subscription) -> None:
    """One that exists is told the URL anew: the function may have moved to another port."""
    with google_errors("make subscription"):
        try:
            pubsub.subscriber.create_subscription(request=wanted, **Deadline(SECONDS).options())
        except AlreadyExists:
            pubsub.subscriber.modify_push_config(
                subscription=wanted.name, push_config=wanted.push_config, **Deadline(SECONDS).options()
            )


def _duration(length: timedelta) -> Duration:
    return Duration(seconds=int(length.total_seconds()))
