"""Listings of jobs, newest first: the query, and the cursor that goes on where one ended."""

import base64
import re
from datetime import UTC, datetime, timedelta

from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.collection import CollectionReference
from google.cloud.firestore_v1.query import Query

from shared.adapters.google.indexes import DESCENDING
from shared.adapters.google.kinds import is_document_id
from shared.domain.errors import InvalidRequest
from shared.domain.job import Job
from shared.domain.status import Status

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"(\d{1,18}) ([!-~]{1,200})", re.ASCII)


def listed(jobs: CollectionReference, tenant: str, *, status: Status | None, batch: str | None) -> Query:
    query = jobs.where(filter=FieldFilter("listed", "==", tenant))
    if status is not None:
        query = query.where(filter=FieldFilter("status", "==", status.value))
    if batch is not None:
        query = query.where(filter=FieldFilter("batch", "==", batch))
    return query.order_by("created_at", direction=DESCENDING).order_by("__name__", direction=DESCENDING)


def after(query: Query, cursor: str | None) -> Query:
    """Raises InvalidRequest."""
    if cursor is None:
        return query
    created_at, job_id = _read(cursor)
    return query.start_after({"created_at": created_at, "__name__": job_id})


def cursor_of(job: Job) -> str:
    microseconds = (job.created_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{microseconds} {job.id}".encode()).decode()


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        match = _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor.encode()).decode())
        if match is not None and is_document_id(match[2]):
            return _EPOCH + timedelta(microseconds=int(match[1])), match[2]
    except (ValueError, OverflowError):
        pass  # as one that is none of ours
    raise InvalidRequest("cursor", public="The cursor is not one that this service gave out.")
