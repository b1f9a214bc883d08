"""Cloud Storage's events as Eventarc delivers them, at least once: what was dropped, and where."""

from collections.abc import Mapping
from typing import Any

from ingest_fn.drop import Dropped, drop
from ingest_fn.inbox import Dropping
from shared.consume import survived
from shared.tracing import span


def take_event(data: Any, dropping: Dropping) -> bool:
    """Act on one event's data (a StorageObjectData); False asks for the event again.

    An event that is none, or of another bucket than the inbox, is counted and taken: it would be no better next time.
    """
    metrics = dropping.platform.metrics
    dropped = _dropped(data, bucket=dropping.platform.settings.inbox_bucket)
    if dropped is None:
        metrics.malformed_messages.inc()
        return True

    def act() -> None:
        with span("handle drop"):
            drop(dropped, dropping)

    return survived(act, "drop", metrics) is None


def _dropped(data: Any, *, bucket: str | None) -> Dropped | None:
    if not isinstance(data, Mapping) or data.get("bucket") != bucket:
        return None
    name, version, size = data.get("name"), str(data.get("generation", "")), str(data.get("size", "0"))
    if not isinstance(name, str) or not version.isdecimal() or not size.isdecimal():
        return None
    return Dropped(name=name, version=version, size=int(size))
