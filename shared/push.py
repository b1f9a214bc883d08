"""The receiving end of a push subscription: who pushes is checked, what is pushed is handled, or comes again."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from shared.adapters.google.push import OidcVerifier, pushed
from shared.consume import attempted
from shared.domain.errors import Unauthorized, Unavailable
from shared.domain.messages import MalformedMessage, Message, Topic
from shared.wiring import Platform

log = logging.getLogger(__name__)

_DONE, _AGAIN, _STRANGER = 204, 503, 401
_AT_ONCE = 8
"""Messages in hand of one process; most of that is waiting for strangers' servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEnd:
    """`verifier` is None where an emulator pushes, without tokens."""

    platform: Platform
    topic: Topic
    handle: Callable[[Message], None]
    verifier: OidcVerifier | None
    limiter: CapacityLimiter


def push_end(platform: Platform, topic: Topic, handle: Callable[[Message], None]) -> PushEnd:
    settings = platform.settings
    verifier = None
    if settings.push_audience and settings.push_account:
        verifier = OidcVerifier(audience=settings.push_audience, account=settings.push_account)
    return PushEnd(platform=platform, topic=topic, handle=handle, verifier=verifier, limiter=CapacityLimiter(_AT_ONCE))


async def take_push(request: Request, end: PushEnd) -> Response:
    """Answer one push: 204 takes it off the bus, 503 has it come again, 401 refuses a stranger's."""
    body = await request.body()
    authorization = request.headers.get("authorization")
    return await to_thread.run_sync(_taken, authorization, body, end, limiter=end.limiter)


def _taken(authorization: str | None, body: bytes, end: PushEnd) -> Response:
    try:
        if end.verifier is not None:
            end.verifier.check(authorization)
        push = pushed(body)
    except Unauthorized:
        return Response(status_code=_STRANGER)
    except Unavailable:
        log.warning("nobody can tell who pushes", exc_info=True)
        return Response(status_code=_AGAIN)
    except MalformedMessage as error:
        end.platform.metrics.malformed_messages.inc()
        log.error("malformed message", extra={"reason": str(error)})  # noqa: TRY400 - its trace says nothing more
        return Response(status_code=_DONE)
    obstacle = attempted(push.message, push.trace, end.handle, topic=end.topic, metrics=end.platform.metrics)
    return Response(status_code=_DONE if obstacle is None else _AGAIN)
