"""`functions-framework --source tests/crashing_function.py --target crashing`: the API with two routes that crash."""

import os
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import functions_framework.aio
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ingest_fn.api import api
from ingest_fn.context import context
from shared.functions import AtStart, opened_function

_http = cast("Callable[[Callable[[Request], Awaitable[Response]]], object]", functions_framework.aio.http)


@_http
async def crashing(request: Request) -> Response:
    del request
    return cast("Response", await run_in_threadpool(_built))


def _build() -> FastAPI:
    opened = opened_function(os.environ, name="crashing")
    app = api(context(opened.platform, links=opened.links))
    app.add_api_route("/crash/{text}", _crash)
    app.add_api_route("/break-off/{text}", _break_off)
    return app


def _crash(text: str) -> None:
    raise LookupError(text)


def _break_off(text: str) -> StreamingResponse:
    def content() -> Iterator[bytes]:
        yield b"begun"
        raise LookupError(text)

    return StreamingResponse(content())


_built = AtStart("crashing", _build)
