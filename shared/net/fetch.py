"""Fetch a document from a URL that a stranger gave: guarded, streamed to a file, capped in bytes, seconds and hops."""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO

import httpx

from shared.domain.errors import FetchFailed, TooLarge, UrlNotAllowed
from shared.net.deadline import CertificateInvalid
from shared.net.guard import Guard
from shared.net.resolve import NameNotFound
from shared.net.transport import GuardedTransport
from shared.net.url import origin, parse_url

# No cookies, no referer, no credentials. Identity: a few compressed bytes must not become gigabytes here.
_HEADERS = {"user-agent": "pagemill", "accept": "*/*", "accept-encoding": "identity"}

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAY_RECOVER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """`seconds` is for everything, redirects and the slowest drip included; `connect_seconds` for each connection."""

    max_bytes: int = 200_000_000
    seconds: float = 120.0
    connect_seconds: float = 10.0
    redirects: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """`final_url` is where the redirects ended; its query may hold a token, so it is not for the log."""

    size: int
    sha256: str
    final_url: str


def fetch(url: str, target: BinaryIO, *, limits: FetchLimits, guard: Guard) -> Fetched:
    """Write what `url` serves to `target`.

    Raises UrlNotAllowed for an address, here or after a redirect, that the guard refuses, or a redirect from https to
    http; TooLarge above `max_bytes`; FetchFailed for the rest, retryable where the server may recover. After an error
    `target` holds a part, never more than `max_bytes`.
    """
    asked = parse_url(url)
    transport = GuardedTransport(guard, seconds=limits.seconds, connect_seconds=limits.connect_seconds)
    try:
        with transport:
            response = _follow(asked, transport, limits)
            _check(response, limits)
            size, sha256 = _copy(response, target, limits)
    except httpx.TransportError as error:
        raise _failure(error, asked, limits) from error
    return Fetched(size=size, sha256=sha256, final_url=str(response.request.url))


def _follow(url: httpx.URL, transport: GuardedTransport, limits: FetchLimits) -> httpx.Response:
    for _ in range(limits.redirects + 1):
        response = transport.handle_request(httpx.Request("GET", url, headers=_HEADERS))
        if response.status_code not in _REDIRECTS:
            return response
        response.close()
        url = _redirected(url, response)
    raise FetchFailed(public=f"The URL redirects more than {limits.redirects} times.")


def _redirected(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location")
    if location is None:
        raise FetchFailed(public=f"The server answered with status {response.status_code} and no new address.")
    target = parse_url(location, base=url)
    if url.scheme == "https" and target.scheme == "http":
        raise UrlNotAllowed(public="The https URL redirects to plain http, which is not followed.")
    return target


def _check(response: httpx.Response, limits: FetchLimits) -> None:
    status = response.status_code
    if status != HTTPStatus.OK:
        retryable = status in _MAY_RECOVER or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise FetchFailed(
            f"{origin(response.request.url)} answered {status}",
            public=f"The server answered with status {status}.",
            retryable=retryable,
        )
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"identity", ""}:
        raise FetchFailed(public="The server compressed its answer although it was asked not to.")
    # The transport's protocol layer has refused lengths that are no numbers.
    if int(response.headers.get("content-length", 0)) > limits.max_bytes:
        raise _too_large(limits)


def _copy(response: httpx.Response, target: BinaryIO, limits: FetchLimits) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > limits.max_bytes:
            raise _too_large(limits)
        digest.update(chunk)
        target.write(chunk)
    return size, digest.hexdigest()


def _too_large(limits: FetchLimits) -> TooLarge:
    return TooLarge(public=f"The document is larger than {limits.max_bytes:,} bytes, the most that is accepted.")


def _failure(error: httpx.TransportError, url: httpx.URL, limits: FetchLimits) -> FetchFailed:
    """What a caller is told. The log gets the first hop's origin and the cause, neither of which holds a query."""
    detail = f"{origin(url)}: {type(error).__name__}: {error}"
    match error:
        case NameNotFound():
            return FetchFailed(detail, public="The URL's host name does not exist.", retryable=False)
        case CertificateInvalid():
            return FetchFailed(detail, public="The server's TLS certificate is not valid for the URL.", retryable=False)
        case httpx.ConnectTimeout():
            public = f"The server could not be reached within {min(limits.connect_seconds, limits.seconds):g} seconds."
        case httpx.TimeoutException():
            public = f"The document did not arrive within {limits.seconds:g} seconds."
        case _:
            public = "The connection to the server failed."
    return FetchFailed(detail, public=public, retryable=True)
