"""TLS under the guard: checked against the name, dialled by address, and never longer than its time."""

import io
import socket
from ipaddress import IPv4Address

import httpcore
import pytest

from shared.domain.errors import FetchFailed
from shared.net.address import Address, Allowed
from shared.net.deadline import Deadline, DeadlineStream, OutOfTime
from shared.net.fetch import Fetched, FetchLimits, fetch
from shared.net.guard import Guard
from tests.servers import Certificate, Server, answering, certificate_for, hanging

LOOPBACK = Allowed.parse("127.0.0.1")
LIMITS = FetchLimits(max_bytes=100_000, seconds=3.0, connect_seconds=1.0)


def here(host: str, port: int) -> list[Address]:
    assert host
    assert port
    return [IPv4Address("127.0.0.1")]


def fetched(url: str, guard: Guard, limits: FetchLimits = LIMITS) -> Fetched:
    return fetch(url, io.BytesIO(), limits=limits, guard=guard)


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return certificate_for("files.example")


def test_tls_is_checked_against_the_name_though_the_address_is_dialled(certificate: Certificate) -> None:
    names: list[str | None] = []
    certificate.server.sni_callback = lambda _socket, name, _context: names.append(name)

    with Server({"/doc": answering(200, b"x")}, tls=certificate.server) as server:
        guard = Guard(allowed=LOOPBACK, resolve=here, tls=certificate.trust)
        fetched(f"https://files.example:{server.port}/doc", guard)
        with pytest.raises(FetchFailed) as caught:
            fetched(f"https://other.example:{server.port}/doc", guard)

    assert names == ["files.example", "other.example"]
    assert "certificate" in caught.value.public
    assert not caught.value.retryable


def test_a_self_signed_certificate_is_final(certificate: Certificate) -> None:
    with Server({"/doc": answering(200, b"x")}, tls=certificate.server) as server:
        guard = Guard(allowed=LOOPBACK, resolve=here)
        with pytest.raises(FetchFailed) as caught:
            fetched(f"https://files.example:{server.port}/doc", guard)

    assert not server.received
    assert not caught.value.retryable


def test_a_handshake_that_never_comes_ends_with_the_connects_time() -> None:
    mute = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{mute.getsockname()[1]}/"

    with mute, pytest.raises(FetchFailed, match="ConnectTimeout") as caught:
        fetched(url, Guard(allowed=LOOPBACK), FetchLimits(seconds=3, connect_seconds=0.2))

    assert caught.value.retryable


def test_another_protocol_behind_https_is_a_failed_connection() -> None:
    with Server({}, greeting=b"220 mail.example ESMTP\r\n") as server, pytest.raises(FetchFailed) as caught:
        fetched(f"https://127.0.0.1:{server.port}/doc", Guard(allowed=LOOPBACK))

    assert caught.value.public == "The connection to the server failed."


def test_a_whole_exchange_ends_by_its_deadline_even_over_tls(certificate: Certificate) -> None:
    guard = Guard(allowed=LOOPBACK, resolve=here, tls=certificate.trust)

    with Server({"/": hanging}, tls=certificate.server) as server, pytest.raises(FetchFailed) as caught:
        fetched(f"https://files.example:{server.port}/", guard, FetchLimits(seconds=0.3))

    assert "within 0.3 seconds" in caught.value.public


def test_a_connection_that_came_too_late_for_tls_is_closed(certificate: Certificate) -> None:
    with Server({}, tls=certificate.server) as server:
        plain = httpcore.SyncBackend().connect_tcp("127.0.0.1", server.port)
        late = DeadlineStream(plain, deadline=Deadline(5), opening=Deadline(0))
        with pytest.raises(OutOfTime):
            late.start_tls(certificate.trust, "files.example")

    assert plain.get_extra_info("socket").fileno() == -1
