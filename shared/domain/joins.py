"""Which paragraphs and tables go on over a page break. Pages' blocks stay as they are: a join only points at two."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from shared.domain.escaping import visible
from shared.domain.measures import breadth, left
from shared.domain.page import PICTURES, Block, Label, PageRead
from shared.domain.paragraphs import drops_hyphen, goes_on, mended
from shared.domain.tables import begins_anew, read_table, repeated_rows, width

Pages = Sequence[tuple[int, PageRead | None]]
"""A document's pages, ascending; None is a page that was not read."""

TABLE_WAVERS = 0.06
"""By so much of the page's width a table's width and its left edge differ from those of its continuation."""

_FURNITURE = frozenset({Label.HEADER, Label.FOOTER, Label.PAGE_NUMBER, Label.FOOTNOTE, Label.ASIDE})
_JOINED = frozenset({Label.TEXT, Label.TABLE})
_FLOATS = PICTURES | {Label.CAPTION, Label.TABLE}
_NOTE_LENGTH = 80
_GOES_ON = r"(?:continue[ds]?|cont['\u2018\u2019]?d|cont\.|fortsetzung|fortgesetzt|suite|continuaci[oó]n|续|續)"
_NOTE = re.compile(
    rf"\W*{_GOES_ON}(?:\W|\Z)(?:.{{0,30}})\Z|(?:table|tab\.|tabelle|tableau|tabla)\W.*{_GOES_ON}|.*[(\[\uff08]\s*{_GOES_ON}"
    r"|(?:续表|續表|接上表|表.{0,8}[续續])",
    re.IGNORECASE | re.DOTALL,
)
"""What is written above or below a table that a page break divides."""


class JoinKind(StrEnum):
    PARAGRAPH = "paragraph"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A block of a document: the page's number, and the block's id, which is unique on its page."""

    page: int
    block: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The Markdown shows `second`, on the next page, as the continuation of `first`.

    What it leaves out is told here: the hyphen at the end of the first, so many header rows at the second's beginning.
    """

    kind: JoinKind
    first: Place
    second: Place
    hyphen_dropped: bool = False
    header_rows_dropped: int = 0


def find_joins(pages: Pages) -> tuple[Join, ...]:
    """At most one for each break between two pages that were read and whose numbers follow each other."""
    found: list[Join] = []
    reads = {number: _as_shown(read) for number, read in pages if read is not None}
    for number, next_number in pairwise(reads):
        if next_number != number + 1:
            continue
        before = found[-1] if found and found[-1].second.page == number else None
        around = (number, reads[number]), (next_number, reads[next_number])
        join = _table_join(*around) or _paragraph_join(*around)
        if join is not None and (before is None or before.second != join.first or _leaves_room(before, reads)):
            found.append(join)
    return tuple(found)


def _as_shown(read: PageRead) -> PageRead:
    """The Markdown puts visible text together: what is judged must be the same."""
    return replace(read, blocks=tuple(replace(block, content=visible(block.content)) for block in read.blocks))


def _leaves_room(into: Join, reads: Mapping[int, PageRead]) -> bool:
    """Whether the page that a join leads into may lie wholly within a paragraph or table.

    What else it shows would be torn from it, and of its text something must be left after the end of a divided word.
    """
    first, inner = (_block(place, reads[place.page]) for place in (into.first, into.second))
    beside = (block for block in reads[into.second.page].blocks if block is not inner)
    if any(block.label not in _FURNITURE and not _is_note(block) for block in beside):
        return False
    return into.kind is JoinKind.TABLE or bool(mended(first.content.strip(), inner.content.strip())[2])


def _block(place: Place, read: PageRead) -> Block:
    return next(block for block in read.blocks if block.id == place.block and block.label in _JOINED)


def _paragraph_join(before: tuple[int, PageRead], after: tuple[int, PageRead]) -> Join | None:
    (number, page), (next_number, next_page) = before, after
    first, second = _open_text(reversed(page.blocks)), _open_text(next_page.blocks)
    if first is None or second is None or not goes_on(first, page, second, next_page):
        return None
    return Join(
        kind=JoinKind.PARAGRAPH,
        first=Place(page=number, block=first.id),
        second=Place(page=next_number, block=second.id),
        hyphen_dropped=drops_hyphen(first.content.strip(), second.content.strip()),
    )


def _open_text(blocks: Iterator[Block] | Sequence[Block]) -> Block | None:
    """The text nearest to the break, past furniture and what floats. A table floats only where it has a caption."""
    passed: set[Label] = set()
    for block in blocks:
        if block.label is Label.TEXT:
            return None if Label.TABLE in passed and Label.CAPTION not in passed else block
        if block.label not in _FURNITURE | _FLOATS:
            return None
        passed.add(block.label)
    return None


def _table_join(before: tuple[int, PageRead], after: tuple[int, PageRead]) -> Join | None:
    (number, page), (next_number, next_page) = before, after
    first, second = _open_table(reversed(page.blocks)), _open_table(next_page.blocks)
    if first is None or second is None or not _stand_alike(first, page, second, next_page):
        return None
    rows, next_rows = read_table(first.content), read_table(second.content)
    if not rows or not next_rows or width(rows) != width(next_rows):
        return None
    repeated = repeated_rows(rows, next_rows)
    if not repeated and begins_anew(rows, next_rows):
        return None
    return Join(
        kind=JoinKind.TABLE,
        first=Place(page=number, block=first.id),
        second=Place(page=next_number, block=second.id),
        header_rows_dropped=repeated,
    )


def _open_table(blocks: Iterator[Block] | Sequence[Block]) -> Block | None:
    """The table at the break, past furniture and a note that it goes on."""
    for block in blocks:
        if block.label is Label.TABLE:
            return block
        if block.label not in _FURNITURE and not _is_note(block):
            return None
    return None


def _is_note(block: Block) -> bool:
    text = block.content
    return (
        block.label in {Label.CAPTION, Label.TEXT, Label.HEADING}
        and len(text) <= _NOTE_LENGTH
        and bool(_NOTE.match(text))
    )


def _stand_alike(first: Block, page: PageRead, second: Block, next_page: PageRead) -> bool:
    return (
        abs(breadth(first, page) - breadth(second, next_page)) <= TABLE_WAVERS
        and abs(left(first, page) - left(second, next_page)) <= TABLE_WAVERS
    )
