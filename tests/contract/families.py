"""The families of adapters, as the contract tests see them: the ports, and the few things that no port gives."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from google.pubsub_v1.types import PubsubMessage

from shared.adapters.embedded.batches import SqliteBatchStore
from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.adapters.embedded.jobs import SqliteJobStore
from shared.adapters.embedded.objects import FileObjectStore
from shared.adapters.google.batches import FirestoreBatchStore
from shared.adapters.google.buckets import Buckets
from shared.adapters.google.bus import LONGEST_HOLD, PubSubBus
from shared.adapters.google.clients import open_clients
from shared.adapters.google.jobs import FirestoreJobStore
from shared.adapters.google.names import Names
from shared.adapters.google.objects import GcsObjectStore
from shared.adapters.google.provision import Delivering, provision_buckets, provision_bus
from shared.domain.messages import Topic
from shared.metrics import Metrics
from shared.ports.batches import BatchStore
from shared.ports.bus import Bus
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore, UploadLink
from tests.clocks import ManualClock
from tests.signed_links import credentials, is_signed

NOW = timedelta(0)


class Family(Protocol):
    @property
    def store(self) -> JobStore: ...

    @property
    def batches(self) -> BatchStore: ...

    @property
    def objects(self) -> ObjectStore: ...

    @property
    def lease(self) -> timedelta:
        """How long a message is held by one who says nothing more."""

    def other_store(self) -> JobStore:
        """Return the same jobs as one more process would have them."""

    def bus(self, *, hangs: bool = False) -> Bus:
        """Return a bus as one more process would have it; all share their messages. One that hangs extends no lease."""

    def pass_time(self, by: timedelta) -> None:
        """Let time pass for the messages; where no clock can be moved, by waiting."""

    def publish_raw(self, topic: Topic, data: bytes) -> None:
        """Put on the bus what none of ours would."""

    def set_aside(self) -> int:
        """How many messages nobody could understand."""

    def serves(self, link: str, *, later: timedelta = NOW) -> bool:
        """Whether the link leads to its object, so much later."""

    def takes(self, link: UploadLink, data: bytes, *, later: timedelta = NOW) -> bool:
        """Whether an upload by this link is taken, so much later; then it is an object."""

    def damage_job(self, job_id: str) -> None:
        """Make the stored job one that nobody can read."""

    def damage_batch(self, batch_id: str) -> None: ...

    def close(self) -> None: ...


class EmbeddedFamily:
    lease = timedelta(seconds=60)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.database = Database(folder / "pagemill.sqlite")
        self.store = SqliteJobStore(self.database)
        self.batches = SqliteBatchStore(self.database)
        self.objects = FileObjectStore(folder, clock=self.clock, base_url="http://mill.example", key=b"k" * 32)
        self._buses: list[SqliteBus] = []

    def other_store(self) -> JobStore:
        return SqliteJobStore(self.database)

    def bus(self, *, hangs: bool = False) -> Bus:
        bus = SqliteBus(self.database, Holders(self.folder), clock=self.clock)
        self._buses.append(bus)
        if hangs:
            time.sleep(0.2)  # it extends once at its beginning, and then when a third of a lease has really passed
        return bus

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)

    def publish_raw(self, topic: Topic, data: bytes) -> None:
        with self.database.write() as connection:
            connection.execute("INSERT INTO messages (topic, body, visible_at) VALUES (?, ?, 0)", (topic, data))

    def set_aside(self) -> int:
        return len(self.dead_letters())

    def dead_letters(self) -> list[bytes]:
        with self.database.read() as connection:
            return [body for (body,) in connection.execute("SELECT body FROM dead_letters ORDER BY id")]

    def serves(self, link: str, *, later: timedelta = NOW) -> bool:
        name, query = _parsed(link)
        self.clock.advance(later)
        serves = self.objects.allows(name, expires=int(query["expires"]), signature=query["signature"])
        self.clock.advance(-later)
        return serves

    def takes(self, link: UploadLink, data: bytes, *, later: timedelta = NOW) -> bool:
        name, query = _parsed(link.url)
        limit = int(query["max_bytes"])
        self.clock.advance(later)
        allowed = self.objects.allows_upload(
            name, expires=int(query["expires"]), max_bytes=limit, signature=query["signature"]
        )
        self.clock.advance(-later)
        return allowed and len(data) <= limit and self.objects.create(name, data)

    def damage_job(self, job_id: str) -> None:
        with self.database.write() as connection:
            connection.execute("UPDATE jobs SET body = '{' WHERE id = ?", (job_id,))

    def damage_batch(self, batch_id: str) -> None:
        with self.database.write() as connection:
            connection.execute("UPDATE batches SET body = '{' WHERE id = ?", (batch_id,))

    def close(self) -> None:
        for bus in self._buses:
            bus.close()
        self.database.close()


class GoogleFamily:
    """On the emulators that the environment names, in a project of its own: none of them forgets a name."""

    lease = timedelta(seconds=10)
    """The shortest that Pub/Sub has."""

    def __init__(self) -> None:
        self.project = f"test-{uuid.uuid4().hex[:12]}"
        self.names = Names(self.project, "mill")
        self.clients = open_clients(project=self.project, database="(default)")
        self.store = FirestoreJobStore(self.clients.firestore)
        self.batches = FirestoreBatchStore(self.clients.firestore)
        self.metrics = Metrics()
        self._made: set[str] = set()
        self._buses: list[PubSubBus] = []

    @property
    def objects(self) -> GcsObjectStore:
        buckets = {segment: f"{self.project}-{segment}" for segment in ("inbox", "uploads", "outbox")}
        if self._is_new("buckets"):
            provision_buckets(self.clients.storage, [self.project, *buckets.values()])
        return GcsObjectStore(self.clients.storage, Buckets(self.project, buckets), signing=credentials())

    def other_store(self) -> JobStore:
        return FirestoreJobStore(self.clients.firestore)

    def bus(self, *, hangs: bool = False) -> Bus:
        if self._is_new("bus"):
            provision_bus(self.clients.pubsub, self.names, Delivering(lease=self.lease))
        bus = PubSubBus(
            self.clients.pubsub,
            self.names,
            metrics=self.metrics,
            lease=self.lease,
            longest_hold=NOW if hangs else LONGEST_HOLD,
        )
        self._buses.append(bus)
        return bus

    def pass_time(self, by: timedelta) -> None:
        time.sleep(by.total_seconds())

    def publish_raw(self, topic: Topic, data: bytes) -> None:
        # Pub/Sub takes no message without content.
        message = PubsubMessage(data=data, attributes={} if data else {"nothing": "else"})
        self.clients.pubsub.publisher.publish(topic=self.names.topic(topic), messages=[message])

    def set_aside(self) -> int:
        return int(self.metrics.value("malformed_messages_total"))

    def serves(self, link: str, *, later: timedelta = NOW) -> bool:
        if not is_signed("GET", link, {}, now=datetime.now(UTC) + later):
            return False
        return requests.get(link, timeout=10).status_code == HTTPStatus.OK

    def takes(self, link: UploadLink, data: bytes, *, later: timedelta = NOW) -> bool:
        """The emulator overwrites and counts nothing, so what the headers ask for is done here."""
        name = unquote(urlsplit(link.url).path).removeprefix(f"/{self.project}-uploads/")
        most = int(link.headers["x-goog-content-length-range"].removeprefix("0,"))
        is_new = link.headers["x-goog-if-generation-match"] == "0" and not self.objects.exists(name)
        if not is_signed("PUT", link.url, link.headers, now=datetime.now(UTC) + later):
            return False
        if len(data) > most or not is_new:
            return False
        return requests.put(link.url, data, headers=dict(link.headers), timeout=10).status_code == HTTPStatus.OK

    def damage_job(self, job_id: str) -> None:
        self.clients.firestore.document(f"jobs/{job_id}").update({"body": "{"})

    def damage_batch(self, batch_id: str) -> None:
        self.clients.firestore.document(f"batches/{batch_id}").update({"body": "{"})

    def close(self) -> None:
        for bus in self._buses:
            bus.close()
        self.clients.close()

    def _is_new(self, what: str) -> bool:
        is_new = what not in self._made
        self._made.add(what)
        return is_new


def _parsed(link: str) -> tuple[str, dict[str, str]]:
    """The object that a link of the embedded family names, and its query."""
    parts = urlsplit(link)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return unquote(parts.path).removeprefix("/objects/"), query
