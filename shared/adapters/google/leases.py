"""The leases of messages in hand, kept alive until somebody lets go of them."""

import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from google.pubsub_v1.services.subscriber import SubscriberClient

from shared.adapters.google.calls import Deadline
from shared.adapters.google.errors import NotAccepted, google_errors
from shared.domain.errors import Unavailable

log = logging.getLogger(__name__)

_MOST_IDS = 1000
"""Of one request, which may have 512 KiB; an id has about 200 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One delivery of one message."""

    subscription: str
    ack_id: str


class Leases:
    """Extends what is held every third of a lease, for `longest` at most: a thread that hangs must not hold for ever.

    A lease that could not be extended has room for two more tries; one that is lost costs a second delivery.
    """

    def __init__(self, subscriber: SubscriberClient, *, lease: timedelta, longest: timedelta, seconds: float) -> None:
        self._subscriber, self._seconds = subscriber, seconds
        self._lease, self._longest = lease, longest.total_seconds()
        self._lock = threading.Lock()
        self._until: dict[Held, float] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, held: Held) -> None:
        with self._lock:
            self._until[held] = time.monotonic() + self._longest
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def let_go(self, held: Held) -> None:
        with self._lock:
            self._until.pop(held, None)

    def close(self) -> list[Held]:
        """Stop, and return what is held."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            held, self._until = list(self._until), {}
        return held

    def _run(self) -> None:
        while not self._closed.wait(self._lease.total_seconds() / 3):
            for subscription, ids in self._due().items():
                for start in range(0, len(ids), _MOST_IDS):
                    self._extend(subscription, ids[start : start + _MOST_IDS])

    def _due(self) -> dict[str, list[str]]:
        now, due = time.monotonic(), defaultdict[str, list[str]](list)
        with self._lock:
            self._until = {held: until for held, until in self._until.items() if until > now}
            for held in self._until:
                due[held.subscription].append(held.ack_id)
        return due

    def _extend(self, subscription: str, ids: list[str]) -> None:
        try:
            modify(self._subscriber, subscription, ids, self._lease, seconds=self._seconds)
        except (Unavailable, NotAccepted):
            log.warning("leases not extended", extra={"messages": len(ids)}, exc_info=True)


def modify(
    subscriber: SubscriberClient, subscription: str, ids: list[str], lease: timedelta, *, seconds: float
) -> None:
    """Set how long from now the messages are held; zero hands them back. Raises Unavailable."""
    whole = int(lease.total_seconds())
    with google_errors("lease"):
        subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=ids, ack_deadline_seconds=whole, **Deadline(seconds).options()
        )
