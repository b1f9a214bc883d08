"""What Firestore indexes and when it erases by itself: what Terraform sets up, as data that a test compares with it.

Firestore indexes every field unless told otherwise. What nobody asks for is exempt: an index costs a write and its
storage, and one on a value that only grows takes about 500 writes a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

ASCENDING, DESCENDING = "ASCENDING", "DESCENDING"

TTL_FIELD = "ttl"
TTL_COLLECTIONS = ("jobs", "keys", "batches", "ledger")
TTL_SLACK = timedelta(days=30)
"""How long after the moment at which `sweep` erases a record Firestore does, should `sweep` never have come. It takes
up to a day more, and leaves the collections below a job: nobody finds them any more, and they hold no content.
"""
KEY_SLACK = timedelta(days=365)
"""A key must live as long as its job, whose rounds nobody can count in advance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeIndex:
    collection: str
    fields: tuple[tuple[str, str], ...]


COMPOSITE_INDEXES = tuple(
    CompositeIndex(collection="jobs", fields=(*((name, ASCENDING) for name in names), ("created_at", DESCENDING)))
    for names in (("listed",), ("listed", "status"), ("listed", "batch"), ("listed", "batch", "status"))
)

SINGLE_FIELD_INDEXES: Mapping[str, Mapping[str, str | None]] = {
    "jobs": {
        "listed": None,
        "status": None,
        "batch": None,
        "created_at": None,
        "next_check_at": ASCENDING,
        "key": None,
        "ttl": None,
        "body": None,
        "write": None,
    },
    "keys": {"job": None, "fingerprint": None, "ttl": None},
    "pages": {"status": ASCENDING, "body": None, "write": None},
    "ranges": {"body": None, "write": None},
    "callbacks": {"body": None, "write": None},
    "ledger": {"day": ASCENDING, "tenant": None, "amounts": None, "ttl": None},
    "batches": {"next_check_at": ASCENDING, "ttl": None, "body": None, "write": None},
}
"""By collection and field: the one index of a single field that a query needs, None where there must be none."""
