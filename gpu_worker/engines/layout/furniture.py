"""Tells running headers, footers and page numbers from the text. In doubt a line is text: a lost sentence is worse than
a header too many.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gpu_worker.engines.layout.geometry import Line, Rect, bounds
from gpu_worker.engines.layout.paragraphs import Row, make_rows
from shared.domain.page import Label

MARGIN = 0.12
"""Furniture stands within this share of the page's height from its edge: 1.4 inch of a letter page."""

NUMBER_MARGIN = 0.2
"""A lone page number may stand further in: pages with wide margins."""

APART = 1.0
"""The least white between furniture and text, in line heights."""

FAR_APART = 2.0
"""So much white makes a line without a page number furniture as well."""

LARGE = 1.3
"""A line higher than this many line heights is a heading, not a running header."""

FEWEST_ROWS = 6
"""A page with fewer rows (a cover, a picture with a caption) has no furniture but page numbers."""

_NUMBER = re.compile(
    r"^[\W_]*(?:(?:page|p\.|seite|第)\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/|von|de|sur)\s*\d{1,4})?\s*[页頁]?[\W_]*$",
    re.IGNORECASE,
)
_HAS_NUMBER = re.compile(r"^\W*\d{1,4}\b|\b\d{1,4}\W*$|^[ivxlc]{1,6}\b(?=\s)|\s[ivxlc]{2,6}$")

_SENTENCE = re.compile(r"\w{3,}[.:;\u3002\uff1a\uff1b]$")
"""Running headers and footers do not end as sentences do."""


@dataclass(frozen=True, slots=True)
class Furniture:
    """What was set apart, with its label, top to bottom; and what is left."""

    top: tuple[tuple[Label, Line], ...]
    bottom: tuple[tuple[Label, Line], ...]
    text: tuple[Line, ...]


def set_apart(lines: Sequence[Line], solid: Sequence[Rect], page: Rect, line_height: float) -> Furniture:
    """`solid` are the places of tables and figures: they bound the text as lines do."""
    rows = make_rows(lines)
    top = _furniture(rows, solid, page, line_height, top=True)
    bottom = _furniture(rows[len(top) :], solid, page, line_height, top=False)
    taken = {id(line) for row in (*top, *bottom) for line in row.pieces}
    return Furniture(
        tuple((_label(line, Label.HEADER), line) for row in top for line in row.pieces),
        tuple((_label(line, Label.FOOTER), line) for row in bottom for line in row.pieces),
        tuple(line for line in lines if id(line) not in taken),
    )


def is_page_number(text: str) -> bool:
    return bool(_NUMBER.match(text))


def _label(line: Line, otherwise: Label) -> Label:
    return Label.PAGE_NUMBER if is_page_number(line.text) else otherwise


def _furniture(rows: Sequence[Row], solid: Sequence[Rect], page: Rect, line_height: float, *, top: bool) -> list[Row]:
    """Up to two rows at one edge of the page, from the edge inwards until one is text."""
    found: list[Row] = []
    inwards = list(rows) if top else list(reversed(rows))
    for index, row in enumerate(inwards[:2]):
        rest = [other.rect for other in inwards[index + 1 :]] + list(solid)
        if not _is_furniture(row, rest, page, line_height, few=len(rows) < FEWEST_ROWS, top=top):
            break
        found.append(row)
    return found


def _is_furniture(row: Row, rest: Sequence[Rect], page: Rect, line_height: float, *, few: bool, top: bool) -> bool:
    numbered = is_page_number(row.text) and not _in_scale(row.rect, rest)
    margin = (NUMBER_MARGIN if numbered else MARGIN) * page.height
    if not rest or not _in_margin(row.rect, page, margin, top=top) or row.height > LARGE * line_height:
        return False
    around = bounds(rest)
    gap = around.y0 - row.rect.y1 if top else row.rect.y0 - around.y1
    if numbered:
        return gap >= APART * line_height / 2
    if few or _SENTENCE.search(row.text):
        return False
    return gap >= (APART if _has_number(row) else FAR_APART) * line_height


def _in_scale(rect: Rect, rest: Sequence[Rect]) -> bool:
    """A number above others of its size in one column is a chart's or a table's, not the page's."""
    return sum(abs(rect.centre - other.centre) < rect.height and other.width < 2 * rect.width for other in rest) > 1


def _has_number(row: Row) -> bool:
    return any(is_page_number(piece.text) for piece in row.pieces) or bool(_HAS_NUMBER.search(row.text))


def _in_margin(rect: Rect, page: Rect, margin: float, *, top: bool) -> bool:
    return rect.y1 <= page.y0 + margin if top else rect.y0 >= page.y1 - margin
