"""Posting a callback: whatever the receiver does is an answer, never an exception."""

import dataclasses
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.net.address import Allowed
from shared.net.guard import Guard
from shared.net.post import Answer, post_callback, retry_after_seconds
from tests.servers import (
    Behaviour,
    Receiver,
    Reply,
    Server,
    certificate_for,
    closed_port,
    dripping,
    endless,
    hanging,
    redirecting,
    resetting,
    sending,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
BODY = b'{"job_id": "1"}'


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(allowed=Allowed.parse("127.0.0.1"))


def posted(url: str, guard: Guard, timeout: float = 5.0) -> Answer:
    return post_callback(url, BODY, {"webhook-id": "msg_1"}, guard=guard, now=NOW, timeout=timeout)


def posted_to(behaviour: Behaviour, guard: Guard, timeout: float = 5.0) -> Answer:
    with Server({}, otherwise=behaviour) as server:
        return posted(f"{server.url}/hook", guard, timeout)


def test_the_body_arrives_as_it_is_with_the_headers(guard: Guard) -> None:
    with Receiver() as receiver:
        answer = posted(f"{receiver.url}/hook?token=1", guard)

    (received,) = receiver.received
    assert (received.method, received.target, received.body) == ("POST", "/hook?token=1", BODY)
    assert received.headers["webhook-id"] == "msg_1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["content-length"] == str(len(BODY))
    assert (answer.status, answer.error, answer.retry_after) == (204, None, None)
    assert 0 < answer.seconds < 5


@pytest.mark.parametrize("status", [200, 202, 299, 400, 404, 410, 429, 500, 503])
def test_a_status_is_an_answer(guard: Guard, status: int) -> None:
    with Receiver(Reply(status=status, headers={"Retry-After": "120"})) as receiver:
        answer = posted(receiver.url, guard)

    assert dataclasses.replace(answer, seconds=0) == Answer(status=status, retry_after=120.0, seconds=0)


def test_a_redirect_is_not_followed(guard: Guard) -> None:
    with Receiver() as elsewhere:
        answer = posted_to(redirecting(elsewhere.url, 307), guard)

    assert (answer.status, answer.error) == (307, "Redirects are not followed.")
    assert not elsewhere.received


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (hanging, "The receiver did not answer within 0.3 seconds."),
        (dripping(0.02, head=b"HTTP/1.1 200 OK\r\nX: "), "The receiver did not answer within 0.3 seconds."),
        (resetting, "The connection to the receiver failed."),
        (sending(b"garbage\r\n\r\n"), "The connection to the receiver failed."),
    ],
    ids=["silent", "slow headers", "reset", "garbage"],
)
def test_no_answer_is_an_answer_too(guard: Guard, behaviour: Behaviour, error: str) -> None:
    answer = posted_to(behaviour, guard, timeout=0.3)

    assert (answer.status, answer.error) == (None, error)
    assert answer.seconds < 2


def test_a_closed_port_is_an_answer(guard: Guard) -> None:
    assert posted(f"http://127.0.0.1:{closed_port()}/", guard).error == "The connection to the receiver failed."


@pytest.mark.parametrize(
    "behaviour", [endless, dripping(0.02), sending(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")]
)
def test_a_body_is_not_waited_for_and_changes_nothing(guard: Guard, behaviour: Behaviour) -> None:
    began = time.monotonic()

    answer = posted_to(behaviour, guard, timeout=0.3)

    assert (answer.status, answer.error) == (200, None)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://localhost/", "http://10.0.0.1/", "ftp://a.example/", "x", "\ud800"]
)
def test_a_url_that_the_guard_refuses_is_an_answer(guard: Guard, url: str) -> None:
    answer = posted(url, dataclasses.replace(guard, allowed=Allowed()))

    assert answer.status is None
    assert answer.error


def test_plain_http_is_refused_unless_the_operator_allows_it(guard: Guard) -> None:
    with Receiver() as receiver:
        answer = posted(receiver.url, dataclasses.replace(guard, allow_http=False))

    assert (answer.status, answer.error) == (None, "Only https URLs are accepted here.")
    assert not receiver.received


def test_a_certificate_that_nobody_knows_is_an_answer(guard: Guard) -> None:
    with Receiver(tls=certificate_for("127.0.0.1").server) as receiver:
        answer = posted(receiver.url, guard)

    assert answer.error == "The receiver's TLS certificate is not valid for the URL."
    assert not receiver.received


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 90 ", 90.0),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120.0),
        (format_datetime(NOW - timedelta(days=2), usegmt=True), 0.0),
        ("Tue, 01 Jan 2030 13:00:00 +0100", 0.0),
        ("Tuesday, 01-Jan-30 12:00:30 GMT", 30.0),
        ("Tue Jan  1 12:00:30 2030", 30.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 5000, None),
        ("Tue, 01 Jan 2030 12:00:00 +99999999999999", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


dateish = st.from_regex(r"(Mon, )?[0-9]{1,9}[ -]Jan[ -][0-9]{1,9} [0-9:]{0,12} ?(GMT|[+-][0-9]{1,9})?", fullmatch=True)


@given(st.one_of(st.text(max_size=40), dateish))
def test_whatever_a_receiver_sends_as_retry_after_is_read_or_ignored(value: str) -> None:
    seconds = retry_after_seconds(value, now=NOW)

    assert seconds is None or seconds >= 0


def test_an_endless_body_is_left_after_a_few_kilobytes(guard: Guard) -> None:
    answer = posted_to(endless, guard)

    assert answer.status == 200
    assert answer.seconds < 2
