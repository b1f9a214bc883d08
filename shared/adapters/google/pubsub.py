"""The connection to Pub/Sub, one channel for all: production's, or the emulator's that the environment names."""

from dataclasses import dataclass

import grpc
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from shared.adapters.google.emulated import PUBSUB, emulator
from shared.adapters.google.errors import google_errors

_OPTIONS = (("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 10_000))
"""A connection that died without a word is found out by this, not by whoever waits for a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PubSub:
    channel: grpc.Channel
    publisher: PublisherClient
    subscriber: SubscriberClient

    def close(self) -> None:
        self.channel.close()


def open_pubsub() -> PubSub:
    """Return clients that connect with the first call. Raises Unavailable where there are no credentials."""
    channel = _channel()
    return PubSub(
        channel=channel,
        publisher=PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
        subscriber=SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
    )


def _channel() -> grpc.Channel:
    """As the SDK's larger clients make it; those publish from threads of their own, which nobody here needs."""
    emulated = emulator(PUBSUB)
    if emulated:
        return grpc.insecure_channel(emulated, options=_OPTIONS)
    with google_errors("credentials"):
        return PublisherGrpcTransport.create_channel("pubsub.googleapis.com:443", options=_OPTIONS)
