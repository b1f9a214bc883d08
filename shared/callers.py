"""Who may post to a function, and how much: a caller's token is checked before anything of the body is read."""

import logging

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from shared.adapters.google.emulated import PUBSUB, emulator
from shared.adapters.google.push import OidcVerifier
from shared.config import Settings, SettingsError
from shared.domain.errors import Unauthorized, Unavailable
from shared.domain.messages import MalformedMessage

log = logging.getLogger(__name__)

_AGAIN, _STRANGER = 503, 401
_LARGEST_BODY = 65_536
"""Our messages and a bucket's events have a few kB; Pub/Sub itself would push 10 MB."""


def verifier(settings: Settings) -> OidcVerifier | None:
    """Return what checks the tokens of those who post; None where an emulator posts, without tokens.

    Where Cloud Run checks, it checks the audience too, and ours may be left open. Raises SettingsError where anybody
    could post: nothing is left open by forgetting a setting.
    """
    audience, account, signed = settings.push_audience, settings.push_account, settings.push_checked_by == "us"
    if account and (audience or not signed):
        return OidcVerifier(audience=audience, account=account, signed=signed)
    if audience or account or not emulator(PUBSUB):
        raise SettingsError(["Who posts here is known by PAGEMILL_PUSH_AUDIENCE and PAGEMILL_PUSH_ACCOUNT: set both."])
    return None


async def refusal(request: Request, check: OidcVerifier | None) -> Response | None:
    """Return the answer to a stranger (401), or to anybody while nobody can tell (503); None for our own callers."""
    if check is None:
        return None
    return await to_thread.run_sync(_refusal, request.headers.get("authorization"), check)


async def body_of(request: Request) -> bytes:
    """Raises MalformedMessage where it is larger than anything that is meant for us; the rest is not read."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise MalformedMessage(f"more than {_LARGEST_BODY} bytes")
    return bytes(body)


def _refusal(authorization: str | None, check: OidcVerifier) -> Response | None:
    try:
        check.check(authorization)
    except Unauthorized as error:
        log.warning("a stranger posts", extra={"reason": str(error)})
        return Response(status_code=_STRANGER)
    except Unavailable:
        log.warning("nobody can tell who posts", exc_info=True)
        return Response(status_code=_AGAIN)
    return None
