"""vLLM's answer as it is read from JSON.

The probabilities are nine tenths of its bytes, a hundred for each token: they are found by their name, and the rest is
decoded without them, which takes a third of the time and holds up nobody for 11 ms where an answer is long.
"""

import json
import math
import re
from typing import Any

from gpu_worker.engines.vl.question import Answer

_WHOLE, _CUT = "stop", "length"
"""vLLM also says abort, error and repetition, where it broke off; what it had until then is no answer."""
_MOST_TOKENS = 2**31
_ROUNDING = 1e-3
"""A logprob may be above 0 by so much, as what it is computed from is rounded."""
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
            was_cut=_was_cut(choice["finish_reason"]),
            confidence=_confidence(tokens),
            prompt_tokens=_count(usage.get("prompt_tokens", 0)),
            completion_tokens=_count(usage.get("completion_tokens", 0)),
            seconds=seconds,
        )
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError) as error:
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


def _was_cut(finish: Any) -> bool:
    if finish not in (_WHOLE, _CUT):
        raise ValueError(f"an answer that ended by {finish!r}")
    return bool(finish == _CUT)


def _count(tokens: Any) -> int:
    count = int(tokens)
    if not 0 <= count < _MOST_TOKENS:
        raise ValueError("a count of tokens that cannot be")
    return count


def _confidence(tokens: bytes) -> float | None:
    """None as well where the server tells of tokens that it did not choose, or of chances above one."""
    logprobs = [float(each) for each in _LOGPROB.findall(tokens)]
    if not logprobs or len(logprobs) != tokens.count(_LAST_TOKEN) or max(logprobs) > _ROUNDING:
        return None
    return sum(math.exp(min(0.0, each)) for each in logprobs) / len(logprobs)
