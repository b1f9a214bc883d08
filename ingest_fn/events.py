"""Cloud Storage's events as Eventarc delivers them, at least once: what was dropped, and where."""

import logging
from collections.abc import Mapping
from typing import Any

from cloudevents.exceptions import GenericException
from cloudevents.http import from_http
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ingest_fn.drop import Dropped, drop
from ingest_fn.inbox import Dropping
from shared.adapters.google.push import OidcVerifier
from shared.callers import body_of, refusal
from shared.consume import survived
from shared.domain.messages import MalformedMessage
from shared.tracing import span

log = logging.getLogger(__name__)

_DONE, _AGAIN = 204, 503


async def take_event(request: Request, dropping: Dropping, check: OidcVerifier | None) -> Response:
    """Act on one event: 204 takes it, 503 asks for it again, 401 refuses a stranger's.

    An event that is none, or of another bucket than the inbox, is logged and taken: it would be no better next time.
    """
    refused = await refusal(request, check)
    if refused is not None:
        return refused
    try:
        data = _data(request.headers, await body_of(request))
        dropped = _dropped(data, bucket=dropping.platform.settings.inbox_bucket)
    except MalformedMessage as error:
        dropping.platform.metrics.malformed_messages.inc()
        log.error("malformed event", extra={"reason": str(error)})  # noqa: TRY400 - its trace says nothing more
        return Response(status_code=_DONE)
    return Response(status_code=_DONE if await run_in_threadpool(_is_done, dropped, dropping) else _AGAIN)


def _is_done(dropped: Dropped, dropping: Dropping) -> bool:
    def act() -> None:
        with span("handle drop"):
            drop(dropped, dropping)

    return survived(act, "drop", dropping.platform.metrics) is None


def _data(headers: Mapping[str, str], body: bytes) -> Any:
    try:
        return from_http(headers, body).data
    except GenericException as error:
        raise MalformedMessage(f"{len(body)} bytes: {type(error).__name__}") from error


def _dropped(data: Any, *, bucket: str | None) -> Dropped:
    if not isinstance(data, Mapping):
        raise MalformedMessage("no object's event")
    if bucket is None or data.get("bucket") != bucket:
        raise MalformedMessage("of another bucket than the inbox")
    name, version, size = data.get("name"), str(data.get("generation", "")), str(data.get("size", "0"))
    if not isinstance(name, str) or not version.isdecimal() or not size.isdecimal():
        raise MalformedMessage("no name, generation or size")
    return Dropped(name=name, version=version, size=int(size))
