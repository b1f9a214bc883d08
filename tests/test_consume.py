"""The loops: whatever goes wrong, they live on, and what they could not do comes again."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.clock import SystemClock
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.consume import Consumer, HandBack, Periodic
from shared.domain.errors import UnknownJob
from shared.domain.job import JobId
from shared.domain.messages import Message, PrepareDocument, Topic
from shared.metrics import Metrics

ENOUGH = 10.0
TOPIC = Topic.DOCUMENTS


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "pagemill.sqlite")
    yield database
    database.close()


@pytest.fixture
def bus(database: Database, tmp_path: Path) -> Iterator[SqliteBus]:
    bus = SqliteBus(database, Holders(tmp_path), clock=SystemClock())
    yield bus
    bus.close()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


class Handler:
    """Does `script` with each message, and remembers them all."""

    def __init__(self, script: Callable[[Message], None] = lambda _message: None) -> None:
        self._script = script
        self._changed = threading.Condition()
        self.times: list[float] = []
        self.handled: list[str] = []

    def __call__(self, message: Message) -> None:
        with self._changed:
            self.handled.append(message.job_id)
            self.times.append(time.monotonic())
            self._changed.notify_all()
        self._script(message)

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.handled) >= count, ENOUGH)


def publish(bus: SqliteBus, *names: str) -> None:
    for name in names:
        bus.publish(TOPIC, PrepareDocument(job_id=JobId(name)))


def once(error: Exception) -> Callable[[Message], None]:
    """A script that raises at the first message and at no other."""
    left = [error]

    def script(_message: Message) -> None:
        if left:
            raise left.pop()

    return script


def until(event: threading.Event) -> Callable[[Message], None]:
    """A script that ends when the test says so."""

    def script(_message: Message) -> None:
        event.wait(ENOUGH)

    return script


@pytest.fixture
def run(bus: SqliteBus, metrics: Metrics) -> Iterator[Callable[..., Consumer]]:
    consumers: list[Consumer] = []

    def start(handler: Callable[[Message], None], *, threads: int = 1) -> Consumer:
        consumer = Consumer(bus, TOPIC, handler, threads=threads, metrics=metrics)
        consumers.append(consumer)
        consumer.start()
        return consumer

    yield start
    for consumer in consumers:
        consumer.stop()
        assert consumer.join(ENOUGH)


def waiting(bus: SqliteBus) -> int:
    return len(bus.pull(TOPIC, limit=100, wait=0))


Run = Callable[..., Consumer]


def test_what_was_handled_does_not_come_again(bus: SqliteBus, run: Run) -> None:
    handler = Handler()
    publish(bus, "a", "b", "c")

    consumer = run(handler)
    handler.wait_for(3)
    consumer.stop()

    assert consumer.join(ENOUGH)
    assert handler.handled == ["a", "b", "c"]
    assert waiting(bus) == 0


@pytest.mark.parametrize(
    ("error", "crashes"),
    [(KeyError("bug"), 1), (UnknownJob("1"), 0)],
    ids=repr,
)
def test_whatever_a_handler_raises_the_loop_lives_and_the_message_comes_again(
    bus: SqliteBus, run: Run, metrics: Metrics, error: Exception, crashes: int
) -> None:
    handler = Handler(once(error))
    publish(bus, "a")

    run(handler)
    handler.wait_for(2)

    assert handler.handled == ["a", "a"]
    assert metrics.value("crashes_total") == crashes


@pytest.mark.parametrize(("delay", "least"), [(timedelta(0), 0.0), (timedelta(seconds=0.3), 0.3), (None, 1.0)])
def test_a_handler_says_when_its_message_comes_again(
    bus: SqliteBus, run: Run, metrics: Metrics, delay: timedelta | None, least: float
) -> None:
    handler = Handler(once(HandBack("not now", delay=delay)))
    publish(bus, "a")

    run(handler)
    handler.wait_for(2)

    assert least <= handler.times[1] - handler.times[0] < least + 0.8
    assert metrics.value("crashes_total") == 0


def test_one_message_that_always_fails_holds_up_no_other(bus: SqliteBus, run: Run) -> None:
    def fail_at_a(message: Message) -> None:
        if message.job_id == "a":
            raise ValueError("always")

    handler = Handler(fail_at_a)
    publish(bus, "a", "b", "c")

    run(handler)
    handler.wait_for(3)

    assert handler.handled[:3] == ["a", "b", "c"]


def test_a_loop_that_cannot_ack_lives_on(bus: SqliteBus, run: Run, database: Database) -> None:
    """The store is broken while the first message is handled, so it can be neither acked nor handed back."""

    def break_store(message: Message) -> None:
        if message.job_id == "a":
            with database.write() as connection:
                connection.execute("ALTER TABLE messages RENAME TO away")

    handler = Handler(break_store)
    publish(bus, "a", "b")

    run(handler)
    handler.wait_for(1)
    time.sleep(0.2)
    with database.write() as connection:
        connection.execute("ALTER TABLE away RENAME TO messages")
    handler.wait_for(2)

    assert handler.handled == ["a", "b"]


def test_as_many_are_handled_at_once_as_there_are_threads(bus: SqliteBus, run: Run) -> None:
    together = threading.Barrier(3)

    def meet(_message: Message) -> None:
        together.wait(ENOUGH)

    handler = Handler(meet)
    publish(bus, "a", "b", "c")

    run(handler, threads=3)

    handler.wait_for(3)
    time.sleep(0.1)
    assert not together.broken
    assert len(handler.handled) == 3


def test_what_is_in_hand_goes_on_and_nothing_more_is_taken(bus: SqliteBus, run: Run) -> None:
    go_on = threading.Event()
    handler = Handler(until(go_on))
    publish(bus, "a", "b")
    consumer = run(handler)
    handler.wait_for(1)

    consumer.stop()
    in_time = consumer.join(0.1)
    go_on.set()

    assert not in_time
    assert consumer.join(ENOUGH)
    assert handler.handled == ["a"]
    assert waiting(bus) == 1


def test_joining_many_threads_takes_no_longer_than_was_said(bus: SqliteBus, run: Run) -> None:
    go_on = threading.Event()
    handler = Handler(until(go_on))
    publish(bus, *"abcdefgh")
    consumer = run(handler, threads=8)
    handler.wait_for(8)
    consumer.stop()
    began = time.monotonic()

    in_time = consumer.join(0.2)

    assert not in_time
    assert time.monotonic() - began < 0.6
    go_on.set()


def test_a_consumer_that_never_started_has_ended(bus: SqliteBus, metrics: Metrics) -> None:
    consumer = Consumer(bus, TOPIC, Handler(), threads=2, metrics=metrics)

    consumer.stop()

    assert consumer.join(ENOUGH)


def test_what_is_done_every_so_often_is_done_again_though_it_failed(metrics: Metrics) -> None:
    calls = threading.Semaphore(0)

    def act() -> None:
        calls.release()
        raise ValueError("bug")

    periodic = Periodic("sweep", act, seconds=0.01, metrics=metrics)
    periodic.start()
    done = [calls.acquire(timeout=ENOUGH) for _ in range(3)]
    periodic.stop()
    periodic.join(ENOUGH)

    assert all(done)
    assert metrics.value("crashes_total") >= 2


def test_a_periodic_that_never_started_has_ended(metrics: Metrics) -> None:
    called = threading.Event()
    periodic = Periodic("sweep", called.set, seconds=1, metrics=metrics)

    periodic.stop()
    periodic.join(ENOUGH)

    assert not called.is_set()
