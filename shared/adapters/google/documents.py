"""What the stores need of Firestore: documents that are created once, and changed only by who saw their last state."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Generic, TypeVar, cast

from google.api_core.exceptions import AlreadyExists, FailedPrecondition, NotFound
from google.cloud.firestore_v1.base_document import DocumentSnapshot
from google.cloud.firestore_v1.batch import WriteBatch
from google.cloud.firestore_v1.bulk_batch import BulkWriteBatch
from google.cloud.firestore_v1.client import Client
from google.cloud.firestore_v1.collection import CollectionReference
from google.cloud.firestore_v1.document import DocumentReference
from google.cloud.firestore_v1.query import Query
from google.rpc.code_pb2 import ALREADY_EXISTS, OK

from shared.adapters.google.calls import SECONDS, Deadline
from shared.adapters.google.errors import google_errors
from shared.adapters.google.kinds import Fields, Kind, field
from shared.adapters.google.seen import Seen, State
from shared.domain.errors import Unavailable
from shared.records import UnreadableRecord

log = logging.getLogger(__name__)

T = TypeVar("T")

Additions = Mapping[DocumentReference, Fields]
"""Documents to merge fields into, which hold increments, in the same commit as another write."""

_NOTHING: Additions = {}
_MOST_WRITES = 500
"""Firestore's limit for one commit, and for one batch of writes."""


@dataclass(frozen=True, slots=True)
class _Writing(Generic[T]):
    """One update with all its tries; `marks` are those of its writes, of which one may have been done unseen."""

    reference: DocumentReference
    kind: Kind[T]
    deadline: Deadline
    added: Callable[[T, T], Additions]
    marks: set[str] = dataclass_field(default_factory=set)

    def fields(self, record: T) -> dict[str, Any]:
        fields = dict(self.kind.fields(record))
        self.marks.add(fields["write"])
        return fields


