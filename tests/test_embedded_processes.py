"""The embedded adapters among real processes on one folder: races, kills, leases, and nothing left open."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.clock import SystemClock
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.adapters.embedded.jobs import SqliteJobStore
from shared.adapters.embedded.objects import FileObjectStore
from shared.domain.errors import Unavailable
from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, Topic
from tests.builders import a_job, a_key
from tests.clocks import ManualClock
from tests.embedded_changes import checked

ROOT = Path(__file__).parents[1]
TOPIC = Topic.DOCUMENTS


class Process:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.embedded_process", str(folder), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hears(self) -> list[str]:
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()

    def tell(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        self._process.communicate()
        return self._process.returncode


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


def publish(bus: SqliteBus, name: str = "1") -> None:
    bus.publish(TOPIC, PrepareDocument(job_id=JobId(name)))


def test_of_four_processes_that_race_with_the_same_keys_one_starts_each_job(tmp_path: Path) -> None:
    """They open a new folder together too."""
    processes = [Process(tmp_path / "new", "add", name) for name in "abcd"]
    assert [process.hears() for process in processes] == [["ready"]] * 4

    for process in processes:
        process.tell()
    created = [process.hears() for process in processes]

    assert [process.wait() for process in processes] == [0] * 4
    numbers = sorted(int(name.split("-")[1]) for words in created for name in words[1:])
    assert numbers == list(range(20))
    with closing(sqlite3.connect(tmp_path / "new" / "pagemill.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (20,)


def test_of_updates_from_several_processes_none_is_lost(tmp_path: Path, database: Database) -> None:
    store = SqliteJobStore(database)
    store.add(a_job("job1"), a_key())
    processes = [Process(tmp_path, "update", "25") for _ in range(2)]

    for _ in range(25):
        store.update(JobId("job1"), checked)

    assert [process.wait() for process in processes] == [0, 0]
    assert store.get(JobId("job1")).checks == 75


def test_a_reader_in_another_process_sees_a_message_within_a_second(tmp_path: Path, bus: SqliteBus) -> None:
    reader = Process(tmp_path, "wait")
    assert reader.hears() == ["waits"]
    time.sleep(0.1)

    published = time.time()
    publish(bus)

    word, count, when = reader.hears()
    assert (word, count) == ("got", "1")
    assert float(when) - published < 1
    assert reader.wait() == 0


def test_messages_of_one_process_reach_the_other(tmp_path: Path, bus: SqliteBus) -> None:
    assert Process(tmp_path, "publish", "5").wait() == 0

    ids = [each.message.job_id for each in bus.pull(TOPIC, limit=10, wait=0)]

    assert sorted(ids) == ["0", "1", "2", "3", "4"]


def test_what_a_killed_process_held_is_free_at_once_and_what_a_living_one_holds_is_not(
    tmp_path: Path, bus: SqliteBus
) -> None:
    publish(bus)
    holder = Process(tmp_path, "hold")
    assert holder.hears() == ["holds", "1"]
    while_it_lives = bus.pull(TOPIC, limit=1, wait=1.5)

    holder.kill()
    began = time.monotonic()
    after_its_death = bus.pull(TOPIC, limit=1, wait=10)

    assert while_it_lives == []
    assert len(after_its_death) == 1
    assert time.monotonic() - began < 2


def test_a_process_killed_while_it_writes_an_object_leaves_none(tmp_path: Path) -> None:
    writer = Process(tmp_path, "create", "jobs/1/source")
    assert writer.hears() == ["writing"]
    assert writer.hears() == ["writing"]

    writer.kill()

    objects = FileObjectStore(tmp_path, clock=SystemClock(), base_url="", key=b"")
    assert not objects.exists("jobs/1/source")
    assert list(objects.names("jobs/")) == []
    assert objects.create("jobs/1/source", b"content")


def test_what_killed_writers_left_is_cleared_away_after_a_day(tmp_path: Path) -> None:
    FileObjectStore(tmp_path, clock=SystemClock(), base_url="", key=b"")
    old, young = tmp_path / "unfinished" / "old", tmp_path / "unfinished" / "young"
    for path in (old, young):
        path.write_bytes(b"half of it")
    two_days_ago = time.time() - timedelta(days=2).total_seconds()
    os.utime(old, (two_days_ago, two_days_ago))

    FileObjectStore(tmp_path, clock=SystemClock(), base_url="", key=b"")

    assert not old.exists()
    assert young.exists()


def test_no_object_is_the_folder_of_another(tmp_path: Path) -> None:
    objects = FileObjectStore(tmp_path, clock=SystemClock(), base_url="", key=b"")
    objects.create("jobs/1/source", b"content")

    with pytest.raises(ValueError, match="folder"):
        objects.create("jobs/1", b"")
    with pytest.raises(ValueError, match="folder"):
        objects.create("jobs/1/source/x", b"")


def test_a_lease_is_extended_as_long_as_its_delivery_is_held(
    tmp_path: Path, database: Database, bus: SqliteBus
) -> None:
    holding = SqliteBus(database, Holders(tmp_path), clock=SystemClock(), lease=timedelta(seconds=0.3))
    publish(bus)
    (delivery,) = holding.pull(TOPIC, limit=1, wait=0)

    assert bus.pull(TOPIC, limit=1, wait=1.2) == []

    delivery.hand_back(delay=timedelta(0))
    assert len(bus.pull(TOPIC, limit=1, wait=0)) == 1
    holding.close()


def test_a_lease_is_extended_by_the_delivery_that_holds_it_and_by_no_earlier_one(
    tmp_path: Path, database: Database
) -> None:
    clock = ManualClock()
    one = SqliteBus(database, Holders(tmp_path), clock=clock, lease=timedelta(seconds=0.3))
    publish(one)
    (lost,) = one.pull(TOPIC, limit=1, wait=0)
    clock.advance(timedelta(seconds=1))
    (newer,) = one.pull(TOPIC, limit=1, wait=0)

    lost.ack()
    clock.advance(timedelta(seconds=0.2))
    time.sleep(0.3)
    clock.advance(timedelta(seconds=0.2))

    assert one.pull(TOPIC, limit=1, wait=0) == []
    newer.ack()
    one.close()


def open_files(folder: Path) -> int:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return sum(link.readlink().is_relative_to(folder) for link in links)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_threads_that_come_and_go_leave_no_connection_open(tmp_path: Path, database: Database) -> None:
    store = SqliteJobStore(database)
    store.add(a_job("job1"), None)
    before = open_files(tmp_path)

    for _ in range(30):
        thread = threading.Thread(target=store.update, args=(JobId("job1"), checked))
        thread.start()
        thread.join()

    assert store.get(JobId("job1")).checks == 30
    assert open_files(tmp_path) == before


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_what_is_closed_leaves_no_file_open(tmp_path: Path) -> None:
    database = Database(tmp_path / "pagemill.sqlite")
    bus = SqliteBus(database, Holders(tmp_path), clock=SystemClock())
    publish(bus)
    bus.pull(TOPIC, limit=1, wait=0)

    bus.close()
    database.close()

    assert open_files(tmp_path) == 0
    assert list((tmp_path / "holders").iterdir()) == []


def test_a_closed_database_is_unavailable_and_closing_it_disturbs_nobody(database: Database) -> None:
    with database.read() as connection:
        database.close()
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)

    with pytest.raises(Unavailable), database.read():
        pass


def test_a_transaction_that_fails_leaves_the_next_one_unharmed(database: Database) -> None:
    with pytest.raises(Unavailable), database.write() as connection:
        connection.execute("INSERT INTO jobs (id) VALUES ('half')")
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute("INSERT INTO keys VALUES ('a', 'b', 'c')").rowcount // 0

    with database.write() as connection:
        assert connection.execute("SELECT count(*) FROM keys").fetchone() == (0,)


def test_a_full_disk_is_unavailable_and_not_the_end(database: Database) -> None:
    store = SqliteJobStore(database)
    with database.write() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(Unavailable):
        store.add(a_job("large", pages="1," * 50_000), None)
    with database.read() as connection:
        connection.execute("PRAGMA max_page_count = 100000")

    assert store.add(a_job("small"), None)[1]
