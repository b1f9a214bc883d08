"""One more process on a data folder, for tests: does one thing, says so, and lives until it is killed or told.

python -m tests.embedded_process FOLDER ACTION [ARGUMENT…]
"""

import io
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.clock import SystemClock
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.adapters.embedded.jobs import SqliteJobStore
from shared.adapters.embedded.objects import FileObjectStore
from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, Topic
from tests.builders import a_job, a_key
from tests.embedded_changes import checked

TOPIC = Topic.DOCUMENTS


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def stay() -> None:
    sys.stdin.read()


def a_bus(folder: Path) -> SqliteBus:
    return SqliteBus(Database(folder / "pagemill.sqlite"), Holders(folder), clock=SystemClock())


def hold(folder: Path) -> None:
    """Pull one message and keep it."""
    deliveries = a_bus(folder).pull(TOPIC, limit=1, wait=5)
    say("holds", len(deliveries))
    stay()


def wait(folder: Path) -> None:
    """Wait for a message, and say when it came."""
    bus = a_bus(folder)
    say("waits")
    deliveries = bus.pull(TOPIC, limit=1, wait=20)
    say("got", len(deliveries), time.time())
    bus.close()


def publish(folder: Path, count: str) -> None:
    bus = a_bus(folder)
    for number in range(int(count)):
        bus.publish(TOPIC, PrepareDocument(job_id=JobId(str(number))))
    bus.close()


def add(folder: Path, name: str) -> None:
    """Open the folder, perhaps as the first, wait for the word, and add a job under everybody's key."""
    store = SqliteJobStore(Database(folder / "pagemill.sqlite"))
    say("ready")
    sys.stdin.readline()
    jobs = [store.add(a_job(f"{name}-{number}"), a_key(f"key{number}")) for number in range(20)]
    say("created", *[job.id for job, created in jobs if created])


def update(folder: Path, count: str) -> None:
    store = SqliteJobStore(Database(folder / "pagemill.sqlite"))
    for _ in range(int(count)):
        store.update(JobId("job1"), checked)


class Endless(io.RawIOBase):
    """Says that it is being read, and never ends."""

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            raise ValueError("read in pieces")
        say("writing")
        time.sleep(0.01)
        return b"x" * size


def create(folder: Path, name: str) -> None:
    objects = FileObjectStore(folder, clock=SystemClock(), base_url="", key=b"")
    objects.create(name, Endless())  # type: ignore[arg-type]  # as much of a file as is read


ACTIONS: Mapping[str, Callable[..., None]] = {
    action.__name__: action for action in (hold, wait, publish, add, update, create)
}

if __name__ == "__main__":
    ACTIONS[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
