"""Tables as HTML: from the cells of a ruled grid, or from rows whose texts stand in columns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import median

from gpu_worker.engines.layout.geometry import Line, Rect, bounds
from gpu_worker.engines.layout.paragraphs import make_rows
from gpu_worker.engines.layout.rows import group_rows
from gpu_worker.engines.layout.rules import Cell, Grid
from gpu_worker.engines.layout.text import is_spaceless, join_lines

IN_GRID = 0.6
"""A line belongs to a grid where this part of its area lies in it."""

SIDE_BY_SIDE = 0.5
"""In a table most texts have another beside them. Boxes of a diagram and frames in frames stand alone in their rows."""

WIDE_STEP = 1.8
"""A step from letter to letter that is so much wider than usual may be a column's edge; a step within a word is not."""

FILLED_SHARE = 0.2
"""A grid whose cells are nearly all empty is squared paper or a drawing; in half-filled forms a third has text."""

COLUMN_STEP = 2.5
TORN_SHARE = 0.1
"""Words stand up to two steps apart. Where several lines run through a wall with no more white than that, what seems a
wall is the frame of something behind the text.
"""

SHARED_ROW = 0.7
"""A row of text without rules of its own has a text in so many of the cells; a wrapped cell's second line has not."""

DRAWING_SHARE = 0.5
LONG_SPAN = 4
"""A grid of which more than half is cells that span rows and columns at once, or span very many, is a drawing."""

FRAME_SHARE = 0.7
FRAME_CHARACTERS = 200
"""A grid with one cell that holds most of a long text is a page's frame, no table."""


@dataclass(frozen=True, slots=True)
class Table:
    rect: Rect
    html: str
    lines: tuple[Line, ...]

    @property
    def confidence(self) -> float:
        weight = sum(len(line.text) for line in self.lines)
        return sum(line.confidence * len(line.text) for line in self.lines) / max(1, weight)


def ruled_table(grid: Grid, lines: Sequence[Line]) -> Table | None:
    """The grid's table; None where too few cells have text, or too few of them beside another."""
    inside = [line for line in lines if line.rect.inside(grid.rect) >= IN_GRID]
    texts: dict[Cell, list[Line]] = {}
    torn = 0
    for line in inside:
        shares = _shares(line, grid.cells)
        torn += _is_torn(line, [part for _, part in shares])
        for cell, part in shares:
            texts.setdefault(cell, []).append(part)
    if torn > max(1, TORN_SHARE * len(inside)):
        return None
    if not _has_rows(texts) or len(texts) < FILLED_SHARE * len(grid.cells) or _is_frame(texts) or _is_drawing(grid):
        return None
    return Table(grid.rect, _html(_as_rows(grid, texts)), tuple(inside))


def _is_torn(line: Line, parts: Sequence[Line]) -> bool:
    """Whether a wall runs through the line where its words are no farther apart than usual."""
    ends = sorted((part.places[0], part.places[-1]) for part in parts if part.places)
    usual = _usual_step(line)
    return any(after[0] - before[1] < COLUMN_STEP * usual for before, after in pairwise(ends))


def _has_rows(filled: Collection[Cell]) -> bool:
    paired = sum(any(_beside(cell, other) for other in filled) for cell in filled)
    return paired > 0 and paired >= SIDE_BY_SIDE * len(filled)


def _beside(cell: Cell, other: Cell) -> bool:
    """Whether the two have a row in common."""
    return cell != other and max(cell.row, other.row) < min(cell.row + cell.row_span, other.row + other.row_span)


def _is_drawing(grid: Grid) -> bool:
    """Boxes within boxes, whose fields hardly ever meet in rows and columns."""
    blocky = sum(cell.rect.area for cell in grid.cells if cell.row_span > 1 and cell.column_span > 1)
    wide = sum(cell.rect.area for cell in grid.cells if max(cell.row_span, cell.column_span) > LONG_SPAN)
    return max(blocky, wide) > DRAWING_SHARE * grid.rect.area


def _is_frame(texts: Mapping[Cell, Sequence[Line]]) -> bool:
    lengths = [sum(len(line.text) for line in lines) for lines in texts.values()]
    return max(lengths) > max(FRAME_CHARACTERS, FRAME_SHARE * sum(lengths))


def cell_text(lines: Sequence[Line]) -> str:
    return join_lines(row.text for row in make_rows(lines))


