"""Jobs: their state, their results, and what may be done to them."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from ingest_fn import rounds
from ingest_fn.context import Context
from ingest_fn.dependencies import Ctx, KnownJob, Tenant
from ingest_fn.results import archive, result_view
from ingest_fn.views import callbacks_view, failure_view, job_view, usage_view
from shared.domain.errors import IllegalMove
from shared.domain.job import Job
from shared.domain.status import Status
from shared.layout import result_json, result_markdown
from shared.parallel import at_once

router = APIRouter()

_LONGEST_WAIT = 60
_COUNTED_AT_ONCE = 16
_RETRY = {"Retry-After": "1"}


@router.get("/jobs")
def list_jobs(
    context: Ctx,
    tenant: Tenant,
    status: Status | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    store = context.platform.store
    found = store.search(tenant, status=status, batch=None, cursor=cursor, limit=limit)
    asked = [job for job in found.jobs if job.known_progress is None]
    counts = at_once(store.progress, asked, most=_COUNTED_AT_ONCE)
    counted = {job.id: progress for job, progress in zip(asked, counts, strict=True)}
    views = [job_view(job, job.known_progress or counted[job.id]) for job in found.jobs]
    return {"jobs": views, "cursor": found.cursor}


@router.get("/jobs/{job_id}")
async def get_job(
    job: KnownJob, context: Ctx, wait: Annotated[float, Query(ge=0, le=_LONGEST_WAIT)] = 0
) -> dict[str, Any]:
    """With `wait`, answer when the status changes, or after so many seconds."""
    if wait and job.is_unfinished:
        job = await _changed(job, context, wait)
    progress = job.known_progress
    if progress is None:
        progress = await run_in_threadpool(context.platform.store.progress, job)
    return job_view(job, progress)


@router.get("/jobs/{job_id}/result")
def get_result(job: KnownJob, context: Ctx, images: Literal["base64", "url"] = "base64") -> JSONResponse:
    head = {"job_id": job.id, "status": job.status}
    if job.is_unfinished:
        return JSONResponse(head, status_code=202, headers=_RETRY)
    if job.status is not Status.FINISHED:
        return JSONResponse(head | {"error": failure_view(job.error)})
    result = result_view(job, context.platform.objects, as_links=images == "url")
    ended = {"partial": job.partial, "round": job.round, "usage": usage_view(job.usage)}
    return JSONResponse(head | ended | {"result": result})


@router.get("/jobs/{job_id}/result.md")
def get_markdown(job: KnownJob, context: Ctx) -> Response:
    data = context.platform.objects.read(result_markdown(_finished(job).id, job.round))
    return Response(data, media_type="text/markdown; charset=utf-8")


@router.get("/jobs/{job_id}/result.json")
def get_json(job: KnownJob, context: Ctx) -> Response:
    data = context.platform.objects.read(result_json(_finished(job).id, job.round))
    return Response(data, media_type="application/json")


@router.get("/jobs/{job_id}/result.zip")
def get_archive(job: KnownJob, context: Ctx) -> StreamingResponse:
    pieces: Iterator[bytes] = archive(_finished(job), context.platform.objects)
    headers = {"Content-Disposition": f'attachment; filename="{job.id}.zip"'}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.delete("/jobs/{job_id}", status_code=202)
def delete_job(job: KnownJob, context: Ctx) -> dict[str, Any]:
    rounds.delete(job.id, context.platform)
    return {"job_id": job.id, "status": "deleted"}


@router.post("/jobs/{job_id}/cancel")
def cancel_job(job: KnownJob, context: Ctx) -> dict[str, Any]:
    cancelled = rounds.cancel(job.id, context.platform)
    return job_view(cancelled, cancelled.known_progress or context.platform.store.progress(job))


@router.post("/jobs/{job_id}/retry", status_code=202)
def retry_job(job: KnownJob, context: Ctx) -> JSONResponse:
    opened = rounds.retry(job.id, context.platform)
    body = {"job_id": opened.id, "status": opened.status, "round": opened.round}
    return JSONResponse(body, status_code=202, headers=_RETRY | {"Location": f"/jobs/{opened.id}"})


@router.get("/jobs/{job_id}/callbacks")
def get_callbacks(job: KnownJob, context: Ctx) -> dict[str, Any]:
    return callbacks_view(job, context.platform.store.attempts(job.id))


@router.post("/jobs/{job_id}/callbacks/replay", status_code=202)
def replay_callback(job: KnownJob, context: Ctx) -> dict[str, Any]:
    replayed = rounds.replay_callback(job.id, context.platform)
    return callbacks_view(replayed, context.platform.store.attempts(job.id))


async def _changed(job: Job, context: Context, wait: float) -> Job:
    """Return the job once its status or round is another, or as it is when the time is over."""
    store, loop = context.platform.store, asyncio.get_running_loop()
    found: asyncio.Future[Job] = loop.create_future()

    def changed(latest: Job) -> None:
        loop.call_soon_threadsafe(_settle, found, latest)

    with store.watch(job, changed):
        try:
            return await asyncio.wait_for(found, wait)
        except TimeoutError:
            return await run_in_threadpool(store.get, job.id)


def _settle(found: asyncio.Future[Job], job: Job) -> None:
    if not found.done():
        found.set_result(job)


def _finished(job: Job) -> Job:
    if job.status is not Status.FINISHED:
        raise IllegalMove(f"{job.id} is {job.status}", public=f"The job is {job.status}; it has no result.")
    return job
