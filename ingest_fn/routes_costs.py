"""What a tenant's jobs cost, by day."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ingest_fn.dependencies import Ctx, Tenant
from ingest_fn.views import MOST_DAYS, costs_view

router = APIRouter()


@router.get("/costs")
def get_costs(context: Ctx, tenant: Tenant, days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 7) -> dict[str, Any]:
    """The sums of what ended today and on the days before, in UTC; jobs that were deleted since are counted."""
    platform = context.platform
    today = platform.clock.now().date()
    lines = platform.store.costs(first=today - timedelta(days=days - 1), last=today, tenant=tenant)
    return costs_view(lines)
