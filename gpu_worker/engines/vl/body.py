"""A question as the bytes that vLLM is sent, at little cost: no picture goes through JSON."""

import binascii
import json
from functools import lru_cache
from typing import Any

from gpu_worker.engines.vl.question import Question
from shared.domain.options import Lane

PRIORITIES = {Lane.EXPRESS: 0, Lane.BULK: 1}
"""vLLM takes the lowest first, and 0 is what a request without priority has."""

_PICTURE = b'[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,'


class Bodies:
    """Makes requests for one model of one server."""

    def __init__(self, *, model: str, priority: bool) -> None:
        self._priority = priority
        self._head = b'{"model":' + json.dumps(model).encode() + b',"messages":[{"role":"user","content":' + _PICTURE
        self._tail_of = lru_cache(maxsize=256)(_tail)

    def of(self, question: Question) -> bytes:
        """The picture first, then the prompt, as the model was trained."""
        picture = binascii.b2a_base64(question.picture.jpeg, newline=False)
        fields: dict[str, Any] = {
            "temperature": 0,
            "max_completion_tokens": question.most_tokens,
            "mm_processor_kwargs": {"min_pixels": question.min_pixels, "max_pixels": question.max_pixels},
            "logprobs": True,
            "top_logprobs": 0,
        }
        if self._priority:
            fields["priority"] = PRIORITIES[question.lane]
        tail = self._tail_of(question.prompt, json.dumps(fields | dict(question.sampling)))
        return b"".join((self._head, picture, tail))


def _tail(prompt: str, fields: str) -> bytes:
    text = json.dumps(prompt).encode()
    return b'"}},{"type":"text","text":' + text + b"}]}]," + fields[1:].encode()
