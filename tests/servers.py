"""Real HTTP servers on 127.0.0.1: scripted ones that misbehave on the wire, and one that records callbacks."""

import gzip
import socket
import socketserver
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One connection with one request read from it. Whatever is sent is sent as it stands."""

    def __init__(self, connection: socket.socket, request: Received, stopping: threading.Event) -> None:
        self.request = request
        self._connection = connection
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        lines = {"Content-Length": str(len(body)), "Connection": "close"} | dict(headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.send(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)

    def wait(self, seconds: float) -> bool:
        """Whether to go on: False once the server stops."""
        return not self._stopping.wait(seconds)

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()


Behaviour: TypeAlias = Callable[[Exchange], None]


class Server:
    """Answers each path by its behaviour; every request is in `received`. A greeting comes before any request."""

    def __init__(
        self,
        routes: Mapping[str, Behaviour],
        *,
        otherwise: Behaviour = lambda exchange: exchange.answer(404),
        greeting: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.received: list[Received] = []
        self._greeting = greeting
        self._routes = routes
        self._otherwise = otherwise
        self._tls = tls
        self._arrived = threading.Condition()
        self._stopping = threading.Event()
        self._tcp = _Tcp(self._serve)
        self._thread = threading.Thread(target=self._tcp.serve_forever, kwargs={"poll_interval": 0.005})

    @property
    def port(self) -> int:
        return int(self._tcp.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._tcp.shutdown()
        self._thread.join()
        self._tcp.server_close()

    def wait_for(self, count: int, seconds: float = 5.0) -> list[Received]:
        """What was received once `count` requests are there; an assertion fails when they don't come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, seconds), self.received
            return list(self.received)

    def _serve(self, plain: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as connection:
                connection.sendall(self._greeting)
                request = _read_request(connection)
                if request is not None:
                    self._note(request)
                    behaviour = self._routes.get(request.target.partition("?")[0], self._otherwise)
                    behaviour(Exchange(connection, request, self._stopping))
        except OSError:
            pass  # the client hung up, which is what most tests are about

    def _note(self, request: Received) -> None:
        with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()


@dataclass(slots=True, kw_only=True)
class Reply:
    """What a Receiver answers."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Receiver(Server):
    """Records callbacks. Answers `replies` in turn, each once, then 204."""

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        super().__init__({}, otherwise=self._reply, tls=tls)
        self.replies = list(replies)

    def _reply(self, exchange: Exchange) -> None:
        reply = self.replies.pop(0) if self.replies else Reply(status=204)
        exchange.answer(reply.status, headers=reply.headers)


def answering(status: int, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Behaviour:
    return lambda exchange: exchange.answer(status, body, headers)


def redirecting(location: str, status: int = 302, *, headers: Mapping[str, str] | None = None) -> Behaviour:
    return answering(status, headers={"Location": location} | dict(headers or {}))


def sending(data: bytes) -> Behaviour:
    """Bytes that need not be HTTP, then the connection closes."""
    return lambda exchange: exchange.send(data)


def dripping(interval: float, *, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n") -> Behaviour:
    """A byte at a time, never long enough apart for a timeout between two reads."""

    def drip(exchange: Exchange) -> None:
        exchange.send(head)
        while exchange.wait(interval):
            exchange.send(b"x")

    return drip


def hanging(exchange: Exchange) -> None:
    """Takes the request and says nothing."""
    exchange.wait(30)


def resetting(exchange: Exchange) -> None:
    exchange.reset()


def endless(exchange: Exchange) -> None:
    """A body that never ends, chunked so that no length gives it away."""
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while exchange.wait(0):
        exchange.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def bombing(exchange: Exchange) -> None:
    """10 MB of zeros in some 10 kB of gzip, which nobody asked for."""
    exchange.answer(200, gzip.compress(bytes(10_000_000)), {"Content-Encoding": "gzip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A self-signed certificate: `server` presents it; `trust` believes it, and nothing else."""

    server: ssl.SSLContext
    trust: ssl.SSLContext


def certificate_for(*names: str) -> Certificate:
    """For host names and IPv4 addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(key, names).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "chain.pem"
        chain.write_bytes(private + certificate)
        server.load_cert_chain(chain)
    return Certificate(server=server, trust=ssl.create_default_context(cadata=certificate.decode()))


def closed_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Tcp(socketserver.ThreadingTCPServer):
    block_on_close = True  # no test leaves a socket to the next one
    request_queue_size = 64

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                serve(self.request)

        super().__init__(("127.0.0.1", 0), Handler)


def _read_request(connection: socket.socket) -> Received | None:
    head, body = _until(connection, b"", lambda data: END_OF_HEAD in data).partition(END_OF_HEAD)[::2]
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(_until(connection, body, lambda data: data.endswith(b"0\r\n\r\n")))
    length = int(headers.get("content-length", 0))
    body = _until(connection, body, lambda data: len(data) >= length)
    return Received(method=method, target=target, headers=headers, body=body)


def _until(connection: socket.socket, data: bytes, enough: Callable[[bytes], bool]) -> bytes:
    deadline = time.monotonic() + 5
    connection.settimeout(5)
    while not enough(data) and time.monotonic() < deadline:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def _dechunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        body += rest[: int(size, 16)]
        data = rest[int(size, 16) + 2 :]
    return body


def _self_signed(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pagemill test")])
    alternatives = [x509.IPAddress(IPv4Address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=subject, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
