"""How functions-framework serves the API: `functions-framework --target submit`."""

import os
from collections.abc import Awaitable, Callable
from functools import cache
from typing import cast

import functions_framework.aio
from fastapi import FastAPI, Request, Response

from ingest_fn.api import api
from ingest_fn.context import context
from shared.config import read_settings
from shared.logs import set_up_logging
from shared.wiring import embedded

_Handler = Callable[[Request], Awaitable[Response]]
_http = cast("Callable[[_Handler], _Handler]", functions_framework.aio.http)


@_http
async def submit(request: Request) -> Response:
    """Answer with the ASGI application itself, which the framework then calls."""
    del request
    return cast("Response", _app())


@cache
def _app() -> FastAPI:
    settings = read_settings(os.environ)
    set_up_logging(settings.log_level)
    opened = embedded(settings, base_url=settings.public_url or f"http://{settings.host}:{settings.port}")
    return api(context(opened.platform, links=opened.files))
