"""Whether a paragraph goes on on the next page, and how its two parts are put together."""

import re

from shared.domain.measures import breadth, is_spaceless, left, line_count
from shared.domain.page import Block, PageRead

WIDTH_WAVERS = 0.05
"""Widths of one column on two pages differ by so much of the page's width: an indent, a ragged edge, a crooked scan."""

EDGE_WAVERS = 0.1
"""Left edges: the inner and outer margins of a book's pages change sides."""

FULL_LINE = 15
"""Where a script has no lower case, a shorter part is taken for a line of its own: a name, a date, a label."""

_ENDED = re.compile(
    r"[.!?:\u2026\u203d\u3002\uff01\uff1f\uff1a\uff0e\u0964\u06d4\u061f]"
    r"(?:[\s\"'\u2019\u201d\u201c\u00bb\u00ab\u203a)\]}\uff09\u3011\u300d\u300f\u300b\u00b9\u00b2\u00b3\u2070-\u2079*\u2020\u2021]"
    r"|\[[\d,;\u2013 -]+\]|\d{1,3}(?=\Z)|\$\s*\^?\s*\{?\s*\^?\{?[\d,*]+\}?\s*\}?\s*\$)*\Z"
)
"""A sentence's end, with the quotes, brackets and footnote marks that may follow it."""

_DECIMAL = re.compile(r"\d\.\d{1,3}\Z")
_OPENING = "\"'([{\u2018\u201c\u201e\u00ab\u2039\uff08\u3010\u300c\u300e\u300a"
_ITEM = re.compile(
    r"(?:[-*+\u2022\u25cf\u25cb\u25aa\u25a0\u00b7\u2013\u2014]\s|\(?(?:[a-z]{1,2}|[ivx]{1,5}|\d{1,3})[.)]\s"
    r"|[(\uff08]?[一二三四五六七八九十]{1,3}[)\uff09、.\uff0e]|第[一二三四五六七八九十百\d]{1,4}[章节節条條部篇编編]|[\u2460-\u2473])"
)
_SPLIT_WORD = re.compile(r"[^\W\d_][-\u2010\u00ad]\Z")
_HYPHENATED = re.compile(r"\w+[-\u2010]\w+[-\u2010]\Z")
"""A word that has a hyphen already ("state-of-the-") keeps the one at the break."""


def goes_on(first: Block, page: PageRead, second: Block, next_page: PageRead) -> bool:
    """Whether `second`, on the page after `page`, continues the paragraph that `first` leaves open."""
    return _reads_on(first.content.strip(), second.content.strip(), line_count(second) > 1) and _stands_so(
        first, page, second, next_page
    )


def mended(first: str, second: str) -> tuple[str, str, str]:
    """Return what stands before the page break, between, and after it. A word that the break divides stands before.

    Either part may be empty.
    """
    if not _is_split(first, second):
        spaceless = not first or not second or (is_spaceless(first[-1]) and is_spaceless(second[0]))
        return first, "" if spaceless else " ", second
    end = _word_end(second)
    rest = second[end:].lstrip()
    whole = (first[:-1] if drops_hyphen(first, second) else first) + second[:end]
    return whole, "" if rest == second[end:] else " ", rest


def drops_hyphen(first: str, second: str) -> bool:
    """A hyphen is the typesetter's where a lower-case letter follows and the word has no other hyphen."""
    return _is_split(first, second) and second[0].islower() and not _HYPHENATED.search(_last_word(first))


def _is_split(first: str, second: str) -> bool:
    return bool(_SPLIT_WORD.search(first)) and second[:1].isalpha()


def _word_end(text: str) -> int:
    """Where the word ends that the text begins with: at a space, or at a script that has none."""
    ends = (index for index, letter in enumerate(text) if letter.isspace() or is_spaceless(letter))
    return next(ends, len(text))


def _last_word(text: str) -> str:
    """The same whatever text stood before it: what went before on another page must not decide about this one."""
    return text[-_word_end(text[::-1]) :]


def _reads_on(first: str, second: str, several_lines: bool) -> bool:
    if not first or not second or _ended(first) or _ITEM.match(second):
        return False
    start = second.lstrip(_OPENING)[:1]
    if start.islower() or _is_split(first, second) or second.startswith(("$", "\\(")):
        return any(letter.isalpha() for letter in first)
    if start.isalpha() and start.upper() == start.lower():
        return len(first) >= FULL_LINE and (first[-1].isalpha() or first[-1] in ",\u3001\uff0c\uff1b\u060c")
    return start.isalpha() and first.endswith(",") and several_lines


def _ended(text: str) -> bool:
    return bool(_ENDED.search(text[-40:])) and not _DECIMAL.search(text)


def _stands_so(first: Block, page: PageRead, second: Block, next_page: PageRead) -> bool:
    """Of one column's width, but for a last line, and not to the right of what it continues."""
    wider = breadth(second, next_page) - breadth(first, page)
    if wider > WIDTH_WAVERS or (wider < -WIDTH_WAVERS and line_count(second) > 1):
        return False
    return left(second, next_page) - left(first, page) <= EDGE_WAVERS
