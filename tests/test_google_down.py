"""Google's services where they are not: each call ends within its deadline, and as our error."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from io import BytesIO

import pytest

from shared.adapters.google.batches import FirestoreBatchStore
from shared.adapters.google.buckets import Buckets
from shared.adapters.google.bus import PubSubBus, PubSubDelivery
from shared.adapters.google.clients import Clients, open_clients
from shared.adapters.google.jobs import FirestoreJobStore
from shared.adapters.google.leases import Held
from shared.adapters.google.names import Names
from shared.adapters.google.objects import GcsObjectStore
from shared.domain.batch import BatchId
from shared.domain.callback import CallbackAttempt
from shared.domain.errors import Unavailable
from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, Topic
from shared.metrics import Metrics
from tests.builders import a_job, a_key, a_page, a_range
from tests.clocks import NOON
from tests.contract.test_batch_store import a_batch
from tests.servers import Server, answering, closed_port

SECONDS = 0.5
JOB, BATCH = JobId("1"), BatchId("1")
NAME = "jobs/1/source"
MESSAGE = PrepareDocument(job_id=JOB)

Calls = dict[str, Callable[[], object]]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Connections are accepted, and that is all."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield int(server.getsockname()[1])


@pytest.fixture(params=["closed", "silent"])
def clients(request: pytest.FixtureRequest, silent_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    address = f"127.0.0.1:{silent_port if request.param == 'silent' else closed_port()}"
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", address)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{address}")
    clients = open_clients(project="test", database="(default)")
    yield clients
    clients.close()


def calls_to_jobs(clients: Clients) -> Calls:
    store = FirestoreJobStore(clients.firestore, seconds=SECONDS)
    return {
        "add": lambda: store.add(a_job(), a_key()),
        "find": lambda: store.find(a_key()),
        "get": lambda: store.get(JOB),
        "update": lambda: store.update(JOB, lambda job: job),
        "search": lambda: store.search("acme", status=None, batch=None, cursor=None, limit=1),
        "count": lambda: store.count("acme", batch="1"),
        "overdue": lambda: store.overdue(now=NOON, limit=1),
        "plan": lambda: store.plan(JOB, [a_page()], [a_range()]),
        "pages": lambda: store.pages(JOB),
        "some pages": lambda: store.pages(JOB, [1]),
        "update_page": lambda: store.update_page(JOB, 1, lambda page: page),
        "progress": lambda: store.progress(a_job(JOB)),
        "ranges": lambda: store.ranges(JOB),
        "update_range": lambda: store.update_range(JOB, "1-0001", lambda range_: range_),
        "log_attempt": lambda: store.log_attempt(JOB, CallbackAttempt(round=1, number=1, at=NOON)),
        "attempts": lambda: store.attempts(JOB),
        "forget": lambda: store.forget(JOB, tombstone=False),
    }


def calls_to_batches(clients: Clients) -> Calls:
    batches = FirestoreBatchStore(clients.firestore, seconds=SECONDS)
    return {
        "add": lambda: batches.add(a_batch()),
        "get": lambda: batches.get(BATCH),
        "update": lambda: batches.update(BATCH, lambda batch: batch),
        "overdue": lambda: batches.overdue(now=NOON, limit=1),
        "forget": lambda: batches.forget(BATCH),
    }


def calls_to_objects(clients: Clients) -> Calls:
    objects = GcsObjectStore(clients.storage, Buckets("bucket", {}), seconds=SECONDS)
    return {
        "create": lambda: objects.create(NAME, b"content"),
        "create from a stream": lambda: objects.create(NAME, BytesIO(b"content")),
        "check": objects.check,
        "exists": lambda: objects.exists(NAME),
        "open": lambda: objects.open(NAME),
        "open with a limit": lambda: objects.open(NAME, most=1),
        "version": lambda: objects.version(NAME),
        "read": lambda: objects.read(NAME),
        "copy": lambda: objects.copy(NAME, "jobs/2/source"),
        "names": lambda: list(objects.names("jobs/")),
        "erase": lambda: objects.erase(NAME),
        "erase all": lambda: objects.erase("jobs/"),
    }


def calls_to_bus(clients: Clients) -> Calls:
    bus = a_bus(clients)
    held = Held(subscription=Names("test", "mill").subscription(Topic.DOCUMENTS), ack_id="1")
    delivery = PubSubDelivery(bus, held, MESSAGE, {})
    return {
        "publish": lambda: bus.publish(Topic.DOCUMENTS, MESSAGE),
        "ack": delivery.ack,
        "hand_back": delivery.hand_back,
    }


def a_bus(clients: Clients) -> PubSubBus:
    return PubSubBus(clients.pubsub, Names("test", "mill"), metrics=Metrics(), seconds=SECONDS)


def how_it_ended(call: Callable[[], object]) -> tuple[str, float]:
    began = time.monotonic()
    try:
        call()
    except Unavailable as error:
        return "unavailable" if error.__cause__ is not None else "unavailable without a cause", time.monotonic() - began
    return "an answer", time.monotonic() - began


@pytest.mark.parametrize("calls_to", [calls_to_jobs, calls_to_batches, calls_to_objects, calls_to_bus])
def test_each_call_ends_within_its_deadline(clients: Clients, calls_to: Callable[[Clients], Calls]) -> None:
    calls = calls_to(clients)

    with ThreadPoolExecutor(len(calls)) as threads:
        ended = dict(zip(calls, threads.map(how_it_ended, calls.values()), strict=True))

    assert {name: how for name, (how, _) in ended.items()} == dict.fromkeys(calls, "unavailable")
    # An upload or a download may stand still for as long, and is begun anew a few times.
    assert {name: seconds for name, (_, seconds) in ended.items() if seconds > 10 * SECONDS} == {}


def test_a_pull_that_waits_ends_in_time_and_with_its_bus(clients: Clients) -> None:
    bus = a_bus(clients)
    began = time.monotonic()

    with suppress(Unavailable):
        assert bus.pull(Topic.DOCUMENTS, limit=1, wait=1) == []  # nobody can tell silence from no messages
    bus.close()

    assert time.monotonic() - began < 3


def test_what_cannot_be_reached_at_the_start_holds_nobody_up_for_long(clients: Clients) -> None:
    began = time.monotonic()

    clients.warm_up("bucket")

    assert time.monotonic() - began < 8


def test_a_call_to_objects_is_one_request_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would ask for the bucket as well, behind the call's back, and go on for minutes where nobody answers."""
    with Server({}, otherwise=answering(404)) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
        clients = open_clients(project="test", database="(default)")
        before = set(threading.enumerate())

        assert not GcsObjectStore(clients.storage, Buckets("bucket", {})).exists(NAME)

        for thread in set(threading.enumerate()) - before:
            thread.join(5)
        clients.close()
        assert [request.method for request in server.received] == ["GET"]
        assert "/o/" in server.received[0].target


def test_a_link_needs_nobody(clients: Clients) -> None:
    objects = GcsObjectStore(clients.storage, Buckets("bucket", {}), seconds=SECONDS)

    assert "/bucket/jobs/1/source?" in objects.link(NAME, timedelta(hours=1))
