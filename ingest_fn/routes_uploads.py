"""Direct uploads: POST /uploads gives a link, to which the document is sent by PUT. Where objects are files, here."""

import tempfile
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from ingest_fn.context import Context
from ingest_fn.dependencies import Ctx, Tenant
from ingest_fn.sources import too_large
from ingest_fn.uploads import offer_upload
from shared.domain.errors import AlreadyUploaded, LinkNotValid

router = APIRouter()


class UploadLinkQuery(BaseModel):
    expires: int
    max_bytes: int
    signature: str


@router.post("/uploads", status_code=201)
def offer(context: Ctx, tenant: Tenant) -> dict[str, Any]:
    """Send the document by PUT to `upload_url`, with exactly these headers; then `uri` is what `/infer` takes."""
    offered = offer_upload(tenant, context.new_id(), context.platform)
    return {
        "upload_url": offered.link.url,
        "uri": offered.uri,
        "headers": dict(offered.link.headers),
        "expires_at": offered.expires_at.isoformat(),
    }


@router.put("/objects/{name:path}", status_code=201, include_in_schema=False)
async def receive(name: str, link: Annotated[UploadLinkQuery, Query()], request: Request, context: Ctx) -> Response:
    """Take an upload by a link that this installation signed: whole, or nothing of it."""
    _check_link(name, link, context)
    objects = context.platform.objects
    if await run_in_threadpool(objects.exists, name):
        raise AlreadyUploaded(name)
    with tempfile.TemporaryFile() as unnamed:
        file = cast("BinaryIO", unnamed)
        try:
            await _spool(request, file, link.max_bytes)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        if not await run_in_threadpool(objects.create, name, file):
            raise AlreadyUploaded(name)
    return Response(status_code=201)


def _check_link(name: str, link: UploadLinkQuery, context: Context) -> None:
    if context.links is None or not context.links.allows_upload(
        name, expires=link.expires, max_bytes=link.max_bytes, signature=link.signature
    ):
        raise LinkNotValid(name)


async def _spool(request: Request, file: BinaryIO, most: int) -> None:
    """Onto the disk as it comes, so that a slow sender holds neither memory nor a thread."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise too_large(most)
        await run_in_threadpool(file.write, chunk)
    file.seek(0)
