"""Callbacks: signatures that the reference implementation verifies, and a schedule without surprises."""

import base64
import copy
import dataclasses
import json
import traceback
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from shared.domain.secret import Secret
from shared.domain.webhook import (
    ATTEMPTS,
    LONGEST_RETRY_AFTER,
    LONGEST_ROOM,
    Verdict,
    next_attempt,
    next_room,
    parse_secret,
    sign,
    verdict,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
BODY = '{"job_id": "1", "text": "Grüße"}'.encode()

chances = st.floats(min_value=0, max_value=1, exclude_max=True)


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


OLD = secret_of(b"o" * 32)
NEW = secret_of(b"n" * 24)
OTHER = secret_of(b"x" * 64)


def signed(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    return sign([parse_secret(text) for text in secrets], webhook_id="job_1-1", timestamp=datetime.now(UTC), body=body)


@given(key=st.binary(min_size=24, max_size=64), document=st.dictionaries(st.text(), st.text()))
def test_the_reference_implementation_verifies_what_is_signed(key: bytes, document: dict[str, str]) -> None:
    body = json.dumps(document).encode()

    headers = signed(secret_of(key), body=body)

    assert Webhook(secret_of(key)).verify(body, headers) == document


def test_while_secrets_rotate_both_verify_and_others_do_not() -> None:
    headers = signed(OLD, NEW)

    assert Webhook(OLD).verify(BODY, headers)
    assert Webhook(NEW).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, headers)


def test_a_changed_body_id_or_time_does_not_verify() -> None:
    headers = signed(OLD)
    later = str(int(headers["webhook-timestamp"]) + 1)

    for forged, body in (
        (headers, BODY + b" "),
        (headers | {"webhook-id": "job_1-2"}, BODY),
        (headers | {"webhook-timestamp": later}, BODY),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(body, forged)


def test_the_example_of_the_specification_comes_out() -> None:
    secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    headers = sign(
        [secret],
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=datetime.fromtimestamp(1614265330, UTC),
        body=body,
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("webhook_id", ["", "a.b", "a b", "a\r\nx: y", "ü", "x" * 129])
def test_an_id_that_would_blur_the_signature_is_refused(webhook_id: str) -> None:
    with pytest.raises(ValueError, match="webhook id"):
        sign([parse_secret(OLD)], webhook_id=webhook_id, timestamp=NOW, body=BODY)


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sign([], webhook_id="job_1", timestamp=NOW, body=BODY)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "begins with"),
        (base64.b64encode(b"k" * 32).decode(), "begins with"),
        ("whsec_not base64 but secret!", "base64"),
        ("whsec_gehe%m", "base64"),
        ("whsec_gehéim", "base64"),
        ("whsec_", "24 to 64 bytes, not 0"),
        (secret_of(b"k" * 23), "not 23"),
        (secret_of(b"k" * 65), "not 65"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_repeated(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_secret(text)

    told = "".join(traceback.format_exception(caught.value, limit=0))
    assert not (text.removeprefix("whsec_") and text.removeprefix("whsec_") in told)


def test_padding_is_optional() -> None:
    text = secret_of(b"k" * 25)

    assert signed(text.rstrip("="), body=b"x")["webhook-signature"] == signed(text, body=b"x")["webhook-signature"]


def test_a_secret_shows_itself_nowhere() -> None:
    @dataclasses.dataclass(frozen=True)
    class Settings:
        key: Secret

    secret = Secret("hidden")
    settings = Settings(key=secret)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>5}",
        repr([secret]),
        repr(settings),
        repr(dataclasses.asdict(settings)),
    ]

    assert not [text for text in shown if "hidden" in text]
    assert secret.reveal() == "hidden"


def test_secrets_are_compared_by_what_they_hide() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), copy.copy(Secret("ü"))}) == 2
    assert not Secret("")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, Verdict.DELIVERED) for status in (200, 204, 299)),
        *((status, Verdict.RETRY) for status in (None, 101, 199, 300, 302, 400, 404, 429, 500, 503)),
        (410, Verdict.GONE),
    ],
)
def test_an_answers_verdict(status: int | None, expected: Verdict) -> None:
    assert verdict(status) is expected


def test_the_schedule_is_the_documented_one() -> None:
    moments = [next_attempt(attempt, now=NOW, retry_after=None, chance=0.5) for attempt in range(1, ATTEMPTS)]

    assert [moment - NOW for moment in moments if moment] == [
        timedelta(seconds=10),
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=1),
        timedelta(hours=2),
        timedelta(hours=4),
        timedelta(hours=8),
        timedelta(hours=16),
    ]
    assert next_attempt(ATTEMPTS, now=NOW, retry_after=5.0, chance=0.5) is None


@pytest.mark.parametrize("attempt", [0, -1])
def test_before_the_first_attempt_there_is_none_to_follow(attempt: int) -> None:
    with pytest.raises(ValueError, match="1 is the first"):
        next_attempt(attempt, now=NOW, retry_after=None, chance=0.5)


@given(attempt=st.integers(1, ATTEMPTS - 1), chance=chances, asked=st.none() | st.floats(0, 1e300))
def test_a_receivers_wish_can_only_delay_and_not_for_ever(attempt: int, chance: float, asked: float | None) -> None:
    plain = next_attempt(attempt, now=NOW, retry_after=None, chance=chance)
    moment = next_attempt(attempt, now=NOW, retry_after=asked, chance=chance)

    assert plain is not None
    assert moment is not None
    assert plain <= moment <= max(plain, NOW + LONGEST_RETRY_AFTER)
    assert (moment - NOW).total_seconds() >= min(asked or 0.0, LONGEST_RETRY_AFTER.total_seconds()) - 1e-6


@given(first=chances, second=chances)
def test_the_steps_grow_whatever_chance_says(first: float, second: float) -> None:
    steps = [next_attempt(attempt, now=NOW, retry_after=None, chance=first) for attempt in range(1, ATTEMPTS)]
    others = [next_attempt(attempt, now=NOW, retry_after=None, chance=second) for attempt in range(1, ATTEMPTS)]

    assert all(one and other and one < other for (one, _), (_, other) in pairwise(zip(steps, others, strict=True)))


@given(put_off=st.integers(1, 10_000), chance=chances)
def test_who_waits_for_room_looks_less_often_the_longer_it_waits_and_never_less_than_each_five_minutes(
    put_off: int, chance: float
) -> None:
    pause = next_room(put_off, now=NOW, chance=chance) - NOW

    assert timedelta(seconds=2.5) <= pause <= LONGEST_ROOM
    assert next_room(put_off + 1, now=NOW, chance=chance) - NOW >= pause


def test_all_attempts_end_before_a_job_is_forgotten() -> None:
    moment = NOW

    for attempt in range(1, ATTEMPTS):
        moment = next_attempt(attempt, now=moment, retry_after=1e9, chance=0.999) or moment

    assert moment - NOW < timedelta(days=7)
