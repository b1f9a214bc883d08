"""Where batches are kept; their jobs are the job store's."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from shared.domain.batch import Batch, BatchId


class BatchStore(Protocol):
    """Every method is safe to call from any thread and any process, and raises Unavailable where the store is not."""

    def add(self, batch: Batch) -> tuple[Batch, bool]:
        """Store a new batch and return it and True; where its id is known, return the stored one and False."""

    def get(self, batch_id: BatchId) -> Batch:
        """Raises UnknownBatch."""

    def update(self, batch_id: BatchId, change: Callable[[Batch], Batch]) -> Batch:
        """As `JobStore.update`. Raises UnknownBatch."""

    def overdue(self, *, now: datetime, limit: int) -> tuple[Batch, ...]:
        """Return batches whose `next_check_at` has come, the longest overdue first."""

    def forget(self, batch_id: BatchId) -> None:
        """Remove the record; its jobs stay until they expire by themselves. Idempotent."""
