"""A data folder of an earlier version is opened by this one, with what was in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, Topic, to_bytes
from tests.clocks import ManualClock

WAITING = PrepareDocument(job_id=JobId("job1"))
SENT = PrepareDocument(job_id=JobId("job2"))

EARLIER = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body BLOB NOT NULL, visible_at REAL NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 0, holder TEXT
);
"""


def test_messages_of_a_version_without_traces_are_delivered_beside_new_ones(tmp_path: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(tmp_path / "pagemill.sqlite")) as connection, connection:
        connection.executescript(EARLIER)
        values = (Topic.DOCUMENTS, to_bytes(WAITING), (clock.now() - timedelta(hours=1)).timestamp())
        connection.execute("INSERT INTO messages (topic, body, visible_at) VALUES (?, ?, ?)", values)

    with opened(tmp_path, clock) as bus:
        bus.publish(Topic.DOCUMENTS, SENT)
        deliveries = bus.pull(Topic.DOCUMENTS, limit=10, wait=1)

    assert [delivery.message for delivery in deliveries] == [WAITING, SENT]
    assert [dict(delivery.trace) for delivery in deliveries] == [{}, {}]


def test_a_folder_is_opened_any_number_of_times_and_loses_nothing(tmp_path: Path, clock: ManualClock) -> None:
    with opened(tmp_path, clock) as bus:
        bus.publish(Topic.DOCUMENTS, WAITING)
    for _ in range(2):
        with opened(tmp_path, clock):
            pass

    with opened(tmp_path, clock) as bus:
        deliveries = bus.pull(Topic.DOCUMENTS, limit=10, wait=1)

    assert [delivery.message for delivery in deliveries] == [WAITING]


@contextmanager
def opened(folder: Path, clock: ManualClock) -> Iterator[SqliteBus]:
    with (
        closing(Database(folder / "pagemill.sqlite")) as database,
        closing(SqliteBus(database, Holders(folder), clock=clock)) as bus,
    ):
        yield bus
