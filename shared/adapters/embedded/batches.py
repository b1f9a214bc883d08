"""Batches in SQLite: records as JSON, beside them the one column that is asked for."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice

from shared.adapters.embedded.database import Database
from shared.domain.batch import Batch, BatchId
from shared.domain.errors import UnknownBatch
from shared.records import UnreadableRecord, from_json, to_json

log = logging.getLogger(__name__)

_PUT = """
INSERT INTO batches (id, next_check_at, body) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET next_check_at = excluded.next_check_at, body = excluded.body
"""


class SqliteBatchStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batch: Batch) -> tuple[Batch, bool]:
        with self._database.write() as connection:
            stored = _found(connection, batch.id)
            if stored is None:
                _put(connection, batch)
        return (batch, True) if stored is None else (stored, False)

    def get(self, batch_id: BatchId) -> Batch:
        with self._database.read() as connection:
            return _get(connection, batch_id)

    def update(self, batch_id: BatchId, change: Callable[[Batch], Batch]) -> Batch:
        with self._database.write() as connection:
            before = _get(connection, batch_id)
            after = change(before)
            if after != before:
                _put(connection, after)
        return after

    def overdue(self, *, now: datetime, limit: int) -> tuple[Batch, ...]:
        query = "SELECT body FROM batches WHERE next_check_at <= ? ORDER BY next_check_at"
        with self._database.read() as connection, closing(connection.execute(query, (now.timestamp(),))) as rows:
            return tuple(islice(_readable(rows), limit))

    def forget(self, batch_id: BatchId) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM batches WHERE id = ?", (batch_id,))


def _found(connection: sqlite3.Connection, batch_id: BatchId) -> Batch | None:
    row = connection.execute("SELECT body FROM batches WHERE id = ?", (batch_id,)).fetchone()
    return None if row is None else from_json(Batch, row[0])


def _get(connection: sqlite3.Connection, batch_id: BatchId) -> Batch:
    batch = _found(connection, batch_id)
    if batch is None:
        raise UnknownBatch(batch_id)
    return batch


def _readable(rows: Iterable[tuple[str]]) -> Iterator[Batch]:
    """Leave out what this version cannot read: one damaged record must not hide the others."""
    for (body,) in rows:
        try:
            yield from_json(Batch, body)
        except UnreadableRecord as error:
            log.warning("unreadable batch left out", extra={"reason": str(error)})


def _put(connection: sqlite3.Connection, batch: Batch) -> None:
    due = batch.next_check_at.timestamp() if batch.next_check_at else None
    connection.execute(_PUT, (batch.id, due, to_json(batch).decode()))
