"""Errors as callers see them: RFC 9457 problem details with a stable `code`, never an exception's own text."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ingest_fn.requests import explained
from shared.domain.errors import InvalidRequest, PagemillError, RequestError, Unavailable, UnknownJob
from shared.ports.objects import UnknownObject

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = "5"


def problem(status: int, code: str, detail: str, *, retry_after: int | None = None) -> JSONResponse:
    body = {
        "type": f"urn:pagemill:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    headers = {"Retry-After": str(retry_after or _RETRY_SECONDS)} if status in {429, 503} else None
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    app.add_exception_handler(PagemillError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _ours(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RequestError):
        return problem(error.http_status, error.code, error.public, retry_after=error.retry_after)
    if isinstance(error, UnknownObject):  # erased between the look at its record and this
        return problem(UnknownJob.http_status, UnknownJob.code, UnknownJob.public)
    return problem(Unavailable.http_status, Unavailable.code, Unavailable.public)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return problem(InvalidRequest.http_status, InvalidRequest.code, explained(error.errors()))


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    return problem(error.status_code, phrase.lower().replace(" ", "_"), f"{phrase}.")
