"""Finds tables without rules: rows whose texts stand in the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gpu_worker.engines.layout.geometry import Line
from gpu_worker.engines.layout.tables import Table, table_from_rows

FEWEST_ROWS = 3
"""Fewer rows of two texts are as likely a letterhead or a pair of labels."""

COLUMN_GAP = 0.8
"""White between columns in line heights."""

SKIPPED = 1
"""So many rows with a single text may stand between the rows of a table: a cell's second line, an empty cell."""


@dataclass(frozen=True, slots=True)
class Aligned:
    table: Table


def split_aligned(rows: Sequence[Sequence[Line]], line_height: float) -> list[Aligned | list[Line]]:
    """The rows, top to bottom, cut into tables and the lines between them."""
    parts: list[Aligned | list[Line]] = []
    index = 0
    while index < len(rows):
        end = _table_end(rows, index, line_height)
        if end - index >= FEWEST_ROWS:
            parts.append(Aligned(_table(rows[index:end], line_height)))
            index = end
            continue
        if not parts or isinstance(parts[-1], Aligned):
            parts.append([])
        last = parts[-1]
        if not isinstance(last, Aligned):
            last.extend(rows[index])
        index += 1
    return parts


def _table_end(rows: Sequence[Sequence[Line]], start: int, line_height: float) -> int:
    """One past the last row of a table that begins at `start`; `start` where none does."""
    if len(rows[start]) == 1:
        return start
    end = start + 1
    for index in range(start + 1, len(rows)):
        columns = _columns(rows[start : index + 1], line_height)
        if len(columns) == 1 or index - end > SKIPPED:
            break
        if len(rows[index]) > 1:
            end = index + 1
    return end


def _columns(rows: Sequence[Sequence[Line]], line_height: float) -> list[tuple[float, float]]:
    """The columns' left and right ends: what white from top to bottom separates."""
    spans = sorted((line.rect.x0, line.rect.x1) for row in rows for line in row)
    columns = [spans[0]]
    for start, end in spans[1:]:
        if start - columns[-1][1] < COLUMN_GAP * line_height:
            columns[-1] = (columns[-1][0], max(columns[-1][1], end))
        else:
            columns.append((start, end))
    return columns


def _table(rows: Sequence[Sequence[Line]], line_height: float) -> Table:
    columns = _columns(rows, line_height)
    starts = [start for start, _ in columns[1:]]
    edges = [float("-inf"), *starts, float("inf")]
    return table_from_rows(
        [[[line for line in row if left <= line.rect.x0 < right] for left, right in pairwise(edges)] for row in rows]
    )
