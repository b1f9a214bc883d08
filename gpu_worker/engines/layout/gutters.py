"""Finds where the detector ran over a narrow gutter and saw the lines of two columns as one."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.geometry import Rect

Gray = npt.NDArray[np.uint8]

NARROWEST = 0.3
"""A gutter's least width in line heights. Detection runs lines together up to about one height."""

TALL = 4.0
"""A gutter is white over at least this many line heights; word gaps rarely line up for so long."""

SUPPORT = 5
"""So many lines must meet the white strip: run across it, or end at its left where another begins at its right."""

WIDE = 8.0
"""Narrower boxes, in line heights, hold no two columns."""

LEAST_PART = 4.0
"""In line heights: what would be cut off narrower is a number, a bullet or a keyword before its text, not a column."""

EDGE = 0.15
"""The share of the white that stays with each part: letters cut close are misread."""

CONTRAST = 25
"""Grey levels below the surroundings that make ink: a scan's grain, once smoothed, stays within half of it."""

WINDOW = 31
"""Pixels: larger than any stroke of running text."""


def ink_mask(gray: Gray) -> npt.NDArray[np.bool_]:
    """Strokes and whatever else is darker than its surroundings, single specks left out."""
    smooth = cv2.GaussianBlur(gray, (3, 3), 0)
    ink = cv2.adaptiveThreshold(smooth, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, WINDOW, CONTRAST)
    return np.asarray(cv2.medianBlur(ink, 3) > 0)


@dataclass(frozen=True, slots=True)
class Cut:
    """The white of a gutter that a line runs across: the line's one part ends at `start`, the next begins at `end`."""

    start: float
    end: float


def find_cuts(gray: Gray, lines: Sequence[Rect]) -> list[tuple[Cut, ...]]:
    """For each line, where to cut it, from left to right; mostly nowhere."""
    if not any(_is_wide(line) for line in lines):
        return [() for _ in lines]
    ink = ink_mask(gray)
    rows = np.arange(ink.shape[0], dtype=np.int32)[:, None]
    above = np.maximum.accumulate(np.where(ink, rows, -1), axis=0)
    below = np.minimum.accumulate(np.where(ink, rows, ink.shape[0])[::-1], axis=0)[::-1]
    return [_cuts(line, above, below, lines) if _is_wide(line) else () for line in lines]


def _is_wide(line: Rect) -> bool:
    return line.width >= WIDE * line.height


def _cuts(
    line: Rect, above: npt.NDArray[np.int32], below: npt.NDArray[np.int32], lines: Sequence[Rect]
) -> tuple[Cut, ...]:
    """`above` and `below` hold, for each pixel, the nearest ink over and under it."""
    row = min(max(0, round(line.middle)), above.shape[0] - 1)
    first, last = max(0, round(line.x0 + LEAST_PART * line.height)), round(line.x1 - LEAST_PART * line.height)
    top, bottom = above[row, first:last], below[row, first:last]
    clear = bottom - top >= TALL * line.height
    found = []
    for start, end in _runs(clear):
        strip = Rect(first + start, float(np.median(top[start:end])), first + end, float(np.median(bottom[start:end])))
        if strip.width >= NARROWEST * line.height and _support(strip, line.height, lines) >= SUPPORT:
            found.append(Cut(strip.x0 + EDGE * strip.width, strip.x1 - EDGE * strip.width))
    return tuple(found)


def _runs(clear: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], clear, [False]))))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _support(strip: Rect, height: float, lines: Sequence[Rect]) -> int:
    """The lines at the strip's height that run across it, and the pairs of which one ends where the other begins.

    Labels and values of a form are too short to count: the white between them says nothing of a line above.
    """
    beside = [other for other in lines if strip.y0 < other.middle < strip.y1]
    crossing = sum(other.x0 < strip.x0 - height and other.x1 > strip.x1 + height for other in beside)
    full = [other for other in beside if _is_wide(other)]
    beginning = sum(strip.centre - 0.3 * height <= other.x0 <= strip.x1 + height for other in full)
    ending = sum(other.x0 < strip.x0 - height and other.x1 <= strip.centre + 0.3 * height for other in full)
    return crossing + min(beginning, ending)
