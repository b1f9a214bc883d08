"""What Pub/Sub posts to a function: the envelope around a message, and the token that says who posts."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.auth import jwt

from shared.adapters.google.certificates import Certificates
from shared.adapters.google.traces import trace_of
from shared.domain.errors import Unauthorized
from shared.domain.messages import MalformedMessage, Message, from_bytes

_ISSUERS = frozenset({"accounts.google.com", "https://accounts.google.com"})
_CLOCKS_APART = 10
"""Seconds that a token may seem to come from the future, or from just before now."""
_LONGEST_TOKEN = 8_192
_REMOVED = ".SIGNATURE_REMOVED_BY_GOOGLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    message: Message
    trace: Mapping[str, str]


def pushed(body: bytes) -> Push:
    """Take the message out of what was posted. Raises MalformedMessage."""
    try:
        message = json.loads(body)["message"]
        data = base64.b64decode(message.get("data", ""), validate=True)
        return Push(message=from_bytes(data), trace=trace_of(message.get("attributes") or {}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedMessage(f"{len(body)} bytes: {type(error).__name__}") from error


class OidcVerifier:
    """Checks that a push comes from our own subscription: its service account signed in for our audience.

    `signed` False: where Cloud Run lets nobody in but who may invoke, it checks the signature itself and takes it off
    (cloud.google.com/run/docs/troubleshooting#signature-removed), so that only the claims are left to be checked. Where
    it lets everybody in, anybody could write such a token. `audience` None: Cloud Run's check of that counts as well,
    for who is called under an address that it can't know beforehand. Raises ValueError where nobody would check it.
    """

    def __init__(
        self, *, audience: str | None, account: str, signed: bool = True, certificates: Certificates | None = None
    ) -> None:
        if signed and audience is None:
            raise ValueError("a token for anybody's audience")
        self._audience, self._account, self._signed = audience, account, signed
        self._certificates = certificates or Certificates()

    def check(self, authorization: str | None) -> None:
        """`authorization` is the header. Raises Unauthorized; Unavailable where Google's certificates can't be had."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN:
            raise Unauthorized("no bearer token")
        claims = self._claims(token)
        if claims.get("iss") not in _ISSUERS:
            raise Unauthorized("another issuer")
        if claims.get("email") != self._account or claims.get("email_verified") is not True:
            raise Unauthorized("another account")

    def _claims(self, token: str) -> Mapping[str, Any]:
        if self._signed or not token.endswith(_REMOVED):
            return self._verified(token)
        claims = _unsigned(token)
        if self._audience is not None and claims.get("aud") != self._audience:
            raise Unauthorized("another audience")
        issued, expires, now = claims.get("iat"), claims.get("exp"), time.time()
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise Unauthorized("no time")
        if not issued - _CLOCKS_APART <= now <= expires + _CLOCKS_APART:
            raise Unauthorized("another time")
        return claims

    def _verified(self, token: str) -> Mapping[str, Any]:
        try:
            certificates = self._certificates.for_key(jwt.decode_header(token).get("kid"))
            claims: Mapping[str, Any] = jwt.decode(
                token, certs=certificates, audience=self._audience, clock_skew_in_seconds=_CLOCKS_APART
            )
        except (ValueError, TypeError) as error:
            raise Unauthorized(f"token: {type(error).__name__}") from error
        return claims


def _unsigned(token: str) -> Mapping[str, Any]:
    try:
        claims = jwt.decode(token, verify=False)
    except (ValueError, TypeError) as error:
        raise Unauthorized(f"token: {type(error).__name__}") from error
    if not isinstance(claims, Mapping):
        raise Unauthorized("no claims")
    return claims
