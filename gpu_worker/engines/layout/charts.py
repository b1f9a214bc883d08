"""Finds charts and line drawings: thin strokes that hang together over a large place, with labels in and around it."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.geometry import Line, Rect, bounds
from gpu_worker.engines.layout.rows import group_rows
from gpu_worker.engines.layout.text import is_caption

SMALLEST = 7.0
"""In line heights, both ways: less is a box, a logo or a bracket."""

TEXT_SHARE = 0.2
"""More text than this, by area, is text in a frame or between rules."""

TILES = 4
INKED = 3
"""A chart has strokes in most of its four middle tiles of sixteen; a frame has them at its edges alone."""

LONG = 40
"""Characters: a label is shorter, a line of running text is longer."""

SHORT = 24
NEAR = 3.0
"""So close, in line heights, a chart's scale and legend stand beside it. A line of a legend is seldom longer."""

NEIGHBOUR = 0.8
"""A label has no line of text so close above or below it, in line heights: that would make it a paragraph's end."""

AXIS = 3
"""So many labels under a chart are its axis; fewer are a heading or a caption."""

Mask = npt.NDArray[np.uint8]


def find_charts(strokes: Mask, lines: Sequence[Line], taken: Sequence[Rect], line_height: float) -> list[Rect]:
    """`strokes` is the page's ink without text, gaps closed; `taken` are the places of pictures and tables."""
    count, marks, stats, _ = cv2.connectedComponentsWithStats(strokes)
    found = []
    for number, (x, y, width, height, _) in enumerate(stats[1:count], 1):
        place = Rect(float(x), float(y), float(x + width), float(y + height))
        if min(width, height) < SMALLEST * line_height or any(place.shared(other) > 0 for other in taken):
            continue
        part = marks[y : y + height, x : x + width] == number
        if _is_inked(part) and _has_labels_alone(place, lines):
            found.append(_with_labels(place, lines, line_height))
    return found


def _is_inked(part: npt.NDArray[np.bool_]) -> bool:
    """Whether the strokes run through the middle of their place."""
    height, width = part.shape
    rows, columns = range(height // TILES, height, height // TILES), range(width // TILES, width, width // TILES)
    tiles = [part[y : y + height // TILES, x : x + width // TILES] for y in rows[:2] for x in columns[:2]]
    return sum(bool(tile.any()) for tile in tiles) >= INKED


def _has_labels_alone(place: Rect, lines: Sequence[Line]) -> bool:
    inside = [line for line in lines if line.rect.shared(place) > 0]
    if any(len(line.text) >= LONG for line in inside):
        return False
    return sum(line.rect.shared(place) for line in inside) <= TEXT_SHARE * place.area


def _with_labels(place: Rect, lines: Sequence[Line], line_height: float) -> Rect:
    """The place with the scale and the legend beside it and the axis under it."""
    labels = [line for line in lines if _is_label(line, lines, line_height)]
    reach = place.grown(NEAR * line_height)
    beside = [line for line in labels if line.rect.shared(reach) > 0 and place.y0 <= line.rect.middle <= place.y1]
    below = [line for line in labels if line.rect.shared(reach) > 0 and line.rect.middle > place.y1]
    axis = [line for row in group_rows(below) if len(row) >= AXIS for line in row]
    return bounds([place, *(line.extent or line.rect for line in (*beside, *axis))])


def _is_label(line: Line, lines: Sequence[Line], line_height: float) -> bool:
    if len(line.text) > SHORT or is_caption(line.text):
        return False
    around = line.rect.grown(NEIGHBOUR * line_height)
    return not any(len(other.text) > SHORT and other.rect.shared(around) > 0 for other in lines)
