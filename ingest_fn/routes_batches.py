"""Batches: how far a list is, and its jobs."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ingest_fn.dependencies import Ctx, Tenant
from ingest_fn.views import batch_view, line_view
from shared.domain.batch import BatchId
from shared.domain.errors import UnknownBatch
from shared.domain.status import Status

router = APIRouter()


@router.get("/batches/{batch_id}")
def get_batch(
    batch_id: str,
    context: Ctx,
    tenant: Tenant,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """How many of a list's jobs stand where, and some of them, the last lines first."""
    platform = context.platform
    batch = platform.batches.get(BatchId(batch_id))
    if batch.tenant != tenant:
        raise UnknownBatch(batch_id)
    counts: Mapping[Status, int] = platform.store.count(tenant, batch=batch_id)
    found = platform.store.search(tenant, status=None, batch=batch_id, cursor=cursor, limit=limit)
    jobs = [line_view(job) for job in found.jobs]
    return batch_view(batch, counts, platform.objects) | {"jobs": jobs, "cursor": found.cursor}
