"""Finds ruled grids on the page: which lines are drawn, and which cells they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import cv2
import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.geometry import Rect

Mask = npt.NDArray[np.uint8]
Drawn = npt.NDArray[np.bool_]

SHORTEST = 1.6
"""A rule is at least this many text line heights long: longer than the strokes of any letter of ordinary size."""

THICK = 0.35
THICKEST = 7
"""In line heights and in pixels: what is thicker is a filled field or the ground of white letters, no rule."""

DRAWN = 0.5
"""Between two cells there is a wall where at least half of it is drawn: scans break thin rules."""

SAME_RULE = 0.4
"""Rules nearer to each other than this many line heights are one: double and thick rules."""

SLACK = 3
"""Pixels by which a letter's stroke may leave its line's box."""

MOST_RULES = 200
"""A grid with more rules in one direction is a texture, no table."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`row` and `column` count from 0 at the grid's top left; spans are at least 1."""

    rect: Rect
    row: int
    column: int
    row_span: int = 1
    column_span: int = 1


@dataclass(frozen=True, slots=True)
class Grid:
    rect: Rect
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """Every drawn rule of the page, as two masks of its pixels."""

    across: Mask
    down: Mask


def find_rules(gray: Mask, text: Sequence[Rect], line_height: float) -> Rules:
    """`gray` is the straightened page, `text` where its lines are: the strokes of large letters are no rules."""
    ink = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 25, 10)
    thick = max(THICKEST, round(THICK * line_height))
    ink &= ~cv2.dilate(
        cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8)), np.ones((3, 3), np.uint8)
    )
    length = max(12, round(SHORTEST * line_height))
    across = _opened(ink, (length * 2, 1))
    down = _opened(ink, (1, length))
    return Rules(_without_strokes(across, text), _without_strokes(down, text))


def find_grids(rules: Rules, line_height: float) -> list[Grid]:
    """Grids of at least two cells, small ones first. A frame around one text is none."""
    joined = cv2.dilate(rules.across | rules.down, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for x, y, width, height, _ in stats[1:count]:
        if min(width, height) < SHORTEST * line_height:
            continue
        grid = _grid(rules, Rect(float(x), float(y), float(x + width), float(y + height)), line_height)
        if grid is not None:
            found.append(grid)
    return sorted(found, key=lambda grid: grid.rect.area)


def _opened(ink: Mask, size: tuple[int, int]) -> Mask:
    """The strokes of at least this size, a break of a few pixels bridged."""
    bridged = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((min(size[1], 3), min(size[0], 3)), np.uint8))
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, size)
    return np.asarray(cv2.morphologyEx(bridged, cv2.MORPH_OPEN, kernel), dtype=np.uint8)


def _without_strokes(rules: Mask, text: Sequence[Rect]) -> Mask:
    """The rules that leave the text line in which they stand."""
    count, marks, stats, _ = cv2.connectedComponentsWithStats(rules)
    kept = np.full(count, 255, dtype=np.uint8)
    kept[0] = 0
    places = np.array([(rect.x0, rect.y0, rect.x1, rect.y1) for rect in text]).reshape(-1, 4)
    for number, (x, y, width, height, _) in enumerate(stats[1:count], 1):
        inside = (places[:, 0] - SLACK <= x) & (x + width <= places[:, 2] + SLACK)
        inside &= (places[:, 1] - SLACK <= y) & (y + height <= places[:, 3] + SLACK)
        kept[number] = 0 if inside.any() else 255
    return np.asarray(kept[marks], dtype=np.uint8)


def _grid(rules: Rules, rect: Rect, line_height: float) -> Grid | None:
    x0, y0, x1, y1 = (round(value) for value in (rect.x0, rect.y0, rect.x1, rect.y1))
    across, down = rules.across[y0:y1, x0:x1] > 0, rules.down[y0:y1, x0:x1] > 0
    rows = _positions(across.any(axis=1) & (across.sum(axis=1) >= SHORTEST * line_height), SAME_RULE * line_height)
    columns = _positions(down.any(axis=0) & (down.sum(axis=0) >= SHORTEST * line_height), SAME_RULE * line_height)
    columns = _with_edges(columns, x1 - x0, line_height)
    if max(len(rows), len(columns)) > MOST_RULES:
        return None
    cells = _cells(_Drawing(across, down, rows, columns))
    if len(cells) <= 1:
        return None
    return Grid(rect, tuple(_moved(cell, rect) for cell in cells))


def _with_edges(columns: list[int], width: int, line_height: float) -> list[int]:
    """A grid that is open at its sides ends where its horizontal rules end."""
    if columns and columns[0] > line_height:
        columns = [0, *columns]
    if columns and columns[-1] < width - line_height:
        columns = [*columns, width]
    return columns


def _positions(drawn: Drawn, nearest: float) -> list[int]:
    """The centres of the runs of drawn rows or columns; runs that lie close together are one rule."""
    groups: list[list[int]] = []
    for index in np.flatnonzero(drawn):
        if groups and index - groups[-1][-1] <= nearest:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    return [(group[0] + group[-1]) // 2 for group in groups]


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The rules of one grid: their pixels, and where the rows and columns that they bound begin and end."""

    across: Drawn
    down: Drawn
    rows: Sequence[int]
    columns: Sequence[int]

    def wall_right(self, row: int, column: int) -> bool:
        strip = self.down[self.rows[row] : self.rows[row + 1], _near(self.columns[column + 1])]
        return _is_wall(np.asarray(strip.any(axis=1)))

    def wall_below(self, row: int, column: int, right: int) -> bool:
        """Whether any field of the cell is closed below."""
        start = self.columns[column]
        strip = np.asarray(self.across[_near(self.rows[row + 1]), start : self.columns[right]].any(axis=0))
        edges = [position - start for position in self.columns[column : right + 1]]
        return any(_is_wall(strip[before:after]) for before, after in pairwise(edges))


def _cells(drawing: _Drawing) -> list[Cell]:
    """The grid's cells; fields without a wall between them are one cell, as far as they make a rectangle."""
    taken: set[tuple[int, int]] = set()
    cells = []
    for row, column in product(range(len(drawing.rows) - 1), range(len(drawing.columns) - 1)):
        if (row, column) in taken:
            continue
        cell = _cell(drawing, row, column, taken)
        taken.update(product(range(row, row + cell.row_span), range(column, column + cell.column_span)))
        cells.append(cell)
    return cells


def _cell(drawing: _Drawing, row: int, column: int, taken: set[tuple[int, int]]) -> Cell:
    """The cell whose top left field is this one."""
    rows, columns = drawing.rows, drawing.columns
    right, below = column + 1, row + 1
    while right < len(columns) - 1 and (row, right) not in taken and not drawing.wall_right(row, right - 1):
        right += 1
    while below < len(rows) - 1 and not drawing.wall_below(below - 1, column, right):
        below += 1
    rect = Rect(float(columns[column]), float(rows[row]), float(columns[right]), float(rows[below]))
    return Cell(rect, row, column, below - row, right - column)


def _near(position: int) -> slice:
    """A rule's centre and what a double or wavering rule may stray from it."""
    return slice(max(0, position - 4), position + 5)


def _is_wall(drawn: Drawn) -> bool:
    return bool(drawn.size) and float(drawn.mean()) >= DRAWN


def _moved(cell: Cell, origin: Rect) -> Cell:
    rect = cell.rect
    moved = Rect(rect.x0 + origin.x0, rect.y0 + origin.y0, rect.x1 + origin.x0, rect.y1 + origin.y0)
    return Cell(moved, cell.row, cell.column, cell.row_span, cell.column_span)
