"""vLLM's answer as it is read from JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any

from gpu_worker.engines.vl.question import Answer

_CUT = "length"


class Garbage(Exception):
    """An answer with status 200 that is no chat completion."""


def read_answer(body: bytes, *, seconds: float) -> Answer:
    """Raises Garbage."""
    try:
        said = json.loads(body)
        choice = said["choices"][0]
        usage = said.get("usage") or {}
        return Answer(
            text=_text(choice["message"]["content"]),
            was_cut=choice["finish_reason"] == _CUT,
            confidence=_confidence(choice.get("logprobs")),
            prompt_tokens=int(usage.get("prompt_tokens", 0)),
            completion_tokens=int(usage.get("completion_tokens", 0)),
            seconds=seconds,
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Garbage(f"not a chat completion: {error!r}, {body[:200]!r}") from error


def _text(content: object) -> str:
    """Nothing said at all is an empty answer."""
    if content is None:
        return ""
    if not isinstance(content, str):
        raise TypeError(f"a text that is {type(content).__name__}")
    return content


def _confidence(logprobs: Mapping[str, Any] | None) -> float | None:
    tokens = (logprobs or {}).get("content")
    if not tokens:
        return None
    return sum(math.exp(token["logprob"]) for token in tokens) / len(tokens)
