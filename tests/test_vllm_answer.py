"""What vLLM answers is read as JSON says it, though not all of it is decoded."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.engines.vl.answer import Garbage, read_answer
from gpu_worker.engines.vl.question import Answer

TOKENS = st.lists(st.tuples(st.text(max_size=12), st.floats(-30, 0)), max_size=20)
CRUEL = [
    '"logprobs": {"content": [{',
    '"top_logprobs": []}',
    '"logprob": -9',
    "]}",
    '\\"',
    "\\",
    "\u2028",
    "\U0001d54f",
]
KEYS = [
    "choices",
    "message",
    "content",
    "usage",
    "logprobs",
    "logprob",
    "top_logprobs",
    "finish_reason",
    "prompt_tokens",
]
PLACES: list[tuple[str | int, ...]] = [
    ("choices",),
    ("choices", 0),
    ("choices", 0, "message"),
    ("choices", 0, "message", "content"),
    ("choices", 0, "finish_reason"),
    ("choices", 0, "logprobs"),
    ("choices", 0, "logprobs", "content", 0, "logprob"),
    ("usage",),
    ("usage", "prompt_tokens"),
    ("usage", "completion_tokens"),
]


def a_body(tokens: list[tuple[str, float]], *, finish: str = "stop", compact: bool = True, **more: Any) -> bytes:
    content = [
        {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace")), "top_logprobs": []}
        for token, logprob in tokens
    ]
    message = {"role": "assistant", "content": "".join(token for token, _ in tokens), "tool_calls": []}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": content},
        "finish_reason": finish,
        "stop_reason": None,
    }
    answer = {"id": "x", "choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": len(tokens)}} | more
    return json.dumps(answer, separators=(",", ":") if compact else None).encode()


@given(tokens=TOKENS | st.lists(st.tuples(st.sampled_from(CRUEL), st.just(-1.0))), compact=st.booleans())
def test_text_and_probability_are_those_of_the_tokens_whatever_they_say(
    tokens: list[tuple[str, float]], compact: bool
) -> None:
    answer = read_answer(a_body(tokens, compact=compact), seconds=1.5)

    assert answer.text == "".join(token for token, _ in tokens)
    assert (answer.prompt_tokens, answer.completion_tokens, answer.seconds) == (7, len(tokens), 1.5)
    if tokens:
        assert answer.confidence == pytest.approx(sum(math.exp(each) for _, each in tokens) / len(tokens))
    else:
        assert answer.confidence is None


def test_only_an_answer_that_ended_by_length_was_cut() -> None:
    tokens = [("a", -0.1)]

    assert read_answer(a_body(tokens, finish="length"), seconds=0).was_cut
    assert not read_answer(a_body(tokens), seconds=0).was_cut


@pytest.mark.parametrize("logprobs", [None, {"content": None}, {"content": []}])
def test_a_server_without_probabilities_is_fine(logprobs: object) -> None:
    body = json.loads(a_body([("a", -0.1)]))
    body["choices"][0]["logprobs"] = logprobs

    answer = read_answer(json.dumps(body).encode(), seconds=0)

    assert (answer.text, answer.confidence) == ("a", None)


def test_probabilities_of_what_was_not_chosen_count_for_nothing() -> None:
    body = json.loads(a_body([("a", -0.1), ("b", -0.2)]))
    first = body["choices"][0]["logprobs"]["content"][0]
    first["top_logprobs"] = [{"token": "z", "logprob": -5.0, "bytes": [1]}]

    answer = read_answer(json.dumps(body).encode(), seconds=0)

    assert (answer.text, answer.confidence) == ("ab", None)


def test_nothing_said_is_an_empty_answer() -> None:
    body = json.loads(a_body([]))
    body["choices"][0]["message"]["content"] = None

    assert read_answer(json.dumps(body).encode(), seconds=0).text == ""


@given(body=st.binary(max_size=200))
def test_what_is_no_completion_is_garbage_and_nothing_else(body: bytes) -> None:
    with pytest.raises(Garbage):
        read_answer(body, seconds=0)


@pytest.mark.parametrize(
    "wrong",
    [{"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": [{"message": {"content": 7}}]}, {"usage": 7}],
)
def test_a_completion_of_the_wrong_shape_is_garbage(wrong: dict[str, Any]) -> None:
    with pytest.raises(Garbage):
        read_answer(a_body([("a", -0.1)], **wrong), seconds=0)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(said=ANY_JSON, at=st.sampled_from(PLACES))
def test_whatever_stands_anywhere_in_a_completion_it_is_an_answer_or_garbage(
    said: Any, at: tuple[str | int, ...]
) -> None:
    body = json.loads(a_body([("a", -0.1)]))
    place = body
    for step in at[:-1]:
        place = place[step]
    place[at[-1]] = said

    answer = _answer_or_none(json.dumps(body).encode())

    assert answer is None or _is_sane(answer)


@given(said=ANY_JSON)
def test_json_that_is_no_completion_is_an_answer_or_garbage(said: Any) -> None:
    answer = _answer_or_none(json.dumps(said).encode())

    assert answer is None or _is_sane(answer)


@pytest.mark.parametrize("tokens", ["1e999", "-1", str(10**400), "null", '"many"', "NaN"])
def test_an_impossible_count_of_tokens_is_garbage(tokens: str) -> None:
    body = a_body([("a", -0.1)]).replace(b'"prompt_tokens":7', f'"prompt_tokens":{tokens}'.encode())

    with pytest.raises(Garbage):
        read_answer(body, seconds=0)


@pytest.mark.parametrize(("logprob", "confidence"), [(800.0, None), (1e999, None), (0.5, None), (1e-7, 1.0)])
def test_a_probability_above_one_is_none_but_for_rounding(logprob: float, confidence: float | None) -> None:
    body = a_body([("a", logprob)]).replace(b"Infinity", b"1e999")

    assert read_answer(body, seconds=0).confidence == confidence


def test_json_too_deep_to_be_read_is_garbage() -> None:
    with pytest.raises(Garbage):
        read_answer(b"[" * 100_000, seconds=0)


@pytest.mark.parametrize("finish", ["abort", "error", "repetition", "content_filter", "tool_calls", "", None, ["stop"]])
def test_a_text_that_broke_off_is_no_answer(finish: Any) -> None:
    """vLLM ends by itself with stop or length; it says abort where it broke off, and null while it is not done."""
    with pytest.raises(Garbage, match="ended"):
        read_answer(a_body([("half a", -0.1)], finish=finish), seconds=0)


def _answer_or_none(body: bytes) -> Answer | None:
    try:
        return read_answer(body, seconds=0)
    except Garbage:
        return None


def _is_sane(answer: Answer) -> bool:
    counts = (answer.prompt_tokens, answer.completion_tokens)
    return all(0 <= count < 2**40 for count in counts) and (answer.confidence is None or 0 <= answer.confidence <= 1)
