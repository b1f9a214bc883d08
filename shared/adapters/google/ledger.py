"""The ledger in Firestore: `ledger/{day}-{tenant}-{shard}`, sums that grow by increments.

A document takes about one write a second for long, so each sum is spread over some. Those of all tenants together have
documents of their own, without `day`, so that no listing by day sees them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Any

from google.cloud.firestore_v1.base_document import DocumentSnapshot
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.client import Client
from google.cloud.firestore_v1.document import DocumentReference
from google.cloud.firestore_v1.transforms import Increment

from shared.adapters.google.documents import Additions, Documents
from shared.adapters.google.indexes import TTL_FIELD
from shared.domain.job import Job
from shared.domain.ledger import DayCosts, Entry, Spending, entries, spending_of

SHARDS = 32
"""So many rounds may end each second for long, of one tenant or of all together."""

KEPT = timedelta(days=400)
"""A year, and room to look back at it."""

_ALL = "all"
_HELD = "held"


class Ledger:
    def __init__(self, client: Client, documents: Documents) -> None:
        self._documents = documents
        self._ledger = client.collection("ledger")

    def additions(self, before: Job | None, after: Job) -> Additions:
        """Return what a change of a job adds, to be written in the commit of that change."""
        shard = _shard(after.id)
        return dict(chain.from_iterable(self._writes(each, shard) for each in entries(before, after)))

    def costs(self, *, first: date, last: date, tenant: str | None) -> tuple[DayCosts, ...]:
        found = self._ledger.where(filter=FieldFilter("day", ">=", first.isoformat()))
        found = found.where(filter=FieldFilter("day", "<=", last.isoformat()))
        sums: dict[tuple[str, str], Counter[str]] = {}
        for snapshot in self._documents.found(found):
            fields = snapshot.to_dict() or {}
            if tenant in {None, fields["tenant"]}:
                sums.setdefault((fields["day"], fields["tenant"]), Counter()).update(fields["amounts"])
        return tuple(
            DayCosts(day=date.fromisoformat(day), tenant=who, amounts=dict(amounts))
            for (day, who), amounts in sorted(sums.items())
        )

    def spending(self, day: date, tenant: str | None) -> Spending:
        whose = _ALL if tenant is None else _hashed(tenant)
        named = (self._named(when, whose, shard) for when in (day, None) for shard in range(SHARDS))
        return spending_of(_amounts(self._documents.some([*named])))

    def _writes(self, entry: Entry, shard: int) -> Iterator[tuple[DocumentReference, Mapping[str, Any]]]:
        amounts = {name: Increment(amount) for name, amount in entry.amounts.items()}
        lives = None if entry.day is None else datetime.combine(entry.day, time(), tzinfo=UTC) + KEPT
        listed = None if entry.day is None else entry.day.isoformat()
        own = {"day": listed, "tenant": entry.tenant, TTL_FIELD: lives, "amounts": amounts}
        yield self._named(entry.day, _hashed(entry.tenant), shard), own
        yield self._named(entry.day, _ALL, shard), {"day": None, "tenant": None, TTL_FIELD: lives, "amounts": amounts}

    def _named(self, day: date | None, whose: str, shard: int) -> DocumentReference:
        """The hash comes first: documents of one day are not neighbours, which one server would have to write."""
        return self._ledger.document(f"{whose}-{day.isoformat() if day else _HELD}-{shard:02d}")


def _amounts(snapshots: Iterable[DocumentSnapshot[Any]]) -> Iterator[tuple[str, float]]:
    for snapshot in snapshots:
        yield from (snapshot.to_dict() or {})["amounts"].items()


def _shard(job_id: str) -> int:
    return hashlib.sha256(job_id.encode()).digest()[0] % SHARDS


def _hashed(tenant: str) -> str:
    """A tenant may have a name that no document can have."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]