def _shares(line: Line, cells: Sequence[Cell]) -> list[tuple[Cell, Line]]:
    """The cell that a line stands in; a line that was found across several is cut between them."""
    crossed = [cell for cell in cells if cell.rect.shared_height(line.rect) >= line.rect.height / 2]
    crossed = [cell for cell in crossed if cell.rect.shared_width(line.rect) > 0]
    parts = [(cell, part) for cell in crossed if (part := cut_out(line, cell.rect.x0, cell.rect.x1))]
    if parts or not cells:
        return parts
    return [(max(cells, key=lambda cell: cell.rect.shared(line.rect)), line)]


def cut_out(line: Line, x0: float, x1: float) -> Line | None:
    """The words of a line that stand between two positions; None where none does. A word has its place as a whole:
    a rule that was seen where none is must not tear it.
    """
    if x0 <= line.rect.x0 and line.rect.x1 <= x1:
        return line
    kept = [word for word in _words(line) if x0 <= (word[0][0] + word[-1][0]) / 2 < x1]
    if not kept:
        return None
    first, last = kept[0][0][0], kept[-1][-1][0]
    inside = [(place, sign) for place, sign in zip(line.places, line.text, strict=True) if first <= place <= last]
    rect = Rect(max(x0, line.rect.x0), line.rect.y0, min(x1, line.rect.x1), line.rect.y1)
    return Line(rect, "".join(sign for _, sign in inside), line.confidence, tuple(place for place, _ in inside))


def _usual_step(line: Line) -> float:
    return median([after - before for before, after in pairwise(line.places)] or [0.0])


def _words(line: Line) -> list[list[tuple[float, str]]]:
    """The line's signs with their places, parted at spaces, at wide steps, and between signs that are words."""
    signs = list(zip(line.places, line.text, strict=True))
    usual = _usual_step(line)
    words: list[list[tuple[float, str]]] = []
    for place, sign in signs:
        before = words[-1][-1] if words and words[-1] else None
        if before is None or place - before[0] > WIDE_STEP * usual or is_spaceless(sign) or is_spaceless(before[1]):
            words.append([])
        if sign == " ":
            words.append([])
        else:
            words[-1].append((place, sign))
    return [word for word in words if word]


def _as_rows(grid: Grid, texts: Mapping[Cell, Sequence[Line]]) -> list[list[tuple[Cell, str]]]:
    rows: dict[int, list[tuple[Cell, Sequence[Line]]]] = {}
    for cell in grid.cells:
        rows.setdefault(cell.row, []).append((cell, texts.get(cell, ())))
    return [part for row in sorted(rows) for part in _unruled_rows(rows[row])]


def _unruled_rows(row: Sequence[tuple[Cell, Sequence[Line]]]) -> list[list[tuple[Cell, str]]]:
    """Several rows of text between two rules share no rule, but they are rows where most cells have a text in each."""
    whole = [[(cell, cell_text(lines)) for cell, lines in row]]
    owners = {id(line): index for index, (_, lines) in enumerate(row) for line in lines}
    text_rows = group_rows([line for _, lines in row for line in lines])
    filled = len(set(owners.values()))
    sparsest = min((len({owners[id(line)] for line in text_row}) for text_row in text_rows), default=0)
    if len(text_rows) <= 1 or filled == 1 or sparsest < SHARED_ROW * filled or any(c.row_span > 1 for c, _ in row):
        return whole
    return [
        [
            (cell, cell_text([line for line in text_row if owners[id(line)] == index]))
            for index, (cell, _) in enumerate(row)
        ]
        for text_row in text_rows
    ]


def _html(rows: Sequence[Sequence[tuple[Cell, str]]]) -> str:
    lines = ["".join(_td(cell, text) for cell, text in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _td(cell: Cell, text: str) -> str:
    spans = [("rowspan", cell.row_span), ("colspan", cell.column_span)]
    attributes = "".join(f' {name}="{span}"' for name, span in spans if span > 1)
    return f"<td{attributes}>{escape(text)}</td>"


def table_from_rows(rows: Sequence[Sequence[Sequence[Line]]]) -> Table:
    """A table without rules: for each row, the lines of each of its columns."""
    lines = tuple(line for row in rows for cell in row for line in cell)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell_text(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return Table(bounds(line.rect for line in lines), f"<table>{body}</table>", lines)
