"""Deliver one callback to a URL that a stranger gave. The receiver's failures are an answer, never an exception."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from shared.domain.errors import UrlNotAllowed
from shared.net.deadline import CertificateInvalid
from shared.net.guard import Guard
from shared.net.resolve import NameNotFound
from shared.net.transport import GuardedTransport
from shared.net.url import parse_url

_HEADERS = {"user-agent": "pagemill", "content-type": "application/json", "accept-encoding": "identity"}
_MOST_READ = 4096
_DELAY = re.compile(r"[0-9]{1,9}")
_LONGEST_DATE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one attempt, as the delivery log shows it.

    `status` is None where no answer came; then `error` is a sentence that says why. `retry_after` is in seconds, from
    the header of that name. `seconds` is what the attempt took.
    """

    status: int | None
    retry_after: float | None = None
    error: str | None = None
    seconds: float


def post_callback(
    url: str, body: bytes, headers: Mapping[str, str], *, guard: Guard, now: datetime, timeout: float = 10.0
) -> Answer:
    """POST `body`, following no redirect; the whole attempt, name resolution included, ends within `timeout` seconds.

    Never raises for what the receiver does or where the URL leads.
    """
    transport = GuardedTransport(guard, seconds=timeout, connect_seconds=timeout)
    try:
        with transport:
            request = httpx.Request("POST", parse_url(url), content=body, headers=_HEADERS | dict(headers))
            response = transport.handle_request(request)
            _discard(response)
    except (UrlNotAllowed, httpx.TransportError) as error:
        return Answer(status=None, error=_sentence(error, timeout), seconds=transport.deadline.spent)
    return Answer(
        status=response.status_code,
        retry_after=retry_after_seconds(response.headers.get("retry-after"), now=now),
        error="Redirects are not followed." if response.is_redirect else None,
        seconds=transport.deadline.spent,
    )


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Retry-After (RFC 9110, 10.2.3) in either form, in seconds from `now`: 0 for the past, None for neither."""
    if value is None or len(value) > _LONGEST_DATE:
        return None
    if _DELAY.fullmatch(value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000", and the two obsolete forms
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _discard(response: httpx.Response) -> None:
    """Take what a polite receiver sends, so that it need not see its connection reset; the status has told all."""
    read = 0
    with suppress(httpx.TransportError):
        for chunk in response.iter_raw(_MOST_READ):
            read += len(chunk)
            if read >= _MOST_READ:
                break
    response.close()


def _sentence(error: Exception, timeout: float) -> str:
    match error:
        case UrlNotAllowed():
            return error.public
        case NameNotFound():
            return "The URL's host name does not exist."
        case CertificateInvalid():
            return "The receiver's TLS certificate is not valid for the URL."
        case httpx.TimeoutException():
            return f"The receiver did not answer within {timeout:g} seconds."
        case _:
            return "The connection to the receiver failed."
