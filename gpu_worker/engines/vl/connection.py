"""One kept-alive connection to vLLM, used by one thread, with one deadline for each exchange.

The standard library's client: httpx took 1 ms of processor time more for each question, and can't be interrupted from
another thread nor be told when an answer as a whole must be there.
"""

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECT_SECONDS = 3.0
IDLE_SECONDS = 4.0
"""vLLM closes what is idle for 5 s; what is sent just then is lost."""
AT_ONCE_SECONDS = 0.1
"""A kept connection that breaks so soon was closed before: the question never arrived."""
MOST_BYTES = 32 * 2**20

_CHUNK = 2**16


class NotConnected(Exception):
    """Nobody took the connection: nothing was sent."""


class Broken(Exception):
    """The connection broke after the request was sent."""


class TimedOut(Exception):
    """No whole answer within the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: bytes
    retry_after: str | None


class Address:
    """Where vLLM is: its root, or …/v1."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the port is none."""
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.root = parts.path.rstrip("/").removesuffix("/v1")
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.port = parts.port or (443 if self.tls else 80)

    def connect(self, seconds: float) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        return http.client.HTTPSConnection(self.host, self.port, timeout=seconds, context=self.tls)


class Connection:
    """Connects when it is first used, and again after anything went wrong."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._http: http.client.HTTPConnection | None = None
        self._used = 0.0
        self._is_aborted = False

    def exchange(self, method: str, path: str, body: bytes | None = None, *, seconds: float) -> Reply:
        """Raises NotConnected, Broken and TimedOut. A connection that was kept too long is replaced, not an error."""
        began = time.monotonic()
        was_kept = self._is_fresh(began)
        try:
            return self._exchange(method, path, body, began + seconds)
        except Broken:
            if not was_kept or self._is_aborted or time.monotonic() - began > AT_ONCE_SECONDS:
                raise
        return self._exchange(method, path, body, began + seconds)

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def abort(self) -> None:
        """From another thread: break off what is being exchanged, for good."""
        self._is_aborted = True
        http_ = self._http
        sock = http_.sock if http_ is not None else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it was not connected any more

    def _is_fresh(self, now: float) -> bool:
        if self._http is not None and now - self._used > IDLE_SECONDS:
            self.close()
        return self._http is not None

    def _exchange(self, method: str, path: str, body: bytes | None, until: float) -> Reply:
        connection = self._connected(until)
        try:
            reply = self._ask(connection, method, self._address.root + path, body, until)
        except TimeoutError as error:
            self.close()
            raise TimedOut(f"no answer in time from {self._address.host}:{self._address.port}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"{type(error).__name__}: {error}") from error
        self._used = time.monotonic()
        return reply

    def _connected(self, until: float) -> http.client.HTTPConnection:
        if self._http is None:
            connection = self._address.connect(max(0.001, min(CONNECT_SECONDS, until - time.monotonic())))
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                raise NotConnected(f"{type(error).__name__}: {error}") from error
            self._http = connection
        if self._is_aborted:
            self.close()
            raise NotConnected("closed")
        return self._http

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, until: float
    ) -> Reply:
        _limit(connection.sock, until)
        connection.request(method, path, body, {"content-type": "application/json"} if body is not None else {})
        sock = connection.sock  # kept, since http.client forgets it where the server wants to close
        with connection.getresponse() as response:
            read = _read(response, sock, until)
            if response.will_close:
                self.close()
            return Reply(status=response.status, body=read, retry_after=response.getheader("retry-after"))


def _limit(sock: socket.socket, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)


def _read(response: http.client.HTTPResponse, sock: socket.socket, until: float) -> bytes:
    """Limited as a whole: a socket's own time begins anew with every byte."""
    chunks, size = [], 0
    while not response.isclosed():
        _limit(sock, until)
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
        if size > MOST_BYTES:
            raise http.client.HTTPException(f"an answer of more than {MOST_BYTES} bytes")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(chunks)
