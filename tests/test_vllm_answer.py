"""What vLLM answers is read as JSON says it, though not all of it is decoded."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.engines.vl.answer import Garbage, read_answer

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
