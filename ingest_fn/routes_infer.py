"""POST /infer: a document by URL, or as an upload."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from ingest_fn.context import Context
from ingest_fn.dependencies import Ctx, Tenant
from ingest_fn.requests import CommonBody, UploadBody, UrlBody, checked, read_json
from ingest_fn.sources import checked_source, too_large
from ingest_fn.submit import Submission, Submitted, Upload, sha256_of, submit_object, submit_upload, submit_url
from shared.domain.errors import InvalidRequest
from shared.domain.job import SourceKind

router = APIRouter()

_MOST_FIELDS = 20
_LONGEST_NAME = 255
_RETRY_SECONDS = "1"

_REF = "#/components/schemas/{model}"

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": _REF.format(model=UrlBody.__name__)}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **{name: {"type": "string"} for name in UploadBody.model_fields},
                    },
                }
            },
        },
    }
}


def body_schemas() -> dict[str, Any]:
    """The schemas of the JSON body, for the contract's components."""
    _, schemas = models_json_schema([(UrlBody, "validation")], ref_template=_REF)
    return dict(schemas["$defs"])


@router.post("/infer", status_code=202, openapi_extra=_BODY)
async def infer(request: Request, context: Ctx, tenant: Tenant) -> JSONResponse:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=_MOST_FIELDS) as form:
            submitted = await run_in_threadpool(_infer_upload, form, request, context, tenant)
    else:
        body = await request.body()
        submitted = await run_in_threadpool(_infer_url, body, request, context, tenant)
    return _accepted(submitted)


def _infer_url(body: bytes, request: Request, context: Context, tenant: str) -> Submitted:
    fields = checked(UrlBody, read_json(body))
    source = checked_source(fields.source, tenant=tenant, guard=context.sources, objects=context.platform.objects)
    submit = submit_object if source.kind is SourceKind.OBJECT else submit_url
    submission = _submission(fields, request, context, tenant)
    return submit(submission, source.location, platform=context.platform, new_id=context.new_id)


def _infer_upload(form: FormData, request: Request, context: Context, tenant: str) -> Submitted:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidRequest("no file", public="file: the form has no file of this name.")
    others: dict[str, Any] = {name: value for name, value in form.multi_items() if name != "file"}
    if isinstance(others.get("options"), str):
        others["options"] = read_json(others["options"])
    fields = checked(UploadBody, others)
    largest = context.platform.settings.max_bytes
    if (file.size or 0) > largest:
        raise too_large(largest)
    upload = Upload(file=file.file, name=(file.filename or "upload")[:_LONGEST_NAME], sha256=sha256_of(file.file))
    submission = _submission(fields, request, context, tenant)
    return submit_upload(submission, upload, platform=context.platform, new_id=context.new_id)


def _submission(fields: CommonBody, request: Request, context: Context, tenant: str) -> Submission:
    callback = str(context.callbacks.check(fields.callback_url)) if fields.callback_url else None
    key = fields.idempotency_key or request.headers.get("idempotency-key")
    return fields.submission(tenant, callback, key=key)


def _accepted(submitted: Submitted) -> JSONResponse:
    job = submitted.job
    headers = {"Location": f"/jobs/{job.id}", "Retry-After": _RETRY_SECONDS}
    if submitted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return JSONResponse({"job_id": job.id, "status": job.status}, status_code=202, headers=headers)
