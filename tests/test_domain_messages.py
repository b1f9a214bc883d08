"""What travels on the bus: it comes out as it went in, and whatever else comes in is refused, never believed."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.job import JobId
from shared.domain.messages import (
    PAGES,
    MalformedMessage,
    Message,
    PrepareDocument,
    ReadRange,
    RoundEnded,
    from_bytes,
    to_bytes,
)
from shared.domain.options import Lane

JOB = JobId("0123456789abcdef")
MESSAGES = [
    PrepareDocument(job_id=JOB),
    ReadRange(job_id=JOB, range_id="1-0001"),
    RoundEnded(job_id=JOB, round=2),
]
kinds = st.sampled_from(["prepare_document", "read_range", "round_ended", "other"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
almost_messages = st.fixed_dictionaries(
    {"v": st.just(1) | json_values, "type": kinds | json_values},
    optional={"job_id": json_values, "range_id": json_values, "round": json_values, "more": json_values},
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_out_as_it_went_in(message: Message) -> None:
    assert from_bytes(to_bytes(message)) == message


def test_each_lane_has_a_topic_of_its_own() -> None:
    assert set(PAGES) == set(Lane)
    assert len(set(PAGES.values())) == len(Lane)


@given(data=st.binary() | almost_messages.map(lambda fields: json.dumps(fields).encode()))
@example(data=b"[" * 100_000)
@example(data=b'"v"')
@example(data=b"\xff")
@example(data=b"9" * 5000)
def test_arbitrary_bytes_are_a_plausible_message_or_malformed(data: bytes) -> None:
    try:
        message = from_bytes(data)
    except MalformedMessage:
        return

    assert from_bytes(to_bytes(message)) == message
    assert isinstance(message.job_id, str)


WHOLE = {"v": 1, "type": "round_ended", "job_id": "a", "round": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": None},
        {"type": "other"},
        {"type": []},
        {"job_id": 5},
        {"job_id": ""},
        {"job_id": "../x"},
        {"job_id": "\ud800"},
        {"job_id": "a" * 201},
        {"round": "1"},
        {"round": True},
        {"round": 0},
        {"round": 1.5},
        {"more": "x"},
    ],
    ids=str,
)
def test_a_message_with_anything_out_of_place_is_malformed(change: dict[str, object]) -> None:
    from_bytes(json.dumps(WHOLE).encode())

    with pytest.raises(MalformedMessage):
        from_bytes(json.dumps(WHOLE | change).encode())


@pytest.mark.parametrize("missing", WHOLE)
def test_a_message_that_lacks_anything_is_malformed(missing: str) -> None:
    fields = {name: value for name, value in WHOLE.items() if name != missing}

    with pytest.raises(MalformedMessage):
        from_bytes(json.dumps(fields).encode())


def test_what_a_malformed_message_held_stays_out_of_its_error() -> None:
    with pytest.raises(MalformedMessage) as caught:
        from_bytes(b'{"v": 1, "type": "secret text"}')

    assert "secret" not in str(caught.value)