class Documents:
    """What the stores need of Firestore. Every call raises Unavailable where it is not answered within `seconds`."""

    def __init__(self, client: Client, *, seconds: float = SECONDS) -> None:
        self._client, self._seconds = client, seconds
        self._seen = Seen()

    def deadline(self) -> Deadline:
        return Deadline(self._seconds)

    def read(self, reference: DocumentReference, deadline: Deadline | None = None) -> DocumentSnapshot[Any] | None:
        with google_errors("read"):
            snapshot = reference.get(**(deadline or self.deadline()).options())
        return snapshot if snapshot.exists else None

    def some(self, references: Sequence[DocumentReference]) -> list[DocumentSnapshot[Any]]:
        """Return those that exist, in no order."""
        if not references:
            return []
        with google_errors("read some"):
            snapshots = self._client.get_all(list(references), **self.deadline().options())
            return [snapshot for snapshot in snapshots if snapshot.exists]

    def found(self, query: Query | CollectionReference) -> list[DocumentSnapshot[Any]]:
        with google_errors("query"):
            return [*query.get(**self.deadline().options())]

    def count(self, query: Query | CollectionReference) -> int:
        with google_errors("count"):
            ((result,),) = query.count().get(**self.deadline().options())  # type: ignore[misc]  # as above
        return int(result.value)

    def readable(self, query: Query, kind: Kind[T], *, at_once: int) -> Iterator[T]:
        """Yield the records in the query's order, asking for `at_once` at a time.

        What this version cannot read is left out: one damaged record must not hide the others.
        """
        while True:
            snapshots = self.found(query.limit(at_once))
            for snapshot in snapshots:
                try:
                    yield kind.read(snapshot)
                except UnreadableRecord as error:
                    log.warning("unreadable record left out", extra={"reason": str(error)})
            if len(snapshots) < at_once:
                return
            query = query.start_after(snapshots[-1])

    def create(self, writes: Mapping[DocumentReference, Fields], additions: Additions = _NOTHING) -> bool:
        """Create all in one commit, and add to others; False where one exists, and then nothing was written."""
        batch = self._client.batch()
        for reference, fields in writes.items():
            batch.create(reference, dict(fields))
        _add(batch, additions)
        return self.commit(batch)

    def create_missing(self, writes: Iterable[tuple[DocumentReference, Fields]]) -> None:
        """Create those that do not exist; what exists stands as it is. Not one commit: a crash may leave some out."""
        for some in _cut(list(writes)):
            missing = some
            for _ in self.deadline().tries("create"):
                missing = self._not_created(missing)
                if not missing:
                    break

    def update(
        self,
        reference: DocumentReference,
        kind: Kind[T],
        change: Callable[[T], T],
        added: Callable[[T, T], Additions] = lambda _before, _after: _NOTHING,
    ) -> T | None:
        """Read, change, write if nobody else did meanwhile, or do it again. None where there is no such document.

        What the change adds to other documents is written in the same commit.

        A write whose answer was lost is known by its mark, and not done twice; only if another wrote since, in the
        same moment, would it be.
        """
        writing = _Writing(reference, kind, self.deadline(), added)
        seen = self._seen.take(reference.path)
        guessed = None if seen is None else _guessed(seen, change)
        if seen is not None and guessed is not None:
            known = cast("T", seen.record)
            if self._written(writing, known, guessed, seen.update_time):
                return guessed
        for _ in writing.deadline.tries("update"):
            snapshot = self.read(reference, writing.deadline)
            if snapshot is None:
                return None
            before = kind.read(snapshot)
            if field(snapshot, "write") in writing.marks:
                return before
            after = change(before)
            if after == before or self._written(writing, before, after, snapshot.update_time):
                return after
        raise AssertionError("tries() ends by raising")

    def record(self, snapshot: DocumentSnapshot[Any], kind: Kind[T]) -> T:
        """Return the record of a document that may be changed soon; raises UnreadableRecord."""
        record = kind.read(snapshot)
        self._seen.note(snapshot.reference.path, State(record, snapshot.update_time))
        return record

    def _written(self, writing: "_Writing[T]", before: T, after: T, update_time: Any) -> bool:
        """Whether the document was still that of `update_time`, so that it is `after` now."""
        batch = self._client.batch()
        batch.update(writing.reference, writing.fields(after), option=self.unchanged(update_time))
        _add(batch, writing.added(before, after))
        if not self.commit(batch, writing.deadline):
            return False
        assert batch.write_results is not None
        self._seen.note(writing.reference.path, State(after, batch.write_results[0].update_time))
        return True

    def unchanged(self, update_time: Any) -> Any:
        """Return the condition that the document is still the one that was written then."""
        return self._client.write_option(last_update_time=update_time)

    def commit(self, batch: WriteBatch, deadline: Deadline | None = None) -> bool:
        """False where a document exists that must not, or has changed or gone; then nothing of the batch was done."""
        with google_errors("commit"):
            try:
                batch.commit(**(deadline or self.deadline()).options())
            except (AlreadyExists, FailedPrecondition, NotFound):
                return False
        return True

    def put(self, reference: DocumentReference, fields: Fields) -> None:
        with google_errors("put"):
            reference.set(dict(fields), **self.deadline().options())

    def erase(self, reference: DocumentReference) -> None:
        with google_errors("erase"):
            reference.delete(**self.deadline().options())

    def erase_all(self, collection: CollectionReference) -> None:
        query = collection.select([]).limit(_MOST_WRITES)
        while snapshots := self.found(query):
            batch = self._client.batch()
            for snapshot in snapshots:
                batch.delete(snapshot.reference)
            if not self.commit(batch):
                raise Unavailable("erase all: it was refused")  # as it would be again

    def _not_created(
        self, writes: Sequence[tuple[DocumentReference, Fields]]
    ) -> list[tuple[DocumentReference, Fields]]:
        batch = BulkWriteBatch(self._client)
        for reference, fields in writes:
            batch.create(reference, dict(fields))
        with google_errors("create"):
            statuses = batch.commit(**self.deadline().options()).status
        done = [status.code in {OK, ALREADY_EXISTS} for status in statuses]
        return [write for write, is_done in zip(writes, done, strict=True) if not is_done]


def _guessed(seen: State, change: Callable[[T], T]) -> T | None:
    """Return what becomes of a state that may be old; None where that is nothing, or an error.

    Then the newest state has to be asked: what is refused or left alone on an old one may be right on that.
    """
    with suppress(Exception):
        after = change(cast("T", seen.record))
        return None if after == seen.record else after
    return None


def _add(batch: WriteBatch, additions: Additions) -> None:
    for reference, fields in additions.items():
        batch.set(reference, dict(fields), merge=True)


def _cut(writes: list[tuple[DocumentReference, Fields]]) -> Iterator[list[tuple[DocumentReference, Fields]]]:
    for start in range(0, len(writes), _MOST_WRITES):
        yield writes[start : start + _MOST_WRITES]
