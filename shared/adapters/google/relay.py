"""Stands in for Eventarc where the emulators run: a bucket's notifications, as CloudEvents to a function."""

import http.client
import logging
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote, urlsplit

from google.api_core.exceptions import AlreadyExists, DeadlineExceeded
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage, RetryPolicy, Subscription

from shared.adapters.google.calls import SECONDS, Deadline
from shared.adapters.google.errors import google_errors
from shared.adapters.google.pubsub import PubSub, open_pubsub

log = logging.getLogger(__name__)

_TYPES = {"OBJECT_FINALIZE": "google.cloud.storage.object.v1.finalized"}
_AT_ONCE = 10
_PULL_SECONDS = 30.0
_POST_SECONDS = 60.0
_AGAIN, _AGAIN_AT_MOST = Duration(seconds=1), Duration(seconds=60)
_HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What the CloudEvents binding for HTTP (3.1.3.2) leaves as it is; all else is percent-encoded UTF-8."""


def set_up_relay(pubsub: PubSub, *, project: str, name: str) -> None:
    """Make the topic that the storage emulator publishes to, and the relay's subscription; both are called `name`.

    Raises Unavailable.
    """
    topic = f"projects/{project}/topics/{name}"
    again = RetryPolicy(minimum_backoff=_AGAIN, maximum_backoff=_AGAIN_AT_MOST)
    subscription = Subscription(name=_subscription(project, name), topic=topic, retry_policy=again)
    with google_errors("set up relay"):
        with suppress(AlreadyExists):
            pubsub.publisher.create_topic(name=topic, **Deadline(SECONDS).options())
        with suppress(AlreadyExists):
            pubsub.subscriber.create_subscription(subscription, **Deadline(SECONDS).options())


def connected_relay(*, project: str, name: str, url: str) -> "Relay":
    """Return the relay of the subscription `name`. Raises Unavailable where there is nothing to connect to."""
    return Relay(open_pubsub(), project=project, name=name, url=url)


class Relay:
    """Delivers at least once, like what it stands in for: what the function refuses comes again."""

    def __init__(self, pubsub: PubSub, *, project: str, name: str, url: str) -> None:
        """`url` is the function's, on http."""
        self._subscriber = pubsub.subscriber
        self._subscription = _subscription(project, name)
        self._url = url

    def step(self) -> int:
        """Wait half a minute for events, post them, and return how many the function took. Raises Unavailable."""
        with google_errors("pull events"):
            received = self._pulled()
            taken = [each.ack_id for each in received if self._is_taken(each.message)]
            self._answer(taken, [each.ack_id for each in received if each.ack_id not in taken])
        return len(taken)

    def _answer(self, taken: list[str], refused: list[str]) -> None:
        known = {"subscription": self._subscription, **Deadline(SECONDS).options()}
        if taken:
            self._subscriber.acknowledge(ack_ids=taken, **known)
        if refused:
            self._subscriber.modify_ack_deadline(ack_ids=refused, ack_deadline_seconds=0, **known)

    def _pulled(self) -> list[ReceivedMessage]:
        try:
            answer = self._subscriber.pull(
                subscription=self._subscription, max_messages=_AT_ONCE, timeout=_PULL_SECONDS, retry=None
            )
        except DeadlineExceeded:
            return []
        return list(answer.received_messages)

    def _is_taken(self, message: PubsubMessage) -> bool:
        """An event that is nobody's, of an object that was erased for one, is taken as well."""
        headers = cloud_event(message.attributes, message_id=message.message_id)
        return headers is None or _posted(self._url, headers, message.data)


def _subscription(project: str, name: str) -> str:
    return f"projects/{project}/subscriptions/{name}"


def cloud_event(attributes: Mapping[str, str], *, message_id: str) -> dict[str, str] | None:
    """Return the headers of the event in binary mode, as Eventarc sends it; the notification's data is its data.

    None where the notification is of another kind than an object that was finalized.
    """
    kind = _TYPES.get(attributes.get("eventType", ""))
    if kind is None:
        return None
    event = {
        "id": message_id,
        "source": f"//storage.googleapis.com/projects/_/buckets/{attributes['bucketId']}",
        "specversion": "1.0",
        "type": kind,
        "subject": f"objects/{attributes['objectId']}",
        "time": attributes["eventTime"],
        "bucket": attributes["bucketId"],
    }
    headers = {f"ce-{name}": quote(value, safe=_HEADER_SAFE) for name, value in event.items()}
    return headers | {"Content-Type": "application/json"}


def _posted(url: str, headers: Mapping[str, str], data: bytes) -> bool:
    """Whether the function answered that it took the event."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=_POST_SECONDS)
    try:
        connection.request("POST", where.path or "/", data, dict(headers))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        log.warning("function unreachable", extra={"reason": type(error).__name__})
        return False
    finally:
        connection.close()
    return http.client.OK <= status < http.client.MULTIPLE_CHOICES
