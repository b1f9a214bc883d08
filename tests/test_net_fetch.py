"""Fetching from servers that misbehave: what arrives, what is capped, and what a caller is told."""

import hashlib
import io
import logging
import time

import pytest

from shared.domain.errors import FetchFailed, TooLarge
from shared.net.address import Allowed
from shared.net.fetch import Fetched, FetchLimits, fetch
from shared.net.guard import Guard
from tests.servers import (
    Behaviour,
    Exchange,
    Server,
    answering,
    bombing,
    dripping,
    endless,
    hanging,
    redirecting,
    resetting,
    sending,
)

DOCUMENT = b"%PDF-1.7 " + bytes(range(256)) * 500
OK = b"HTTP/1.1 200 OK\r\n"
LIMITS = FetchLimits(max_bytes=200_000, seconds=5.0, connect_seconds=1.0)
SOON = FetchLimits(max_bytes=200_000, seconds=0.4, connect_seconds=0.4)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(allowed=Allowed.parse("127.0.0.1"))


@pytest.fixture
def target() -> io.BytesIO:
    return io.BytesIO()


def fetched_from(behaviour: Behaviour, target: io.BytesIO, guard: Guard, limits: FetchLimits = LIMITS) -> Fetched:
    with Server({}, otherwise=behaviour) as server:
        return fetch(f"{server.url}/doc?token=hidden", target, limits=limits, guard=guard)


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(200, DOCUMENT),
        sending(OK + b"\r\n" + DOCUMENT),
        sending(b"HTTP/1.0 200 OK\r\n\r\n" + DOCUMENT),
        sending(OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(DOCUMENT), DOCUMENT)),
        answering(200, DOCUMENT, headers={"Content-Encoding": "identity"}),
    ],
    ids=["length", "until close", "http/1.0", "chunked", "identity"],
)
def test_what_is_served_arrives_with_its_size_and_digest(
    behaviour: Behaviour, target: io.BytesIO, guard: Guard
) -> None:
    fetched = fetched_from(behaviour, target, guard)

    assert target.getvalue() == DOCUMENT
    assert fetched.size == len(DOCUMENT)
    assert fetched.sha256 == hashlib.sha256(DOCUMENT).hexdigest()
    assert fetched.final_url.endswith("/doc?token=hidden")


def test_an_empty_answer_is_a_document_of_no_bytes(target: io.BytesIO, guard: Guard) -> None:
    assert fetched_from(answering(200), target, guard).size == 0


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((status, False) for status in (201, 204, 206, 304, 400, 401, 403, 404, 410, 451)),
        *((status, True) for status in (408, 425, 429, 500, 502, 503, 504, 599)),
    ],
)
def test_only_200_will_do_and_the_status_says_whether_to_try_again(
    status: int, target: io.BytesIO, guard: Guard, *, retryable: bool
) -> None:
    with pytest.raises(FetchFailed, match=str(status)) as caught:
        fetched_from(answering(status, b"" if status in {204, 304} else b"internal secrets"), target, guard)

    assert caught.value.public == f"The server answered with status {status}."
    assert caught.value.retryable == retryable
    assert not target.getvalue()


@pytest.mark.parametrize(
    "behaviour",
    [
        resetting,
        sending(b""),
        sending(b"220 mail.example ESMTP\r\n"),
        sending(bytes(5000)),
        sending(OK + b"Content-Length: 1000\r\n\r\nshort"),
        sending(OK + b"Content-Length: many\r\n\r\n"),
        sending(OK + b"Content-Length: -1\r\n\r\n"),
        sending(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        sending(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
        sending(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        sending(OK + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(200)) + b"\r\n"),
        sending(OK + b"X: " + b"x" * 200_000),
    ],
    ids=[
        "reset",
        "closed",
        "smtp",
        "zeros",
        "closed early",
        "no number",
        "negative",
        "two lengths",
        "long length",
        "bad chunk",
        "many headers",
        "long header",
    ],
)
def test_what_is_no_http_is_a_failed_connection_that_may_be_tried_again(
    behaviour: Behaviour, target: io.BytesIO, guard: Guard
) -> None:
    with pytest.raises(FetchFailed) as caught:
        fetched_from(behaviour, target, guard)

    assert caught.value.public == "The connection to the server failed."
    assert caught.value.retryable


@pytest.mark.parametrize(
    "behaviour",
    [
        hanging,
        dripping(0.02),
        dripping(0.02, head=b"HTTP/1.1 200 OK\r\nX-Slow: "),
        dripping(0.02, head=b""),
    ],
    ids=["no answer", "body by bytes", "headers by bytes", "garbage by bytes"],
)
def test_a_slow_server_is_cut_at_the_total_time(behaviour: Behaviour, target: io.BytesIO, guard: Guard) -> None:
    began = time.monotonic()

    with pytest.raises(FetchFailed) as caught:
        fetched_from(behaviour, target, guard, SOON)

    assert time.monotonic() - began < 3
    assert caught.value.public == "The document did not arrive within 0.4 seconds."
    assert caught.value.retryable


def test_interim_answers_without_end_are_cut_as_well(target: io.BytesIO, guard: Guard) -> None:
    def processing(exchange: Exchange) -> None:
        while exchange.wait(0.01):
            exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")

    with pytest.raises(FetchFailed) as caught:
        fetched_from(processing, target, guard, SOON)

    assert "within 0.4 seconds" in caught.value.public


def test_an_announced_length_over_the_cap_is_refused_before_the_body(target: io.BytesIO, guard: Guard) -> None:
    with pytest.raises(TooLarge) as caught:
        fetched_from(sending(OK + b"Content-Length: 200001\r\n\r\n"), target, guard)

    assert "200,000 bytes" in caught.value.public
    assert not target.getvalue()


@pytest.mark.parametrize(
    "behaviour",
    [
        endless,
        sending(OK + b"\r\n" + bytes(300_000)),
        sending(
            OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n40000\r\n" + bytes(0x40000) + b"\r\n0\r\n\r\n"
        ),
    ],
    ids=["endless", "until close", "lying length"],
)
def test_a_body_over_the_cap_is_refused_while_it_comes(behaviour: Behaviour, target: io.BytesIO, guard: Guard) -> None:
    with pytest.raises(TooLarge):
        fetched_from(behaviour, target, guard)

    assert len(target.getvalue()) <= LIMITS.max_bytes


def test_a_document_of_just_the_cap_is_taken(target: io.BytesIO, guard: Guard) -> None:
    assert fetched_from(answering(200, bytes(LIMITS.max_bytes)), target, guard).size == LIMITS.max_bytes


def test_a_compression_bomb_is_refused_unopened(target: io.BytesIO, guard: Guard) -> None:
    with pytest.raises(FetchFailed, match="compressed") as caught:
        fetched_from(bombing, target, guard)

    assert not caught.value.retryable
    assert not target.getvalue()


def test_a_full_disk_is_not_the_servers_fault(guard: Guard) -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fetched_from(answering(200, DOCUMENT), Full(), guard)


@pytest.mark.parametrize("behaviour", [answering(404), resetting, redirecting("/again?token=hidden"), endless])
def test_neither_errors_nor_logs_hold_a_query(
    behaviour: Behaviour, target: io.BytesIO, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    with pytest.raises((FetchFailed, TooLarge)) as caught:
        fetched_from(behaviour, target, guard)

    assert "hidden" not in caplog.text
    assert "hidden" not in f"{caught.value} {caught.value.public} {caught.value.__cause__!r}"
