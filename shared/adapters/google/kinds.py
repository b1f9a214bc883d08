"""How each record is stored: as JSON, and beside it the few fields that are asked for."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from google.cloud.firestore_v1.base_document import DocumentSnapshot

from shared.adapters.google.indexes import TTL_FIELD, TTL_SLACK
from shared.domain.batch import Batch
from shared.domain.callback import CallbackAttempt
from shared.domain.job import Job
from shared.domain.page import Page, PageRange
from shared.records import UnreadableRecord, from_json, to_json

T = TypeVar("T")

Fields = Mapping[str, Any]

_ID = re.compile(r"(?!\.{1,2}$|__)[A-Za-z0-9._-]{1,200}", re.ASCII)
_NOBODY = "~nobody"
"""Stands for every id that no record can have: it has a character that none of them has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """The record is one string: Firestore would index each field of a map, and the SDK takes long to read one."""

    record: type[T]
    indexed: Callable[[T], Fields]

    def fields(self, record: T) -> dict[str, Any]:
        """`write` tells this write from every other: who got no answer can see whether it came."""
        return {**self.indexed(record), "body": to_json(record).decode(), "write": uuid.uuid4().hex}

    def read(self, snapshot: DocumentSnapshot[Any]) -> T:
        """Raises UnreadableRecord."""
        body = field(snapshot, "body")
        if not isinstance(body, str):
            raise UnreadableRecord(f"{self.record.__name__}: no body")
        return from_json(self.record, body)


def field(snapshot: DocumentSnapshot[Any], name: str) -> Any:
    """Return None where there is no such field, as in a document that is damaged."""
    return (snapshot.to_dict() or {}).get(name)


def document_id(text: str) -> str:
    """Return the text where it can be the id of a record, else one that nobody has."""
    return text if is_document_id(text) else _NOBODY


def is_document_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _job(job: Job) -> Fields:
    """`listed` is the tenant, or null for a job that is marked for erasing: no listing shows it."""
    return {
        "listed": None if job.erased_at else job.tenant,
        "status": job.status.value,
        "batch": job.batch,
        "created_at": job.created_at,
        "next_check_at": job.next_check_at,
        TTL_FIELD: _later(job.tombstone_until or (None if job.is_unfinished else job.expires_at)),
    }


def _batch(batch: Batch) -> Fields:
    return {"next_check_at": batch.next_check_at, TTL_FIELD: _later(batch.expires_at)}


def _later(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment + TTL_SLACK


JOB = Kind(record=Job, indexed=_job)
PAGE = Kind(record=Page, indexed=lambda page: {"status": page.status.value})
RANGE = Kind(record=PageRange, indexed=lambda _: {})
ATTEMPT = Kind(record=CallbackAttempt, indexed=lambda _: {})
BATCH = Kind(record=Batch, indexed=_batch)
