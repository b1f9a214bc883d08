"""A batch's report, beside its results: a line for each job, and then the one object that says that it is whole."""

import json
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from shared.domain.batch import Batch
from shared.domain.callback import CallbackEnd, Channel
from shared.domain.errors import Cancelled
from shared.domain.job import Job, SourceKind
from shared.domain.status import Status
from shared.outbox import ERROR, REPORT, SUCCESS, round_folder
from shared.ports.objects import ObjectStore
from shared.wiring import Platform

_PAGE = 200


def write_report(batch: Batch, platform: Platform) -> bool:
    """Write the report, once; False where the results of a job are still on their way to the outbox."""
    found: list[tuple[int, bytes]] = []
    counts = dict.fromkeys(Status, 0)
    for job in batch_jobs(batch, platform):
        if job.is_unfinished or _is_on_its_way(job):
            return False
        counts[job.status] += 1
        found.append((job.line or 0, _encoded(_line(job, platform.objects)) + b"\n"))
    with tempfile.TemporaryFile() as unnamed:
        file = cast("BinaryIO", unnamed)
        file.writelines(line for _, line in sorted(found))
        file.seek(0)
        platform.objects.create(f"{batch.outbox}/{REPORT}", file)
    _conclude(batch, counts, platform.objects)
    return True


def batch_jobs(batch: Batch, platform: Platform) -> Iterator[Job]:
    """Yield the batch's jobs that were not erased, newest first."""
    cursor = None
    while True:
        page = platform.store.search(batch.tenant, status=None, batch=batch.id, cursor=cursor, limit=_PAGE)
        yield from page.jobs
        if page.cursor is None:
            return
        cursor = page.cursor


def _is_on_its_way(job: Job) -> bool:
    copied = job.callback_of(job.round, Channel.OUTBOX)
    return copied is not None and copied.end is None


def _line(job: Job, objects: ObjectStore) -> dict[str, object]:
    failure = job.error or (Cancelled().failure if job.status is Status.CANCELLED else None)
    return {
        "line": job.line,
        "source": _source(job, objects),
        "job_id": job.id,
        "status": job.status,
        "partial": job.partial,
        "code": failure.code if failure else None,
        "result": _result(job, objects),
    }


def _source(job: Job, objects: ObjectStore) -> str:
    """Without the query, which may hold secrets; a source that was refused is shown by its name."""
    if job.source.kind is SourceKind.OBJECT:
        return objects.uri(job.source.location)
    return job.source.location.partition("?")[0].partition("#")[0] or job.source.name


def _result(job: Job, objects: ObjectStore) -> str | None:
    """The folder of the last round's results; None where they could not be copied."""
    copied = job.callback_of(job.round, Channel.OUTBOX)
    if job.outbox is None or copied is None or copied.end is not CallbackEnd.DELIVERED:
        return None
    return objects.uri(round_folder(job.outbox, job.round)) + "/"


def _conclude(batch: Batch, counts: dict[Status, int], objects: ObjectStore) -> None:
    """Jobs that were erased before the report was written are in no line of it, and counted."""
    ended = {status: count for status, count in counts.items() if count}
    total = max(batch.total or 0, sum(ended.values()))
    summary = {"batch_id": batch.id, "total": total, "counts": ended, "erased": total - sum(ended.values())}
    if batch.error is None:
        objects.create(f"{batch.outbox}/{SUCCESS}", _encoded(summary))
    else:
        failure = {"code": batch.error.code, "message": batch.error.message}
        objects.create(f"{batch.outbox}/{ERROR}", _encoded(failure | summary))


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
