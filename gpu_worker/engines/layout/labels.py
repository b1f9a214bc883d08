"""What a paragraph is: title, heading, caption, list item, footnote or text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from gpu_worker.engines.layout.geometry import Rect
from gpu_worker.engines.layout.paragraphs import Paragraph, is_item
from gpu_worker.engines.layout.text import is_caption, is_spaceless
from shared.domain.page import Label

HEADING_SIZE = 1.22
"""A heading's height over the body's. Detected heights of body lines waver by up to 15 %."""

TITLE_SIZE = 1.6
"""The page's largest heading is its title from this size on."""

SECTION, SUBSECTION = 2, 3
"""Heading levels under a title: by size, and by a section's number alone."""

STANDS_OUT = 1.1
"""By so much a title is larger than the next heading, unless it comes first."""

LONGEST_HEADING = 160
"""Characters; what is longer is a paragraph in large type."""

LONG_ENOUGH = 10
"""Characters from which a mean letter width means something."""

TALLER = 1.05
"""Wide letters at the body's height are capitals or spaced out, not large."""

WIDEST = 1.5
"""Capitals in bold are so much wider than small letters of one size."""

NARROWEST = 1.15
"""Large type is nearly as much wider than the body's as it is higher; else an initial made the line high."""

FOOTNOTE_SIZE = 0.9
"""Footnotes are set at 8 pt to a body of 10 pt; detection wavers."""

FOOTNOTE_ZONE = 0.6
"""Footnotes stand below this share of the page's height."""

_NUMBERED_HEADING = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2}){1,3}\.?|chapter\s+[\divxlc]+\.?)\s+\S", re.IGNORECASE)
_ENTRY = re.compile(r"^\W*\d{1,2}(?:\.\d{1,2}){0,3}\.?\s*[^\W\d_]")
_WORDLIKE = re.compile(r"[^\W\d_]\W*[^\W\d_]")
"""Two letters: a large figure alone is no heading."""
_SENTENCE_END = re.compile(r"[.,;:!?\u3002\uff0c\uff1b\uff1a]$")
_FOOTNOTE = re.compile(r"^(?:\d{1,2}(?![\d.)])|[*†‡§¹²³⁴⁵⁶⁷⁸⁹])\s*\S")


@dataclass(frozen=True, slots=True)
class Style:
    """What is usual on the page: the body's line height, and the page's frame."""

    line_height: float
    page: Rect
    letter_width: float = 0.0


def label(paragraph: Paragraph, style: Style) -> Label:
    """Every label but TITLE, which is decided among all headings of a page."""
    text = paragraph.text
    if is_caption(text):
        return Label.CAPTION
    if is_item(text):
        return Label.LIST if not _is_large(paragraph, style) else Label.HEADING
    if _is_heading(paragraph, style):
        return Label.HEADING
    if _is_footnote(paragraph, style):
        return Label.FOOTNOTE
    return Label.TEXT


def is_entry(piece: object) -> bool:
    """Whether it is a single line with a section's number: a heading, or an entry of a table of contents."""
    return isinstance(piece, Paragraph) and len(piece.rows) == 1 and bool(_ENTRY.match(piece.text))


def type_size(paragraph: Paragraph, style: Style) -> float:
    """The type's size over the body's: by height, and for a line of some length by its letters' width as well. A single
    tall sign (a superscript, a bracket) raises a line's height but not its width; a line without descenders is low.
    """
    by_height = paragraph.height / style.line_height
    length = sum(len(row.text) for row in paragraph.rows)
    if length < LONG_ENOUGH or not style.letter_width or by_height < TALLER or is_spaceless(paragraph.text[0]):
        return by_height
    by_width = sum(row.rect.width for row in paragraph.rows) / length / style.letter_width
    return min(sqrt(by_height * min(by_width, WIDEST * by_height)), NARROWEST * by_width)


def heading_levels(headings: Sequence[Paragraph], style: Style) -> dict[int, tuple[Label, int]]:
    """For each heading by its place in the sequence: TITLE or HEADING, and its level, by size classes."""
    sizes = [type_size(paragraph, style) for paragraph in headings]
    title = _title(headings, sizes)
    found: dict[int, tuple[Label, int]] = {}
    for index, size in enumerate(sizes):
        level = SECTION if size >= HEADING_SIZE else SUBSECTION
        found[index] = (Label.TITLE, 1) if index == title else (Label.HEADING, level)
    return found


def _title(headings: Sequence[Paragraph], sizes: Sequence[float]) -> int | None:
    """The one heading that stands out among the others; a numbered one is a section's."""
    ranked = sorted(range(len(sizes)), key=lambda index: -sizes[index])
    if not ranked or sizes[ranked[0]] < TITLE_SIZE or _NUMBERED_HEADING.match(headings[ranked[0]].text):
        return None
    alone = len(ranked) == 1 or sizes[ranked[0]] >= STANDS_OUT * sizes[ranked[1]]
    return ranked[0] if alone or ranked[0] == 0 else None


def _is_large(paragraph: Paragraph, style: Style) -> bool:
    return type_size(paragraph, style) >= HEADING_SIZE


def _is_heading(paragraph: Paragraph, style: Style) -> bool:
    text = paragraph.text
    if len(text) > LONGEST_HEADING or not _WORDLIKE.search(text):
        return False
    if _is_large(paragraph, style):
        return True
    return len(paragraph.rows) == 1 and bool(_NUMBERED_HEADING.match(text)) and not _SENTENCE_END.search(text)


def _is_footnote(paragraph: Paragraph, style: Style) -> bool:
    low = paragraph.rect.y0 > style.page.y0 + FOOTNOTE_ZONE * style.page.height
    small = type_size(paragraph, style) <= FOOTNOTE_SIZE
    return low and small and bool(_FOOTNOTE.match(paragraph.text))
