"""Redirects while fetching: how many, where to, and what goes along."""

import io
from collections.abc import Iterator

import pytest

from shared.domain.errors import FetchFailed, UrlNotAllowed
from shared.net.address import Allowed
from shared.net.fetch import FetchLimits, fetch
from shared.net.guard import Guard
from tests.servers import Certificate, Server, answering, certificate_for, redirecting

DOCUMENT = b"%PDF-1.7 a document"
LIMITS = FetchLimits(seconds=5.0, connect_seconds=1.0)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(allowed=Allowed.parse("127.0.0.1"))


@pytest.fixture
def target() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def redirects() -> Iterator[Server]:
    routes = {f"/{hop}": redirecting(f"/{hop - 1}", status) for hop, status in enumerate((301, 302, 303, 307, 308), 1)}
    routes |= {
        "/0": answering(200, DOCUMENT),
        "/6": redirecting("/5"),
        "/loop": redirecting("/loop"),
        "/nowhere": answering(302),
        "/cookie": redirecting("/0", headers={"Set-Cookie": "session=1; Path=/"}),
    }
    with Server(routes) as server:
        yield server


def test_five_redirects_are_followed(redirects: Server, target: io.BytesIO, guard: Guard) -> None:
    fetched = fetch(f"{redirects.url}/5", target, limits=LIMITS, guard=guard)

    assert fetched.final_url == f"{redirects.url}/0"
    assert target.getvalue() == DOCUMENT


@pytest.mark.parametrize("path", ["/6", "/loop"])
def test_more_redirects_are_not(redirects: Server, target: io.BytesIO, guard: Guard, path: str) -> None:
    with pytest.raises(FetchFailed, match="more than 5 times") as caught:
        fetch(redirects.url + path, target, limits=LIMITS, guard=guard)

    assert not caught.value.retryable
    assert len(redirects.received) == 6


def test_a_redirect_to_nowhere_fails(redirects: Server, target: io.BytesIO, guard: Guard) -> None:
    with pytest.raises(FetchFailed, match="no new address"):
        fetch(f"{redirects.url}/nowhere", target, limits=LIMITS, guard=guard)


def test_nothing_of_one_hop_is_told_to_the_next(redirects: Server, target: io.BytesIO, guard: Guard) -> None:
    fetch(f"{redirects.url}/cookie?token=1", target, limits=LIMITS, guard=guard)

    asked = redirects.received[1]
    assert set(asked.headers) == {"host", "user-agent", "accept", "accept-encoding"}
    assert asked.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/computeMetadata/v1/",
        "http://10.0.0.1/",
        "http://127.0.0.2/",
        "//[::1]/",
        "http://localhost:1/",
        "http://user:pass@127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://[::1",
        "http://127.0.0.1:99999/",
    ],
)
def test_a_redirect_into_private_space_is_refused(location: str, target: io.BytesIO, guard: Guard) -> None:
    with Server({"/": redirecting(location)}) as server, pytest.raises(UrlNotAllowed):
        fetch(f"{server.url}/", target, limits=LIMITS, guard=guard)

    assert not target.getvalue()


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return certificate_for("127.0.0.1")


def test_a_redirect_from_http_to_https_is_followed(certificate: Certificate, target: io.BytesIO) -> None:
    guard = Guard(allowed=Allowed.parse("127.0.0.1"), tls=certificate.trust)

    with Server({"/doc": answering(200, DOCUMENT)}, tls=certificate.server) as safe:
        upgrading = {"/": redirecting(f"{safe.url}/doc")}
        with Server(upgrading) as plain:
            fetch(f"{plain.url}/", target, limits=LIMITS, guard=guard)

    assert target.getvalue() == DOCUMENT


def test_a_redirect_from_https_to_http_is_not(certificate: Certificate, target: io.BytesIO) -> None:
    guard = Guard(allowed=Allowed.parse("127.0.0.1"), tls=certificate.trust)

    with Server({"/doc": answering(200, DOCUMENT)}) as plain:
        downgrading = {"/": redirecting(f"{plain.url}/doc")}
        with (
            Server(downgrading, tls=certificate.server) as safe,
            pytest.raises(UrlNotAllowed, match="https URL redirects to plain http"),
        ):
            fetch(f"{safe.url}/", target, limits=LIMITS, guard=guard)

    assert not plain.received
