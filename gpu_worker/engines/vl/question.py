"""What is asked about one block, and what is answered: between the engine and its client to vLLM."""

from dataclasses import dataclass
from typing import Any

from gpu_worker.engines.vl.picture import Picture
from shared.domain.options import Lane


class BlockRefused(Exception):
    """This block cannot be read: the server answers other questions, and not this one. Its page is read without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`prompt` is the model's own ("OCR:", "Table Recognition:", …). vLLM scales the picture to between `min_pixels`
    and `max_pixels`. `most_tokens` bounds the answer. `sampling` are further fields of the request, for a second try.
    """

    picture: Picture
    prompt: str
    lane: Lane
    min_pixels: int
    max_pixels: int
    most_tokens: int
    sampling: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`text` is raw, as the model gave it; `was_cut` says that it ended at `most_tokens` (`finish_reason` "length").

    `confidence` is the mean probability of its tokens, None where the server gives no logprobs. `seconds` is from the
    sending to the answer, tries that failed left out.
    """

    text: str
    was_cut: bool
    confidence: float | None
    prompt_tokens: int
    completion_tokens: int
    seconds: float
