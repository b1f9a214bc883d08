"""vLLM's answer as it is read from JSON.

The probabilities are nine tenths of its bytes, a hundred for each token: they are found by their name, and the rest is
decoded without them, which takes a third of the time and holds up nobody for 11 ms where an answer is long.
"""

import json
import math
import re
from typing import Any

from gpu_worker.engines.vl.question import Answer

_CUT = "length"
# No text that the model said can hold these: JSON escapes its quotation marks.
_TOKENS = re.compile(rb'"logprobs":\s*\{"content":\s*\[(?=\{)')
_LAST_TOKEN = b'"top_logprobs":'
_NO_OTHERS = re.compile(rb"\s*\[\s*\]\}")
_LOGPROB = re.compile(rb'"logprob":\s*(-?[\d.]+(?:[eE][-+]?\d+)?)')


class Garbage(Exception):
    """An answer with status 200 that is no chat completion."""


def read_answer(body: bytes, *, seconds: float) -> Answer:
    """Raises Garbage."""
    rest, tokens = _without_tokens(body)
    try:
        said = json.loads(rest)
        choice = said["choices"][0]
        usage = said.get("usage") or {}
        return Answer(
            text=_text(choice["message"]["content"]),
            was_cut=choice["finish_reason"] == _CUT,
            confidence=_confidence(tokens),
            prompt_tokens=int(usage.get("prompt_tokens", 0)),
            completion_tokens=int(usage.get("completion_tokens", 0)),
            seconds=seconds,
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Garbage(f"not a chat completion: {error!r}, {body[:200]!r}") from error


def _without_tokens(body: bytes) -> tuple[bytes, bytes]:
    """The body with an empty list of tokens, and that list; the body as it is where it has none that we know."""
    begin, last = _TOKENS.search(body), body.rfind(_LAST_TOKEN)
    end = _NO_OTHERS.match(body, last + len(_LAST_TOKEN)) if begin and last > begin.end() else None
    if begin is None or end is None:
        return body, b""
    return body[: begin.end()] + body[end.end() :], body[begin.end() : end.end()]


def _text(content: Any) -> str:
    """Nothing said at all is an empty answer."""
    if content is None:
        return ""
    if not isinstance(content, str):
        raise TypeError(f"a text that is {type(content).__name__}")
    return content


def _confidence(tokens: bytes) -> float | None:
    """None as well where the server tells of tokens that it did not choose."""
    chances = [math.exp(float(each)) for each in _LOGPROB.findall(tokens)]
    if not chances or len(chances) != tokens.count(_LAST_TOKEN):
        return None
    return min(1.0, sum(chances) / len(chances))
