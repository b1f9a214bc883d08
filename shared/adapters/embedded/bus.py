"""The bus in SQLite: leases, delivery counts, backoff and dead letters, for several processes on one folder."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from datetime import timedelta

from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.domain.errors import Unavailable
from shared.domain.messages import MalformedMessage, Message, Topic, from_bytes, to_bytes
from shared.ports.bus import Delivery
from shared.ports.clock import Clock
from shared.tracing import trace_context

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
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
) RETURNING id, body, deliveries, trace
"""

_VISIBLE = " UNION ALL ".join(
    f"SELECT '{topic}' WHERE EXISTS (SELECT 1 FROM messages WHERE topic = '{topic}' AND visible_at <= :now)"
    for topic in Topic
)


class SqliteDelivery:
    def __init__(self, bus: "SqliteBus", id_: int, message: Message, count: int, trace: str | None) -> None:
        self._bus, self._id, self._count = bus, id_, count
        self.message = message
        self.trace: Mapping[str, str] = json.loads(trace) if trace else {}

    @property
    def identity(self) -> tuple[int, int]:
        """Tells this delivery from every other, of the same message too."""
        return self._id, self._count

    def ack(self) -> None:
        self._bus._ack(self._id, self._count)

    def hand_back(self, *, delay: timedelta | None = None) -> None:
        backoff = min(_FIRST_BACKOFF_SECONDS * 2 ** min(self._count - 1, 20), _LONGEST_BACKOFF_SECONDS)
        self._bus._hand_back(self._id, self._count, backoff if delay is None else delay.total_seconds())


class SqliteBus:
    def __init__(self, database: Database, holders: Holders, *, clock: Clock, lease: timedelta = LEASE) -> None:
        self._database, self._holders, self._clock = database, holders, clock
        self._lease = lease.total_seconds()
        self._published = {topic: threading.Condition() for topic in Topic}
        self._held: set[tuple[int, int]] = set()
        self._pulls_ended = False
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="bus-watcher", daemon=True)
        self._watcher.start()

    def publish(self, topic: Topic, message: Message) -> None:
        trace = trace_context()
        with self._database.write(durable=False) as connection:
            connection.execute(
                "INSERT INTO messages (topic, body, visible_at, trace) VALUES (?, ?, ?, ?)",
                (topic, to_bytes(message), self._now(), json.dumps(trace) if trace else None),
            )
        self._wake(topic)

    def pull(self, topic: Topic, *, limit: int, wait: float) -> list[Delivery]:
        until = time.monotonic() + wait
        while not self._pulls_ended:
            taken = self._take(topic, limit) if self._has_any(topic) else []
            left = until - time.monotonic()
            if taken or left <= 0:
                return taken
            with self._published[topic]:
                # Looked at once more under the lock, so that what is published now finds somebody who waits.
                if not self._pulls_ended and not self._has_any(topic):
                    self._published[topic].wait(left)
        return []

    def end_pulls(self) -> None:
        self._pulls_ended = True
        for published in self._published.values():
            with published:
                published.notify_all()

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        self.end_pulls()
        self._watcher.join()
        try:
            for id_, count in self._held.copy():
                self._hand_back(id_, count, 0.0)
        finally:
            self._holders.close()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _wake(self, topic: Topic) -> None:
        """Wake one reader of this process; those of others see it at their next look."""
        with self._published[topic]:
            self._published[topic].notify()

    def _has_any(self, topic: Topic) -> bool:
        query = "SELECT 1 FROM messages WHERE topic = ? AND visible_at <= ? LIMIT 1"
        with self._database.read() as connection:
            return connection.execute(query, (topic, self._now())).fetchone() is not None

    def _take(self, topic: Topic, limit: int) -> list[Delivery]:
        now = self._now()
        values = (now + self._lease, self._holders.me, topic, now, limit)
        deliveries: list[SqliteDelivery] = []
        with self._database.write(durable=False) as connection:
            for id_, body, count, trace in connection.execute(_TAKE, values).fetchall():
                try:
                    deliveries.append(SqliteDelivery(self, id_, _understood(body, count), count, trace))
                except MalformedMessage as error:
                    _set_aside(connection, id_, str(error))
        self._held.update(delivery.identity for delivery in deliveries)
        return list(deliveries)

    def _ack(self, id_: int, count: int) -> None:
        self._held.discard((id_, count))
        with self._database.write(durable=False) as connection:
            connection.execute("DELETE FROM messages WHERE id = ? AND deliveries = ?", (id_, count))

    def _hand_back(self, id_: int, count: int, delay: float) -> None:
        self._held.discard((id_, count))
        with self._database.write(durable=False) as connection:
            connection.execute(
                "UPDATE messages SET visible_at = ?, holder = NULL WHERE id = ? AND deliveries = ?",
                (self._now() + delay, id_, count),
            )

    def _watch(self) -> None:
        """See what other processes did: their messages, and their deaths. Keep alive what is held here."""
        look_for_dead = extend = time.monotonic()
        while not self._closed.wait(_POLL_SECONDS):
            try:
                for topic in self._visible():
                    self._wake(topic)
                if time.monotonic() >= look_for_dead:
                    look_for_dead = time.monotonic() + _DEAD_HOLDER_SECONDS
                    self._release_dead()
                if time.monotonic() >= extend:
                    extend = time.monotonic() + self._lease / 3
                    self._extend()
            except Unavailable:
                # A lease has room for two more tries; one that is lost costs a second delivery, nothing else.
                log.warning("the bus cannot be watched", exc_info=True)

    def _visible(self) -> list[Topic]:
        with self._database.read() as connection:
            rows = connection.execute(_VISIBLE, {"now": self._now()}).fetchall()
        return [Topic(topic) for (topic,) in rows]

    def _extend(self) -> None:
        """What is acked or handed back meanwhile has no holder any more, and is left alone."""
        visible_at, me = self._now() + self._lease, self._holders.me
        held = [(visible_at, id_, count, me) for id_, count in self._held.copy()]
        if not held:
            return
        with self._database.write(durable=False) as connection:
            connection.executemany(
                "UPDATE messages SET visible_at = ? WHERE id = ? AND deliveries = ? AND holder = ?", held
            )

    def _release_dead(self) -> None:
        """Give back at once what a process held that no longer lives: its lease would only delay the work."""
        query = "SELECT DISTINCT holder FROM messages WHERE holder IS NOT NULL AND holder <> ?"
        with self._database.read() as connection:
            others = [holder for (holder,) in connection.execute(query, (self._holders.me,))]
        dead = [holder for holder in others if self._holders.is_dead(holder)]
        if dead:
            with self._database.write(durable=False) as connection:
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
