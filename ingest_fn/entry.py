"""How functions-framework serves ingestion, one target a process: `functions-framework --target submit`.

What a target needs is imported when it starts, so that none pays for the others.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.functions import AtStart, opened_function, target

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ingest_fn.inbox import Dropping
    from shared.adapters.google.push import OidcVerifier
    from shared.push import PushEnd


_DONE, _AGAIN = 204, 503


@target
async def submit(request: Request) -> Response:
    """Answer with the ASGI application itself, which the framework then calls."""
    del request
    return cast("Response", await _api.there())


@target
async def prepare(request: Request) -> Response:
    """A document was accepted: fetch it, open it, cut it into page ranges."""
    from shared.push import take_push  # noqa: PLC0415

    return await take_push(request, await _preparing.there())


@target
async def drop(request: Request) -> Response:
    """An object in the inbox was finished: start what it asks for.

    The framework's own handling of events would keep the caller's token from us.
    """
    from ingest_fn.events import take_event  # noqa: PLC0415

    called = await _dropping.there()
    return await take_event(request, called.dropping, called.verifier)


@target
async def sweep(request: Request) -> Response:
    """Heal whatever is overdue; called by the scheduler."""
    from ingest_fn.sweep_all import sweep_all  # noqa: PLC0415
    from shared.callers import refusal  # noqa: PLC0415

    called = await _sweeping.there()
    refused = await refusal(request, called.verifier)
    if refused is not None:
        return refused
    return Response(status_code=_DONE if await run_in_threadpool(sweep_all, called.dropping) else _AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Called:
    """`verifier` is None where an emulator calls, without tokens."""

    dropping: "Dropping"
    verifier: "OidcVerifier | None"


def _built_api() -> "FastAPI":
    from ingest_fn.api import api  # noqa: PLC0415
    from ingest_fn.context import context  # noqa: PLC0415

    opened = opened_function(os.environ, name="submit", needs=("sealing_key",))
    return api(context(opened.platform, links=opened.links))


def _built_prepare() -> "PushEnd":
    from ingest_fn.prepare import KEEP_SECONDS, Preparing, keep  # noqa: PLC0415
    from ingest_fn.prepare import prepare as prepare_document  # noqa: PLC0415
    from shared.consume import Periodic  # noqa: PLC0415
    from shared.domain.messages import PrepareDocument, Topic  # noqa: PLC0415
    from shared.net.guard import Guard  # noqa: PLC0415
    from shared.push import push_end  # noqa: PLC0415
    from shared.wiring import started_sandbox  # noqa: PLC0415

    platform = opened_function(os.environ, name="prepare", needs=("sealing_key",)).platform
    renderer, guard = started_sandbox(platform.settings), Guard(allowed=platform.settings.fetch_allow)
    parts = Preparing(platform=platform, sandbox=renderer, guard=guard)
    Periodic("prepare-claims", lambda: keep(parts), seconds=KEEP_SECONDS, metrics=platform.metrics).start()

    def handle(message: Any) -> None:
        if isinstance(message, PrepareDocument):
            prepare_document(message, parts)

    return push_end(platform, Topic.DOCUMENTS, handle)


def _built_dropping(name: str, *, needs: tuple[str, ...]) -> _Called:
    from ingest_fn.guards import guards  # noqa: PLC0415
    from ingest_fn.inbox import Dropping  # noqa: PLC0415
    from ingest_fn.submit import new_id  # noqa: PLC0415
    from shared.callers import verifier  # noqa: PLC0415

    platform = opened_function(os.environ, name=name, needs=needs).platform
    sources, callbacks = guards(platform.settings)
    dropping = Dropping(platform=platform, sources=sources, callbacks=callbacks, new_id=new_id)
    return _Called(dropping=dropping, verifier=verifier(platform.settings))


_api = AtStart("submit", _built_api)
_preparing = AtStart("prepare", _built_prepare)
_dropping = AtStart("drop", lambda: _built_dropping("drop", needs=("inbox_bucket", "sealing_key")))
_sweeping = AtStart("sweep", lambda: _built_dropping("sweep", needs=()))
