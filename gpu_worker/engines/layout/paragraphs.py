"""Gathers the lines of one column into paragraphs, list items and lone lines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gpu_worker.engines.layout.geometry import Line, Rect, bounds
from gpu_worker.engines.layout.rows import group_rows
from gpu_worker.engines.layout.text import is_caption, join_lines

NEW_BLOCK_GAP = 0.6
"""A gap wider than the column's usual one by this many line heights ends a paragraph."""

WIDEST_GAP = 1.3
"""Lines set double stand 0.8 to 1.1 heights apart; what is farther apart are labels, however even their spacing."""

CAPTION_GAP = 0.2
"""By so much a caption stands off the text above it; a line that happens to begin with "Figure 3" does not."""

OTHER_SIZE = 1.35
"""Lines whose heights differ by more than this factor are not of one paragraph; detection wavers by about 15 %."""

INDENT = 0.8
"""A first-line indent in line heights: typesetters use 1 to 2 em, an em is about 0.75 of a detected height."""

SHORT_LINE = 0.85
"""A line that leaves more than 15 % of its column's width free before an indented line ends its paragraph."""

ROOM = 1.3
"""Free room beyond the next word's width that makes a line break the author's; letter widths vary by a third."""

LONGEST_WORD = 12
"""Characters that a Chinese "word" is counted as at most, since it is the whole line."""

CENTRED = 0.5
"""Tolerance for a common axis, in line heights."""

SAME_SIZE = 1.15
"""Type of one size wavers by so much in its detected height."""

BULLET = re.compile(
    r"^[\u2022\u25cf\u25cb\u25e6\u25aa\u25a0\u25a1\u25ab\u2023\u2219\u00b7\u25c6\u25c7\u25ba\u25b6\u27a2\u2713\u2714]\s*(?=\S)|^[*\u2013\u2014-]\s+(?=\S)"
)
NUMBERED = re.compile(r"^(?:\(?\d{1,2}[.)]|\(?[a-z][.)])\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of text over a column's whole width, whatever pieces it was found in."""

    rect: Rect
    pieces: tuple[Line, ...]

    @property
    def text(self) -> str:
        return join_lines(piece.text for piece in self.pieces)

    @property
    def height(self) -> float:
        return median(piece.rect.height for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Paragraph:
    rows: tuple[Row, ...]

    @property
    def rect(self) -> Rect:
        return bounds(row.rect for row in self.rows)

    @property
    def text(self) -> str:
        return join_lines(row.text for row in self.rows)

    @property
    def height(self) -> float:
        return median(row.height for row in self.rows)

    @property
    def confidence(self) -> float:
        """The mean of its pieces, each counted by its characters."""
        pieces = [piece for row in self.rows for piece in row.pieces]
        weight = sum(len(piece.text) for piece in pieces)
        return sum(piece.confidence * len(piece.text) for piece in pieces) / max(1, weight)


@dataclass(frozen=True, slots=True)
class _Column:
    rect: Rect
    right_edge: float
    usual_gap: float


def make_rows(lines: Sequence[Line]) -> list[Row]:
    return [Row(bounds(piece.rect for piece in row), tuple(row)) for row in group_rows(lines)]


def gather(rows: Sequence[Row]) -> list[Paragraph]:
    """Paragraphs from rows of one column, top to bottom."""
    if not rows:
        return []
    column = _Column(bounds(row.rect for row in rows), _right_edge(rows), _usual_gap(rows))
    groups = [[rows[0]]]
    for row in rows[1:]:
        if _continues(groups[-1], row, column):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [Paragraph(tuple(group)) for group in groups]


def is_item(text: str) -> bool:
    """Whether a line begins a list item."""
    return bool(BULLET.match(text) or NUMBERED.match(text))


def normal_item(text: str) -> str:
    """A list item with Markdown's bullet in place of its own; numbers stay."""
    return BULLET.sub("- ", text, count=1)


def _usual_gap(rows: Sequence[Row]) -> float:
    """The gap between lines of running text: the median of the smaller half of all gaps."""
    gaps = sorted(below.rect.y0 - above.rect.y1 for above, below in pairwise(rows))
    return median(gaps[: len(gaps) // 2 + 1]) if gaps else 0.0


def _right_edge(rows: Sequence[Row]) -> float:
    """Where the column's lines end: a tenth of them may stick out, a heading or a caption of another width."""
    ends = sorted(row.rect.x1 for row in rows)
    return ends[round(0.9 * (len(ends) - 1))]


def _continues(group: Sequence[Row], row: Row, column: _Column) -> bool:
    above = group[-1]
    height = min(above.height, row.height)
    if row.rect.y0 - above.rect.y1 > min(column.usual_gap + NEW_BLOCK_GAP * height, WIDEST_GAP * height):
        return False
    if max(above.height, row.height) > OTHER_SIZE * height or above.rect.shared_width(row.rect) <= 0:
        return False
    if is_caption(row.text) and row.rect.y0 - above.rect.y1 > column.usual_gap + CAPTION_GAP * height:
        return False
    if is_item(row.text) or _begins_indented(group, row, column) or _is_subtitle(above, row):
        return False
    return not _broken_on_purpose(above, row, column)


def _is_subtitle(above: Row, row: Row) -> bool:
    """Centred under the line above in another size: an author under a title."""
    same_axis = abs(above.rect.centre - row.rect.centre) <= CENTRED * row.height
    sizes = sorted((above.height, row.height))
    return same_axis and abs(above.rect.x0 - row.rect.x0) > row.height and sizes[1] > SAME_SIZE * sizes[0]


def _begins_indented(group: Sequence[Row], row: Row, column: _Column) -> bool:
    """A first-line indent: further in than the line above, which itself stood at the column's edge or ended early."""
    above = group[-1]
    if is_item(group[0].text):
        return row.rect.x0 < group[0].rect.x0 + INDENT * row.height / 2 and _ends_early(above, column)
    indented = row.rect.x0 - above.rect.x0 > INDENT * row.height
    return indented and (len(group) > 1 or _ends_early(above, column))


def _ends_early(row: Row, column: _Column) -> bool:
    return row.rect.x1 - column.rect.x0 < SHORT_LINE * column.rect.width


def _broken_on_purpose(above: Row, row: Row, column: _Column) -> bool:
    """The line above had room for this one's first word: an address, a table of contents, a paragraph's end. Lines of a
    centred heading have room as well and belong together.
    """
    if above.text.endswith("-") or _are_centred(above, row):
        return False
    word = len(row.text.split(maxsplit=1)[0]) if row.text.strip() else 0
    needed = row.rect.width * min(word, LONGEST_WORD) / max(1, len(row.text))
    return column.right_edge - above.rect.x1 > needed * ROOM + row.height


def _are_centred(above: Row, row: Row) -> bool:
    """Both stand around one axis, and neither edge is shared."""
    near = CENTRED * row.height
    apart = abs(above.rect.x0 - row.rect.x0) > near and abs(above.rect.x1 - row.rect.x1) > near
    same_size = max(above.height, row.height) <= SAME_SIZE * min(above.height, row.height)
    return apart and same_size and abs(above.rect.centre - row.rect.centre) <= near
