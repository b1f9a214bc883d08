"""The one SQLite file behind jobs and bus: write-ahead log, shared by threads and processes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.domain.errors import Unavailable

_BUSY_SECONDS = 30.0
"""How long a writer waits for another process; each holds the lock for milliseconds."""

_SYNCED, _UNSYNCED = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
"""With a write-ahead log: each commit synced, or the log only when it is copied into the database (sqlite.org/wal)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, status TEXT NOT NULL, batch TEXT, created_at REAL NOT NULL,
    next_check_at REAL, erased INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_overdue ON jobs (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_listed ON jobs (tenant, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_of_batch ON jobs (batch, created_at DESC, id DESC) WHERE batch IS NOT NULL;
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, next_check_at REAL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS batches_overdue ON batches (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS keys (
    hash TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, job_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_of_job ON keys (job_id);
CREATE TABLE IF NOT EXISTS pages (
    job_id TEXT NOT NULL, number INTEGER NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (job_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ranges (
    job_id TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (job_id, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
    job_id TEXT NOT NULL, round INTEGER NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (job_id, round, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
    day TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, amount REAL NOT NULL, PRIMARY KEY (day, tenant, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body BLOB NOT NULL, visible_at REAL NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 0, holder TEXT, trace TEXT
);
CREATE INDEX IF NOT EXISTS messages_visible ON messages (topic, visible_at, id);
CREATE INDEX IF NOT EXISTS messages_held ON messages (holder) WHERE holder IS NOT NULL;
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL, deliveries INTEGER NOT NULL, reason TEXT NOT NULL
);
"""

_LATER_COLUMNS = {"messages": ("trace TEXT",)}
"""What tables of earlier versions lack."""


class Database:
    """Opens `path`, making its folder where needed.

    Connections are lent, not kept by threads: there are as many as were ever wanted at once, however many threads come
    and go.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        with self._errors(), self._writing, self._lent() as connection:
            connection.executescript(_SCHEMA)
        with self.write() as connection:
            _add_columns(connection)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Each statement sees one state of the database; two may see two."""
        with self._errors(), self._lent() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction: committed and synced to disk at the end, rolled back where anything is raised.

        One that is not `durable` outlives this process however it ends, but a power cut only once a later durable one
        has returned: for what the rest of the store brings back, such as messages.
        """
        with self._errors(), self._writing, self._lent() as connection:
            connection.execute(_SYNCED if durable else _UNSYNCED)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite has ended it by itself where the disk is full
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back. Whoever asks from now on gets Unavailable."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        connection = self._taken()
        try:
            yield connection
        finally:
            self._take_back(connection)

    def _taken(self) -> sqlite3.Connection:
        with self._guard:
            if self._closed:
                raise Unavailable(f"{self._path.name} is closed")
            if self._idle:
                return self._idle.pop()
        return self._opened()

    def _take_back(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path.name}: {error}") from error


def _add_columns(connection: sqlite3.Connection) -> None:
    for table, columns in _LATER_COLUMNS.items():
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for column in columns:
            if column.split()[0] not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
