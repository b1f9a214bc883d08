"""The bus in SQLite: leases, delivery counts, backoff and dead letters, for several processes on one folder."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.domain.errors import Unavailable
from shared.domain.messages import MalformedMessage, Message, Topic, from_bytes, to_bytes
from shared.ports.bus import Delivery
from shared.ports.clock import Clock

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
MAX_DELIVERIES = 100
"""Far above what any healthy message needs: a delivery count also counts hand-backs, so it decides nothing sooner."""
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 600.0
_POLL_SECONDS = 0.05
"""How soon a message of another process is seen; one of this process wakes its reader at once."""
_DEAD_HOLDER_SECONDS = 1.0

_TAKE = """
UPDATE messages SET visible_at = ?, deliveries = deliveries + 1, holder = ? WHERE id IN (
    SELECT id FROM messages WHERE topic = ? AND visible_at <= ? ORDER BY visible_at, id LIMIT ?
) RETURNING id, body, deliveries
"""


class SqliteDelivery:
    def __init__(self, bus: "SqliteBus", id_: int, message: Message, count: int) -> None:
        self._bus, self._id, self._count = bus, id_, count
        self.message = message

    def ack(self) -> None:
        self._bus._ack(self._id, self._count)

    def hand_back(self, *, delay: timedelta | None = None) -> None:
        backoff = min(_FIRST_BACKOFF_SECONDS * 2 ** min(self._count - 1, 20), _LONGEST_BACKOFF_SECONDS)
        self._bus._hand_back(self._id, self._count, backoff if delay is None else delay.total_seconds())


class SqliteBus:
    def __init__(self, database: Database, holders: Holders, *, clock: Clock) -> None:
        self._database, self._holders, self._clock = database, holders, clock
        self._published = {topic: threading.Condition() for topic in Topic}
        self._held: dict[int, int] = {}
        self._closed = threading.Event()
        self._looked_for_dead = 0.0
        self._extender = threading.Thread(target=self._extend_leases, name="bus-leases", daemon=True)
        self._extender.start()

    def publish(self, topic: Topic, message: Message) -> None:
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO messages (topic, body, visible_at) VALUES (?, ?, ?)",
                (topic, to_bytes(message), self._now()),
            )
        self._wake(topic)

    def pull(self, topic: Topic, *, limit: int, wait: float) -> list[Delivery]:
        until = time.monotonic() + wait
        while not self._closed.is_set():
            self._release_dead()
            if self._has_any(topic):
                taken = self._take(topic, limit)
                if taken:
                    return taken
            left = until - time.monotonic()
            if left <= 0:
                break
            with self._published[topic]:
                self._published[topic].wait(min(left, _POLL_SECONDS))
        return []

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        self._extender.join()
        for id_, count in list(self._held.items()):
            self._hand_back(id_, count, 0.0)
        self._holders.close()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _wake(self, topic: Topic) -> None:
        """Wake one reader of this process; the others, and other processes, poll."""
        with self._published[topic]:
            self._published[topic].notify()

    def _has_any(self, topic: Topic) -> bool:
        query = "SELECT 1 FROM messages WHERE topic = ? AND visible_at <= ? LIMIT 1"
        with self._database.read() as connection:
            return connection.execute(query, (topic, self._now())).fetchone() is not None

    def _take(self, topic: Topic, limit: int) -> list[Delivery]:
        now = self._now()
        values = (now + LEASE_SECONDS, self._holders.me, topic, now, limit)
        deliveries: list[Delivery] = []
        with self._database.write() as connection:
            for id_, body, count in connection.execute(_TAKE, values).fetchall():
                try:
                    deliveries.append(SqliteDelivery(self, id_, _understood(body, count), count))
                except MalformedMessage as error:
                    _set_aside(connection, id_, str(error))
                    continue
                self._held[id_] = count
        return deliveries

    def _ack(self, id_: int, count: int) -> None:
        self._held.pop(id_, None)
        with self._database.write() as connection:
            connection.execute("DELETE FROM messages WHERE id = ? AND deliveries = ?", (id_, count))

    def _hand_back(self, id_: int, count: int, delay: float) -> None:
        self._held.pop(id_, None)
        with self._database.write() as connection:
            connection.execute(
                "UPDATE messages SET visible_at = ?, holder = NULL WHERE id = ? AND deliveries = ?",
                (self._now() + delay, id_, count),
            )

    def _extend_leases(self) -> None:
        while not self._closed.wait(LEASE_SECONDS / 3):
            try:
                self._extend(list(self._held.items()))
            except Unavailable:
                # Two more tries fit into the lease; a lease that is lost costs a second delivery, nothing else.
                log.warning("leases not extended", exc_info=True)

    def _extend(self, held: Iterable[tuple[int, int]]) -> None:
        visible_at = self._now() + LEASE_SECONDS
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE messages SET visible_at = ? WHERE id = ? AND deliveries = ?",
                [(visible_at, id_, count) for id_, count in held],
            )

    def _release_dead(self) -> None:
        """Give back at once what a process held that no longer lives: its lease would only delay the work."""
        now = time.monotonic()
        if now - self._looked_for_dead < _DEAD_HOLDER_SECONDS:
            return
        self._looked_for_dead = now
        query = "SELECT DISTINCT holder FROM messages WHERE holder IS NOT NULL AND holder <> ?"
        with self._database.read() as connection:
            others = [holder for (holder,) in connection.execute(query, (self._holders.me,))]
        dead = [holder for holder in others if self._holders.is_dead(holder)]
        if dead:
            with self._database.write() as connection:
                connection.executemany(
                    "UPDATE messages SET visible_at = ?, holder = NULL WHERE holder = ?",
                    [(self._now(), holder) for holder in dead],
                )
            self._holders.bury(dead)


def _understood(body: bytes, count: int) -> Message:
    if count > MAX_DELIVERIES:
        raise MalformedMessage(f"delivered {count} times")
    return from_bytes(body)


def _set_aside(connection: sqlite3.Connection, id_: int, reason: str) -> None:
    log.error("dead letter", extra={"message_id": id_, "reason": reason})
    connection.execute(
        "INSERT INTO dead_letters SELECT id, topic, body, deliveries, ? FROM messages WHERE id = ?", (reason, id_)
    )
    connection.execute("DELETE FROM messages WHERE id = ?", (id_,))
