"""What the stub of vLLM answers: by prompt, as vLLM words it, and wrongly where a test asks for that."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

TEXTS: Mapping[str, str] = {
    "OCR:": "The quick brown fox jumps over the lazy dog, and costs $12.50.",
    "Table Recognition:": "<fcel>Item<fcel>Price<nl><fcel>Paper<fcel>12.50<nl><fcel>Ink<fcel>7.25<nl>",
    "Formula Recognition:": r"\[ E = m c^2 \]",
    "Chart Recognition:": "Year | Sales\n2023 | 10\n2024 | 12",
    "Seal Recognition:": "PAGEMILL LTD",
    "Spotting:": "The quick brown fox",
}
REPEATED = "again and "
MODEL = "PaddleOCR-VL-1.6-0.9B"

_TOKEN = re.compile(r"<\w+>|\s?\w{1,6}|\s?\S|\s")
_LOGPROB = -0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """Applies to so many `requests`, for so many `seconds`, or until it is taken off; to one `prompt`, or to all.

    `do` is one of: status (with `retry_after`), hang, drip, drop (the connection breaks halfway), die (the server is
    gone for `away` seconds), not_json, wrong_shape, no_choices, overflow (it counts endless tokens), abort (it says
    that it broke off), truncate, repeat, empty.
    """

    do: str
    requests: int | None = None
    seconds: float | None = None
    prompt: str | None = None
    status: int = 500
    retry_after: str | None = None
    away: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One chat completion as it was asked for; `fields` is its body with the picture left out."""

    fields: Mapping[str, Any]
    picture: int
    prompt: str

    @property
    def priority(self) -> int:
        return int(self.fields.get("priority", 0))


@dataclass(slots=True, kw_only=True)
class Settings:
    """What `/set` changes."""

    latency: float = 0.0
    slots: int = 64
    priority: bool = False
    model: str = MODEL
    health: int = 200
    models: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    misbehave: list[Misbehaviour] = field(default_factory=list)


_SPOILT: Mapping[str, Callable[[bytes], bytes]] = {
    "overflow": lambda whole: whole.replace(b'"prompt_tokens": ', b'"prompt_tokens": 1e999, "_": '),
    "abort": lambda whole: whole.replace(b'"finish_reason": "stop"', b'"finish_reason": "abort"'),
}


def read_question(body: bytearray) -> Asked:
    """Cut the picture out before the rest is decoded: it is nearly all of the body. Raises ValueError."""
    begin = body.find(b";base64,") + len(b";base64,")
    end = body.find(b'"', begin)
    fields = json.loads(bytes(body[:begin] + body[end:]))
    content = fields["messages"][-1]["content"]
    prompt = next(part["text"] for part in content if part["type"] == "text")
    return Asked(fields=fields, picture=end - begin, prompt=prompt)


def refusal(asked: Asked, settings: Settings) -> tuple[int, str] | None:
    """As vLLM refuses what names another model, or a priority that its scheduler doesn't know."""
    if asked.fields.get("model") != settings.model:
        return 404, f"The model `{asked.fields.get('model')}` does not exist."
    if asked.priority and not settings.priority:
        return 400, "Got priority but Priority scheduling is not enabled."
    return None


def served(settings: Settings) -> bytes:
    """The list of models; `models` where it is to be another text."""
    listed = {"object": "list", "data": [{"id": settings.model, "object": "model"}]}
    return (json.dumps(listed) if settings.models is None else settings.models).encode()


def completion(asked: Asked, settings: Settings, misbehaviour: str = "") -> bytes:
    match misbehaviour:
        case "not_json":
            return b"<html>upstream is confused</html>"
        case "wrong_shape":
            return b'{"object":"chat.completion","choices":{"message":"not a list"}}'
        case "no_choices":
            return b'{"object":"chat.completion","choices":[]}'
        case "overflow" | "abort":
            return _SPOILT[misbehaviour](completion(asked, settings))
    text = settings.answers.get(asked.prompt, TEXTS.get(asked.prompt, "Something."))
    most = int(asked.fields.get("max_completion_tokens", 4096))
    wants_logprobs = bool(asked.fields.get("logprobs"))
    return _completion(_worded(text, misbehaviour, most), settings.model, most, wants_logprobs, asked.picture)


def _worded(text: str, misbehaviour: str, most: int) -> str:
    match misbehaviour:
        case "empty":
            return ""
        case "repeat":
            return REPEATED * most
        case "truncate":  # numbered, for what says the same all the time is repetition
            return " ".join(f"{number}. {text}" for number in range(most))
        case _:
            return text


@lru_cache(maxsize=256)
def _completion(text: str, model: str, most: int, wants_logprobs: bool, picture: int) -> bytes:
    tokens = _TOKEN.findall(text)[: most + 1]
    finish = "stop" if len(tokens) <= most else "length"
    tokens = tokens[:most]
    message = {"role": "assistant", "content": "".join(tokens)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish, "stop_reason": None}
    if wants_logprobs:
        choice["logprobs"] = {"content": [_token(token) for token in tokens]}
    usage = {"prompt_tokens": 10 + picture // 1000, "completion_tokens": len(tokens)}
    answer = {"id": "chatcmpl-stub", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage}
    return json.dumps(answer).encode()


def _token(token: str) -> dict[str, object]:
    return {"token": token, "logprob": _LOGPROB, "bytes": list(token.encode()), "top_logprobs": []}
