"""Logs and counters. A log line is one JSON object; it names jobs and pages, never what is in them."""

import json
import logging
import sys
import threading
from collections import Counter
from datetime import UTC, datetime

from opentelemetry import propagate

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


def trace_context() -> dict[str, str]:
    """Return the W3C trace context of the current span, as it travels in a message; empty where there is none."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


class JsonFormatter(logging.Formatter):
    """Cloud Logging's field names: `severity`, `time`, `message`; what was passed as `extra` stands beside them."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Counters:
    """Counts of what happened in this process, by name. What is done on a best-effort basis is counted here."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counts[name] += amount

    def __getitem__(self, name: str) -> int:
        return self._counts[name]


def set_up_logging(level: str) -> None:
    """Called by a process's `main`, once."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # they log whole URLs
