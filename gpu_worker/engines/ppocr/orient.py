"""Finds by how many quarter turns a page was scanned wrong."""

import cv2
import numpy as np

from gpu_worker.engines.layout.skew import upper_end
from gpu_worker.engines.ppocr.detect import Quads
from gpu_worker.engines.ppocr.models import Floats, Model, Models, Pixels
from gpu_worker.engines.ppocr.recognise import cut_line, read_line

UPRIGHT = 1.5
"""A box this many times higher than wide stands: the text of a page on its side, or vertical writing."""

EVEN = 0.5
"""Above it the classifier holds a line for upside down."""

SAMPLE = 12
"""So many of the longest lines are asked; they are the surest."""

COMPARED = 4
"""So many lines are read both ways where the classifier sees a turn."""

CLEARLY_BETTER = 0.08
"""The turned reading must be more confident by this much: upright Latin lines are read at 0.95 and above, the same
lines upside down at 0.5 to 0.8."""

TRUSTED = 0.8
"""A script that the models don't know is read badly both ways, and which way is chance."""

_CLASSIFIER_SIZE = (192, 48)


def find_rotation(models: Models, page: Pixels, quads: Quads) -> int:
    """Degrees clockwise by which to turn the page image: 0, 90, 180 or 270."""
    straight = [quad for quad in quads if upper_end(quad) is None]
    longest = sorted(straight, key=_length, reverse=True)[:SAMPLE]
    if not longest:
        return 0
    sideways = sum(_stands(quad) for quad in longest) * 2 > len(longest)
    sample = [quad for quad in longest if _stands(quad) == sideways]
    lines = [cut_line(page, quad) for quad in sample]
    if sideways:
        # cut_line lays standing lines down with np.rot90, which is what a clockwise turn of 270 degrees does.
        return 90 if _are_upside_down(models, lines) else 270
    return 180 if _seem_upside_down(models.classifier, lines) and _are_upside_down(models, lines) else 0


def turn(page: Pixels, rotation: int) -> Pixels:
    """The page image turned clockwise."""
    return np.ascontiguousarray(np.rot90(page, -rotation // 90)) if rotation else page


def _length(quad: Quads) -> float:
    return float(max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[0] - quad[3])))


def _stands(quad: Quads) -> bool:
    return bool(np.linalg.norm(quad[0] - quad[3]) >= UPRIGHT * np.linalg.norm(quad[0] - quad[1]))


def _seem_upside_down(classifier: Model, lines: list[Pixels]) -> bool:
    """The classifier's vote, cheap and often wrong: a third is enough to look closer."""
    votes = sum(float(classifier.run(_network_input(line))[0, 1]) > EVEN for line in lines)
    return votes * 3 >= len(lines)


def _are_upside_down(models: Models, lines: list[Pixels]) -> bool:
    as_is = [read_line(models, line).confidence for line in lines[:COMPARED]]
    turned = [read_line(models, cv2.rotate(line, cv2.ROTATE_180)).confidence for line in lines[:COMPARED]]
    surer = float(np.mean(turned))
    return surer >= TRUSTED and surer > float(np.mean(as_is)) + CLEARLY_BETTER


def _network_input(line: Pixels) -> Floats:
    width = min(_CLASSIFIER_SIZE[0], max(1, round(line.shape[1] * _CLASSIFIER_SIZE[1] / line.shape[0])))
    padded = np.zeros((1, 3, _CLASSIFIER_SIZE[1], _CLASSIFIER_SIZE[0]), dtype=np.float32)
    resized = cv2.resize(line, (width, _CLASSIFIER_SIZE[1])).astype(np.float32)
    padded[0, :, :, :width] = resized.transpose(2, 0, 1) / 127.5 - 1.0
    return padded
