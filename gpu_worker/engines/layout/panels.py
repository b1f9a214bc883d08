"""Finds panels: frames in frames with short texts in them, such as screens, diagrams and dialogs. They are one thing,
read by itself, not columns among the page's text.
"""

from collections.abc import Sequence

from gpu_worker.engines.layout.figures import Figure, overlaps
from gpu_worker.engines.layout.geometry import Line, Rect
from gpu_worker.engines.layout.order import reading_order
from gpu_worker.engines.layout.paragraphs import gather, make_rows

SMALLEST = 4.0
"""In line heights, both ways: less is a pair of boxes beside each other."""

WITHIN = 0.8
"""A line belongs to a panel where this part of its area lies in it."""

FEWEST_LINES = 3

RUNNING_ROWS = 3
RUNNING_LETTERS = 120
"""A paragraph of so many rows and characters is text in a frame, to be read as text."""


def find_panels(
    grids: Sequence[Rect], lines: Sequence[Line], taken: Sequence[Rect], line_height: float
) -> list[Figure]:
    """`grids` are the places of drawn grids that are no tables; `taken` those of tables and pictures."""
    found: list[Figure] = []
    for rect in sorted(grids, key=lambda grid: -grid.area):
        inside = tuple(line for line in lines if line.rect.inside(rect) >= WITHIN)
        large = min(rect.width, rect.height) >= SMALLEST * line_height and len(inside) >= FEWEST_LINES
        free = not overlaps(rect, [*taken, *(panel.rect for panel in found)])
        if large and free and not _is_running(inside, line_height):
            found.append(Figure(rect, inside, rect))
    return found


def _is_running(lines: Sequence[Line], line_height: float) -> bool:
    paragraphs = (part for run in reading_order(lines, line_height) for part in gather(make_rows(run)))
    return any(len(part.rows) >= RUNNING_ROWS and len(part.text) >= RUNNING_LETTERS for part in paragraphs)
