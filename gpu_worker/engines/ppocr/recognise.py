"""Reads the text of one line image, with the place of each character in it."""

from dataclasses import dataclass

import cv2
import numpy as np
from rapidocr.utils.process_img import get_rotate_crop_image

from gpu_worker.engines.ppocr.detect import Quads
from gpu_worker.engines.ppocr.models import Floats, Models, Pixels

LINE_HEIGHT = 48
"""The recogniser's fixed input height."""

NARROWEST = 48
WIDEST = 48 * 100


@dataclass(frozen=True, slots=True)
class Reading:
    """`places` are the centres of the characters, 0 to 1 along the line; as many as `text` has characters."""

    text: str
    confidence: float
    places: tuple[float, ...]


def cut_line(page: Pixels, quad: Quads) -> Pixels:
    """The line's own image, straightened; one that stands upright is laid down to the left."""
    line: Pixels = get_rotate_crop_image(page, quad.copy())
    return line


def read_line(models: Models, line: Pixels) -> Reading:
    """One line a call: batches of unequal lines cost padding and were not faster even for equal ones."""
    scores = models.recogniser.run(_network_input(line))[0]
    return _decode(scores, models.characters)


def _network_input(line: Pixels) -> Floats:
    height, width = line.shape[:2]
    scaled_width = min(max(round(width * LINE_HEIGHT / max(height, 1)), NARROWEST), WIDEST)
    resized = cv2.resize(line, (scaled_width, LINE_HEIGHT))
    scaled = resized.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1.0
    return np.ascontiguousarray(scaled, dtype=np.float32)


def _decode(scores: Floats, characters: tuple[str, ...]) -> Reading:
    """Greedy CTC: the best class a step, repeats merged, blanks dropped."""
    best = scores.argmax(axis=1)
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    steps = np.flatnonzero(kept)
    if not len(steps):
        return Reading("", 0.0, ())
    text = [characters[best[step]] for step in steps]
    places = [(step + 0.5) / len(best) for step in steps]
    confidence = float(scores[steps, best[steps]].mean())
    spread = [place for place, character in zip(places, text, strict=True) for _ in character]
    return Reading("".join(text), confidence, tuple(spread))
