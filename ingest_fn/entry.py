"""How functions-framework serves ingestion, one target a process: `functions-framework --target submit`.

What a target needs is imported when it starts, so that none pays for the others.
"""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import functions_framework.aio
from cloudevents.http.event import CloudEvent
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.functions import AtStart, opened_function

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ingest_fn.inbox import Dropping
    from shared.push import PushEnd

_Handler = Callable[[Request], Awaitable[Response]]
_EventHandler = Callable[[CloudEvent], Awaitable[None]]
_http = cast("Callable[[_Handler], _Handler]", functions_framework.aio.http)
_cloud_event = cast("Callable[[_EventHandler], _EventHandler]", functions_framework.aio.cloud_event)

_DONE, _AGAIN = 204, 503


@_http
async def submit(request: Request) -> Response:
    """Answer with the ASGI application itself, which the framework then calls."""
    del request
    return cast("Response", await run_in_threadpool(_api))


@_http
async def prepare(request: Request) -> Response:
    """A document was accepted: fetch it, open it, cut it into page ranges."""
    from shared.push import take_push  # noqa: PLC0415

    return await take_push(request, await run_in_threadpool(_preparing))


@_cloud_event
async def drop(event: CloudEvent) -> None:
    """An object in the inbox was finished: start what it asks for."""
    from ingest_fn.events import take_event  # noqa: PLC0415

    dropping = await run_in_threadpool(_dropping)
    if not await run_in_threadpool(take_event, event.data, dropping):
        raise HTTPException(_AGAIN)


@_http
async def sweep(request: Request) -> Response:
    """Heal whatever is overdue; called by the scheduler."""
    del request
    from ingest_fn.sweep_all import sweep_all  # noqa: PLC0415

    dropping = await run_in_threadpool(_sweeping)
    return Response(status_code=_DONE if await run_in_threadpool(sweep_all, dropping) else _AGAIN)


def _built_api() -> "FastAPI":
    from ingest_fn.api import api  # noqa: PLC0415
    from ingest_fn.context import context  # noqa: PLC0415

    opened = opened_function(os.environ, target="submit")
    return api(context(opened.platform, links=opened.links))


def _built_prepare() -> "PushEnd":
    from ingest_fn.prepare import Preparing  # noqa: PLC0415
    from ingest_fn.prepare import prepare as prepare_document  # noqa: PLC0415
    from shared.domain.messages import PrepareDocument, Topic  # noqa: PLC0415
    from shared.net.guard import Guard  # noqa: PLC0415
    from shared.push import push_end  # noqa: PLC0415
    from shared.wiring import sandbox  # noqa: PLC0415

    platform = opened_function(os.environ, target="prepare").platform
    renderer = sandbox(platform.settings)
    renderer.start()
    parts = Preparing(platform=platform, sandbox=renderer, guard=Guard(allowed=platform.settings.fetch_allow))

    def handle(message: Any) -> None:
        if isinstance(message, PrepareDocument):
            prepare_document(message, parts)

    return push_end(platform, Topic.DOCUMENTS, handle)


def _built_dropping(target: str) -> "Dropping":
    from ingest_fn.guards import guards  # noqa: PLC0415
    from ingest_fn.inbox import Dropping  # noqa: PLC0415
    from ingest_fn.submit import new_id  # noqa: PLC0415

    platform = opened_function(os.environ, target=target).platform
    sources, callbacks = guards(platform.settings)
    return Dropping(platform=platform, sources=sources, callbacks=callbacks, new_id=new_id)


_api = AtStart("submit", _built_api)
_preparing = AtStart("prepare", _built_prepare)
_dropping = AtStart("drop", lambda: _built_dropping("drop"))
_sweeping = AtStart("sweep", lambda: _built_dropping("sweep"))
