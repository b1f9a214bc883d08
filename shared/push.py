"""The receiving end of a push subscription: who pushes is checked, what is pushed is handled, or comes again."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from anyio import CapacityLimiter, move_on_after, to_thread
from starlette.requests import Request
from starlette.responses import Response

from shared.adapters.google.push import OidcVerifier, Push, pushed
from shared.callers import body_of, refusal, verifier
from shared.consume import attempted
from shared.domain.messages import MalformedMessage, Message, Topic
from shared.wiring import Platform

log = logging.getLogger(__name__)

_DONE, _FULL, _AGAIN = 204, 429, 503
_AT_ONCE = 8
"""Messages in hand of one process; most of that is waiting for strangers' servers."""
_PATIENCE_SECONDS = 5.0
"""How long a message waits here for its turn: its ack deadline runs, and another process may have room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEnd:
    """`verifier` is None where an emulator pushes, without tokens."""

    platform: Platform
    topic: Topic
    handle: Callable[[Message], None]
    verifier: OidcVerifier | None
    places: CapacityLimiter
    patience: float = _PATIENCE_SECONDS


def push_end(platform: Platform, topic: Topic, handle: Callable[[Message], None]) -> PushEnd:
    """Raises SettingsError where nobody would know who pushes."""
    check, places = verifier(platform.settings), CapacityLimiter(_AT_ONCE)
    return PushEnd(platform=platform, topic=topic, handle=handle, verifier=check, places=places)


async def take_push(request: Request, end: PushEnd) -> Response:
    """Answer one push: 204 takes it off the bus, 429 and 503 have it come again, 401 refuses a stranger's."""
    refused = await refusal(request, end.verifier)
    if refused is not None:
        return refused
    try:
        push = pushed(await body_of(request))
    except MalformedMessage as error:
        end.platform.metrics.malformed_messages.inc()
        log.error("malformed message", extra={"reason": str(error)})  # noqa: TRY400 - its trace says nothing more
        return Response(status_code=_DONE)
    return await _in_turn(push, end)


async def _in_turn(push: Push, end: PushEnd) -> Response:
    turn = object()
    with move_on_after(end.patience) as waited:
        await end.places.acquire_on_behalf_of(turn)
    if waited.cancelled_caught:
        return Response(status_code=_FULL)
    try:
        return await to_thread.run_sync(_handled, push, end)
    finally:
        end.places.release_on_behalf_of(turn)


def _handled(push: Push, end: PushEnd) -> Response:
    obstacle = attempted(push.message, push.trace, end.handle, topic=end.topic, metrics=end.platform.metrics)
    return Response(status_code=_DONE if obstacle is None else _AGAIN)
