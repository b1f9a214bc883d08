"""Dialling: one resolution, every answer checked, the checked address dialled, TLS against the name."""

import io
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address

import httpx
import pytest

from shared.domain.errors import FetchFailed, UrlNotAllowed
from shared.net.address import Address, Allowed
from shared.net.fetch import Fetched, FetchLimits, fetch
from shared.net.guard import Guard
from shared.net.resolve import system_addresses
from shared.net.transport import GuardedTransport
from tests.servers import Exchange, Server, answering, closed_port

LOOPBACK = Allowed.parse("127.0.0.0/8")
LIMITS = FetchLimits(max_bytes=100_000, seconds=3.0, connect_seconds=1.0)


class Resolver:
    """Gives the scripted answers in turn, the last one for ever; `asked` holds the names."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = [[ip_address(text) for text in answer] for answer in answers]

    def __call__(self, host: str, port: int) -> list[Address]:
        assert port
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/doc": answering(200, b"a document")}) as server:
        yield server


def fetched(url: str, guard: Guard, limits: FetchLimits = LIMITS) -> Fetched:
    return fetch(url, io.BytesIO(), limits=limits, guard=guard)


@contextmanager
def a_full_backlog(host: str, port: int) -> Iterator[None]:
    """A listener that lets nobody in any more: connecting to it hangs."""
    with ExitStack() as stack:
        stack.enter_context(socket.create_server((host, port), backlog=0))
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex((host, port))
        yield


def test_the_address_that_was_checked_is_dialled_and_the_name_resolved_once(server: Server) -> None:
    resolver = Resolver(["127.0.0.1"], ["10.0.0.1"])

    fetched(f"http://rebinding.example:{server.port}/doc", Guard(allowed=LOOPBACK, resolve=resolver))

    assert resolver.asked == ["rebinding.example"]
    assert server.received[0].headers["host"] == f"rebinding.example:{server.port}"


@pytest.mark.parametrize(
    "answers", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "::1"]]
)
def test_one_private_answer_refuses_the_name(answers: list[str]) -> None:
    with pytest.raises(UrlNotAllowed, match="not public"):
        fetched("http://mixed.example/", Guard(resolve=Resolver(answers)))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"]
)
def test_nothing_on_this_machine_is_reached(server: Server, host: str) -> None:
    with pytest.raises(UrlNotAllowed):
        fetched(f"http://{host}:{server.port}/doc", Guard())

    assert not server.received


def test_the_systems_own_names_for_this_machine_are_refused_by_their_address(server: Server) -> None:
    guard = Guard(allowed=Allowed.parse("10.0.0.0/8"))  # so that the name itself passes

    with pytest.raises(UrlNotAllowed, match="not public"):
        fetched(f"http://localhost:{server.port}/doc", guard)

    assert not server.received


def test_what_the_operator_lists_is_reached_in_every_form(server: Server) -> None:
    guard = Guard(allowed=Allowed.parse("127.0.0.1"))

    for host in ("127.0.0.1", "2130706433", "0x7f.1"):
        fetched(f"http://{host}:{server.port}/doc", guard)

    assert len(server.received) == 3


def test_a_listed_name_is_reached_wherever_it_leads(server: Server) -> None:
    guard = Guard(allowed=Allowed.parse("files.internal"), resolve=Resolver(["127.0.0.1"]))

    fetched(f"http://files.internal.:{server.port}/doc", guard)

    with pytest.raises(UrlNotAllowed):
        fetched(f"http://other.internal:{server.port}/doc", guard)


def test_the_next_address_is_dialled_when_one_refuses(server: Server) -> None:
    resolver = Resolver(["127.0.0.2", "127.0.0.1"])  # nobody listens on 127.0.0.2

    fetched(f"http://two.example:{server.port}/doc", Guard(allowed=LOOPBACK, resolve=resolver))

    assert len(server.received) == 1


def test_an_address_that_swallows_everything_leaves_time_for_the_next(server: Server) -> None:
    resolver = Resolver(["127.0.0.2", "127.0.0.1"])

    with a_full_backlog("127.0.0.2", server.port):
        fetched(f"http://two.example:{server.port}/doc", Guard(allowed=LOOPBACK, resolve=resolver))

    assert len(server.received) == 1


def test_a_name_without_addresses_fails_and_may_be_tried_again() -> None:
    with pytest.raises(FetchFailed) as caught:
        fetched("http://none.example/", Guard(resolve=Resolver([])))

    assert caught.value.retryable


@pytest.mark.parametrize(("error", "retryable"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)])
def test_a_name_that_does_not_exist_is_final_and_a_resolver_in_trouble_is_not(error: int, *, retryable: bool) -> None:
    def resolve(host: str, port: int) -> list[Address]:
        raise socket.gaierror(error, f"scripted for {host}:{port}")

    with pytest.raises(FetchFailed) as caught:
        fetched("http://missing.example/", Guard(resolve=resolve))

    assert caught.value.retryable == retryable


def test_a_resolver_that_hangs_is_left_behind_at_the_deadline() -> None:
    release = threading.Event()

    def resolve(host: str, port: int) -> list[Address]:
        assert release.wait(10), (host, port)
        return []

    began = time.monotonic()
    with pytest.raises(FetchFailed, match="not resolved") as caught:
        fetched("http://slow.example/", Guard(resolve=resolve), FetchLimits(seconds=0.2))
    took = time.monotonic() - began
    release.set()

    assert took < 2
    assert caught.value.retryable


def test_the_systems_resolver_gives_addresses() -> None:
    found = system_addresses("localhost", 80)

    assert found
    assert all(address.is_loopback for address in found)


def test_proxies_and_authorities_of_the_environment_are_ignored(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server({}) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
        monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")

        fetched(f"{server.url}/doc", Guard(allowed=LOOPBACK))

    assert len(server.received) == 1
    assert not proxy.received


def test_the_transport_guards_an_ordinary_client_and_its_redirects(server: Server) -> None:
    transport = GuardedTransport(Guard(resolve=Resolver(["8.8.8.8"])), seconds=2, connect_seconds=1)

    with httpx.Client(transport=transport, trust_env=False, follow_redirects=True) as client:
        for url in (server.url, "http://example.com:25/", "http://[::1]/"):
            with pytest.raises(UrlNotAllowed):
                client.get(url)

    assert not server.received


def test_the_transport_keeps_no_connection_for_the_next_request() -> None:
    def keep_open(exchange: Exchange) -> None:
        exchange.answer(200, b"x", {"Connection": "keep-alive"})
        exchange.wait(5)

    resolver = Resolver(["127.0.0.1"], ["10.0.0.1"])
    transport = GuardedTransport(Guard(allowed=LOOPBACK, resolve=resolver), seconds=2, connect_seconds=1)

    with Server({}, otherwise=keep_open) as server, httpx.Client(transport=transport, trust_env=False) as client:
        client.get(f"http://rebinding.example:{server.port}/")
        with pytest.raises(UrlNotAllowed):
            client.get(f"http://rebinding.example:{server.port}/")

    assert len(resolver.asked) == 2


def test_a_closed_port_is_a_failed_connection() -> None:
    with pytest.raises(FetchFailed) as caught:
        fetched(f"http://127.0.0.1:{closed_port()}/", Guard(allowed=LOOPBACK))

    assert caught.value.retryable
