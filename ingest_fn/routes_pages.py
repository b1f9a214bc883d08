"""Pages, as soon as each is done, and images."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from ingest_fn.context import Context
from ingest_fn.dependencies import Ctx, KnownJob
from ingest_fn.views import page_summary, page_view
from shared.assemble import outcome
from shared.domain.errors import UnknownPage
from shared.domain.job import Job
from shared.domain.page import Page, PageStatus
from shared.layout import image_object, page_image
from shared.ports.objects import UnknownObject

router = APIRouter()

_KINDS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
}
# The bytes come from a stranger's document: shown as an image, never interpreted as anything else.
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=3600",
}


@router.get("/jobs/{job_id}/pages")
def list_pages(job: KnownJob, context: Ctx) -> dict[str, Any]:
    """Every page of the job and where it stands; none before the document was opened."""
    pages = context.platform.store.pages(job.id)
    return {"job_id": job.id, "pages": [page_summary(page) for page in pages]}


@router.get("/jobs/{job_id}/pages/{number}")
def get_page(job: KnownJob, number: int, context: Ctx) -> JSONResponse:
    page = _page(job, number, context)
    if page.status is PageStatus.PENDING:
        status, headers = (202, {"Retry-After": "1"}) if job.is_unfinished else (200, {})
        return JSONResponse(page_view(job, page, None), status_code=status, headers=headers)
    found = outcome(job.id, page, context.platform.objects)
    return JSONResponse(page_view(job, page, found.read))


@router.get("/jobs/{job_id}/pages/{number}/image")
def get_page_image(job: KnownJob, number: int, context: Ctx) -> Response:
    return _image(page_image(job.id, _page(job, number, context).number), context)


@router.get("/jobs/{job_id}/images/{name}")
def get_image(job: KnownJob, name: str, context: Ctx) -> Response:
    return _image(image_object(job.id, f"images/{name}"), context)


@router.get("/objects/{name:path}", include_in_schema=False)
def get_linked(name: str, expires: int, signature: str, context: Ctx) -> Response:
    """Serve a link that this installation signed; any other is as unknown as one that has expired."""
    if context.links is None or not context.links.allows(name, expires=expires, signature=signature):
        raise UnknownPage(name, public="The link is not valid, or no longer.")
    return _image(name, context)


def _page(job: Job, number: int, context: Context) -> Page:
    for page in context.platform.store.pages(job.id, [number]):
        return page
    raise UnknownPage(f"{job.id}: {number}")


def _image(name: str, context: Context) -> Response:
    kind = _KINDS.get(name.rpartition(".")[2], "application/octet-stream")
    try:
        file = context.platform.objects.open(name)
    except (UnknownObject, ValueError) as error:
        raise UnknownPage(name) from error
    return Response(file.read(), media_type=kind, headers=_SAFE)
