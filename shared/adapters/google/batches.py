"""Batches in Firestore: `batches/{id}`."""

from collections.abc import Callable
from datetime import datetime
from itertools import islice

from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.client import Client

from shared.adapters.google.calls import SECONDS
from shared.adapters.google.documents import Documents
from shared.adapters.google.kinds import BATCH, document_id, field, is_document_id
from shared.domain.batch import Batch, BatchId
from shared.domain.errors import UnknownBatch


class FirestoreBatchStore:
    def __init__(self, client: Client, *, seconds: float = SECONDS) -> None:
        self._documents = Documents(client, seconds=seconds)
        self._batches = client.collection("batches")

    def add(self, batch: Batch) -> tuple[Batch, bool]:
        if not is_document_id(batch.id):
            raise ValueError(f"{batch.id!r} is not a batch's id")
        reference, fields = self._batches.document(batch.id), BATCH.fields(batch)
        for _ in self._documents.deadline().tries("add"):
            if self._documents.create({reference: fields}):
                return batch, True
            stored = self._documents.read(reference)
            if stored is not None:
                # It is our own where the answer to an earlier try was lost.
                return BATCH.read(stored), field(stored, "write") == fields["write"]
        raise AssertionError("tries() ends by raising")

    def get(self, batch_id: BatchId) -> Batch:
        batch = self._stored(batch_id)
        if batch is None:
            raise UnknownBatch(batch_id)
        return batch

    def update(self, batch_id: BatchId, change: Callable[[Batch], Batch]) -> Batch:
        batch = self._documents.update(self._batches.document(document_id(batch_id)), BATCH, change)
        if batch is None:
            raise UnknownBatch(batch_id)
        return batch

    def overdue(self, *, now: datetime, limit: int) -> tuple[Batch, ...]:
        due = self._batches.where(filter=FieldFilter("next_check_at", "<=", now)).order_by("next_check_at")
        return tuple(islice(self._documents.readable(due, BATCH, at_once=limit), limit))

    def forget(self, batch_id: BatchId) -> None:
        self._documents.erase(self._batches.document(document_id(batch_id)))

    def _stored(self, batch_id: BatchId) -> Batch | None:
        snapshot = self._documents.read(self._batches.document(document_id(batch_id)))
        return None if snapshot is None else BATCH.read(snapshot)
