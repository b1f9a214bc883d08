"""One line of text as pixels, for trying whether an engine reads at all: Helvetica, 12 points, 144 dpi."""

from difflib import SequenceMatcher
from importlib.resources import files

import numpy as np
from PIL import Image

from gpu_worker.engines.vl.picture import Pixels, picture_of
from gpu_worker.engines.vl.question import Question
from shared.domain.options import Lane
from shared.domain.page import PageImage

TEXT = "The quick brown fox jumps over the lazy dog, and costs $12.50."
DPI = 144

_ALIKE = 0.9
_MIN_PIXELS, _MAX_PIXELS = 112_896, 1_003_520
_MOST_TOKENS = 64


def page() -> PageImage:
    """The line alone on a page as wide as it is."""
    pixels = _pixels()
    height, width = pixels.shape[:2]
    return PageImage(rgb=memoryview(pixels.tobytes()), width=width, height=height, dpi=DPI)


def question() -> Question:
    return Question(
        picture=picture_of(_pixels()),
        prompt="OCR:",
        lane=Lane.EXPRESS,
        min_pixels=_MIN_PIXELS,
        max_pixels=_MAX_PIXELS,
        most_tokens=_MOST_TOKENS,
    )


def is_read(text: str) -> bool:
    """Whether it was read, but for a character or two."""
    return SequenceMatcher(None, TEXT, " ".join(text.split()), autojunk=False).ratio() >= _ALIKE


def _pixels() -> Pixels:
    """Grey, so that it is the same in either order of colours."""
    with (files(__package__) / "sample.png").open("rb") as file, Image.open(file) as image:
        return np.asarray(image.convert("RGB"), np.uint8)
