"""A question as the bytes that vLLM is sent, at little cost: no picture goes through JSON."""

import binascii
import json
from functools import lru_cache
from typing import Any

import cv2

from gpu_worker.engines.vl.question import Pixels, Question
from shared.domain.options import Lane

JPEG_QUALITY = 75
"""As the library encodes (Pillow's default): the same bytes, so the model sees the same pixels."""

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
        """The picture first, then the prompt, as the model was trained. Raises ValueError for a crop without pixels."""
        picture = binascii.b2a_base64(jpeg(question.crop), newline=False)
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


def jpeg(crop: Pixels) -> memoryview:
    """Encode while other threads run; the crop may be a slice of a page. Raises ValueError for what is no picture."""
    try:
        _, encoded = cv2.imencode(".jpg", crop, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    except cv2.error as error:
        raise ValueError(f"a crop of {crop.shape} is no picture: {error}") from error
    return memoryview(encoded)


def _tail(prompt: str, fields: str) -> bytes:
    text = json.dumps(prompt).encode()
    return b'"}},{"type":"text","text":' + text + b"}]}]," + fields[1:].encode()
