"""The families of adapters, as the contract tests see them: the ports, and the few things that no port gives."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.adapters.embedded.jobs import SqliteJobStore
from shared.adapters.embedded.objects import FileObjectStore
from shared.domain.messages import Topic
from shared.ports.bus import Bus
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore
from tests.clocks import ManualClock


class Family(Protocol):
    @property
    def store(self) -> JobStore: ...

    @property
    def objects(self) -> ObjectStore: ...

    def bus(self) -> Bus:
        """Return a bus as one more process would have it; all share their messages."""

    def pass_time(self, by: timedelta) -> None: ...

    def publish_raw(self, topic: Topic, data: bytes) -> None:
        """Put on the bus what none of ours would."""

    def dead_letters(self) -> list[bytes]: ...

    def serves(self, link: str) -> bool:
        """Whether the link leads to its object now."""

    def damage_job(self, job_id: str) -> None:
        """Make the stored job one that nobody can read."""

    def close(self) -> None: ...


class EmbeddedFamily:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.database = Database(folder / "pagemill.sqlite")
        self.store = SqliteJobStore(self.database)
        self.objects = FileObjectStore(folder, clock=self.clock, base_url="http://mill.example", key=b"k" * 32)
        self._buses: list[SqliteBus] = []

    def bus(self) -> Bus:
        bus = SqliteBus(self.database, Holders(self.folder), clock=self.clock)
        self._buses.append(bus)
        return bus

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)

    def publish_raw(self, topic: Topic, data: bytes) -> None:
        with self.database.write() as connection:
            connection.execute("INSERT INTO messages (topic, body, visible_at) VALUES (?, ?, 0)", (topic, data))

    def dead_letters(self) -> list[bytes]:
        with closing(sqlite3.connect(self.folder / "pagemill.sqlite")) as connection:
            return [body for (body,) in connection.execute("SELECT body FROM dead_letters ORDER BY id")]

    def serves(self, link: str) -> bool:
        parts = urlsplit(link)
        query = parse_qs(parts.query)
        name = parts.path.removeprefix("/objects/")
        return self.objects.allows(name, expires=int(query["expires"][0]), signature=query["signature"][0])

    def damage_job(self, job_id: str) -> None:
        with self.database.write() as connection:
            connection.execute("UPDATE jobs SET body = '{' WHERE id = ?", (job_id,))

    def close(self) -> None:
        for bus in self._buses:
            bus.close()
        self.database.close()
