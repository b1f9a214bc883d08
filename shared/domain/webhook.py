"""Callbacks after Standard Webhooks 1.0: their signature, what an answer means, and when to try again."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from shared.domain.secret import Secret

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

_DELAYS = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 16 * 3600)
)
ATTEMPTS = len(_DELAYS) + 1
"""How often a callback is sent at most."""

JITTER = 0.2
"""By how much of itself a delay is shortened or lengthened, so that receivers are not hit by everybody at once."""

LONGEST_RETRY_AFTER = timedelta(hours=16)
"""A receiver may ask for no more than our own longest step: all attempts then end before a job's 7 days are over."""


_FIRST_ROOM = timedelta(seconds=5)
LONGEST_ROOM = timedelta(minutes=5)
"""Between two looks whether a busy receiver has room: of a thousand that wait, a few a second look."""


class Verdict(StrEnum):
    """What an answer means for the callback."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"


def parse_secret(text: str) -> Secret:
    """A signing secret: `whsec_` and base64 (padding optional) of 24 to 64 bytes.

    Raises ValueError, whose text never holds any of the secret.
    """
    secret = Secret(text)
    _key(secret)
    return secret


def sign(secrets: Sequence[Secret], *, webhook_id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a callback sent at `timestamp`: one signature for each secret, for rotation.

    `webhook_id` stays the same over all attempts and must not hold a dot, the separator of what is signed. Raises
    ValueError for such an id, for a secret that is none, and where there is no secret at all.
    """
    if not _ID.fullmatch(webhook_id):
        raise ValueError(f"{webhook_id!r} is no webhook id: letters, digits, - and _")
    if not secrets:
        raise ValueError("a callback is signed with at least one secret")
    seconds = str(int(timestamp.timestamp()))
    signed = b".".join((webhook_id.encode(), seconds.encode(), body))
    signatures = (hmac.new(_key(secret), signed, hashlib.sha256).digest() for secret in secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signatures),
    }


def verdict(status: int | None) -> Verdict:
    """2xx is delivered and 410 is final. Everything else, no answer (None) and redirects included, is tried again."""
    if status is None:
        return Verdict.RETRY
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Verdict.DELIVERED
    return Verdict.GONE if status == HTTPStatus.GONE else Verdict.RETRY


def next_attempt(attempt: int, *, now: datetime, retry_after: float | None, chance: float) -> datetime | None:
    """When to send again after `attempt` (1 is the first) has failed at `now`; None where that was the last.

    `chance` is in [0, 1). `retry_after` (seconds) can only delay: an eager receiver does not shorten our schedule, and
    a lazy one is heard up to LONGEST_RETRY_AFTER. Raises ValueError for an attempt before the first.
    """
    if attempt < 1:
        raise ValueError(f"{attempt} is no attempt: 1 is the first")
    if attempt >= ATTEMPTS:
        return None
    ours = _DELAYS[attempt - 1] * (1 - JITTER + 2 * JITTER * chance)
    # Compared as seconds: a timedelta overflows where a float does not.
    asked = min((retry_after or 0.0) * (1 + JITTER * chance), LONGEST_RETRY_AFTER.total_seconds())
    return now + max(ours, timedelta(seconds=asked))


def next_room(put_off: int, *, now: datetime, chance: float) -> datetime:
    """When to look again whether the receiver has room, after it had none so many times in a row (1 is the first).

    `chance` is in [0, 1): those that were put off together come back spread over half of the pause and all of it.
    """
    doubled: int = 2 ** min(put_off - 1, 16)
    return now + min(_FIRST_ROOM * doubled, LONGEST_ROOM) * (1 + chance) / 2


def _key(secret: Secret) -> bytes:
    text = secret.reveal()
    if not text.startswith(_PREFIX):
        raise ValueError(f"a webhook secret begins with {_PREFIX}")
    encoded = text.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        raise ValueError(f"a webhook secret is base64 after {_PREFIX}") from None
    if len(key) not in _KEY_BYTES:
        raise ValueError(f"a webhook secret holds {_KEY_BYTES[0]} to {_KEY_BYTES[-1]} bytes, not {len(key)}")
    return key
