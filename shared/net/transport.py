"""An httpx transport that resolves a name once, checks every answer, and dials what it checked."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import httpcore
import httpx

from shared.net.deadline import Deadline, DeadlineStream
from shared.net.guard import Guard

_MOST_TRIES = 4

_AS_HTTPX: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
}


class GuardedTransport(httpx.BaseTransport):
    """HTTP/1.1 for one exchange, redirects included, that ends `seconds` after the transport was made.

    `connect_seconds` is for resolving, connecting and TLS together, anew for each hop. Raises UrlNotAllowed for what
    the guard refuses and httpx.TransportError for what the network does. No connection is used twice, and neither
    proxies nor Unix sockets exist here. TLS names and certificates are checked against the host, not the address.
    """

    def __init__(self, guard: Guard, *, seconds: float, connect_seconds: float) -> None:
        self.deadline = Deadline(seconds)
        self._guard = guard
        backend = _GuardedBackend(guard, self.deadline, connect_seconds)
        self._pool = httpcore.ConnectionPool(
            ssl_context=guard.tls, max_keepalive_connections=0, network_backend=backend
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = self._guard.check(request.url)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        with _httpx_errors():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    target,
                    headers=request.headers.raw,
                    content=cast("httpx.SyncByteStream", request.stream),
                    extensions=request.extensions,
                )
            )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), request=request)

    def close(self) -> None:
        self._pool.close()


class _GuardedBackend(httpcore.NetworkBackend):
    """Dials addresses that the guard has checked. Unix sockets stay unimplemented."""

    def __init__(self, guard: Guard, deadline: Deadline, connect_seconds: float) -> None:
        self._guard = guard
        self._deadline = deadline
        self._connect_seconds = connect_seconds
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        opening = self._deadline.opening(self._connect_seconds if timeout is None else timeout)
        addresses = self._guard.addresses(host, port, seconds=opening.left())[:_MOST_TRIES]
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for place, address in enumerate(addresses):
            # A share each: a black hole among the addresses must not eat the others' time.
            share = opening.left() / (len(addresses) - place)
            try:
                stream = self._sockets.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return DeadlineStream(stream, deadline=self._deadline, opening=opening)
        raise failure


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except tuple(_AS_HTTPX) as error:
        raise _AS_HTTPX[type(error)](str(error)) from error
