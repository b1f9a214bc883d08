"""Blocks and options → Markdown and JSON; pages → document. Pure: one reading serves every choice of output.

What a document contains is shown, never obeyed: its text is escaped wherever Markdown or HTML would act on it, so that
no page can bring in a script, a link or, outside code, a page marker of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.domain.blocks import block_markdown, is_shown
from shared.domain.errors import Failure
from shared.domain.escaping import escaped, visible
from shared.domain.joins import Join, Place, find_joins
from shared.domain.levels import heading_levels
from shared.domain.options import Options
from shared.domain.page import Block, Label, PageRead
from shared.domain.paragraphs import mended
from shared.domain.tables import Part, read_table, table

_HEADINGS = frozenset({Label.TITLE, Label.HEADING})
_IMAGE_LINK = re.compile(r"!\[\]\((images/[0-9a-f]{16}\.(?:png|jpg))\)")
_FENCED = re.compile(r"^(`{3,})\n.*?\n\1$", re.MULTILINE | re.DOTALL)


SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOutcome:
    """A page of the finished document: what was read, or why it was not."""

    number: int
    read: PageRead | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingLevel:
    """How deep the Markdown shows a title or heading; its block says what the engine made of it."""

    heading: Place
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What result.json holds: every block of every page as it was read, those that the Markdown leaves out too; and
    what the Markdown makes of them together: what goes on over a page break, and how headings stand to each other.
    """

    pages: tuple[PageOutcome, ...]
    joins: tuple[Join, ...] = ()
    headings: tuple[HeadingLevel, ...] = ()
    schema: int = SCHEMA


def whole(outcomes: Iterable[PageOutcome]) -> Document:
    """Return the document of these pages, ascending by number."""
    outcomes = tuple(outcomes)
    pages = [(outcome.number, outcome.read) for outcome in outcomes]
    blocks = {number: read.blocks for number, read in pages if read is not None}
    headings = tuple(
        HeadingLevel(heading=Place(page=number, block=blocks[number][index].id), level=level)
        for (number, index), level in sorted(heading_levels(pages).items())
    )
    return Document(pages=outcomes, joins=find_joins(pages), headings=headings)


def page_markdown(read: PageRead, options: Options) -> str:
    """Return the Markdown of one page, without its marker; blocks are separated by one blank line."""
    return "\n\n".join(_shown(read.blocks, options))


def _shown(blocks: Iterable[Block], options: Options) -> list[str]:
    shown = (block_markdown(block, options) for block in blocks if is_shown(block, options))
    return [text for text in shown if text]


def document_markdown(document: Document, options: Options) -> str:
    """Return what `whole` made of the pages; it ends with one newline. What goes on over a page break stands in one
    piece, between what else the two pages show, with the second page's marker where that page begins.
    """
    return "\n\n".join(part for part in _parts(document, options) if part) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """A page's blocks with their levels: what goes on from the page before, what goes on on the next, and the rest."""

    begun: Block | None
    rest: Sequence[Block]
    left_open: Block | None
    header_rows: int


def _parts(document: Document, options: Options) -> Iterator[str]:
    sheets = _sheets(document)
    torn: list[_Piece] = []
    late: list[str] = []
    for outcome in document.pages:
        mark = _mark(outcome, options)
        sheet = sheets.get(outcome.number)
        if sheet is None or sheet.begun is None:
            yield mark
        else:
            torn.append(_Piece(block=sheet.begun, mark=mark, header_rows=sheet.header_rows))
        if sheet is None:
            continue
        if sheet.begun is not None and sheet.begun is sheet.left_open:
            late += _shown(sheet.rest, options)  # furniture only: see find_joins
            continue
        if torn:
            yield _mended(torn, options)
            yield from late
            torn, late = [], []
        yield from _shown(sheet.rest, options)
        if sheet.left_open is not None:
            torn = [_Piece(block=sheet.left_open)]


def _mark(outcome: PageOutcome, options: Options) -> str:
    """A page that failed says so whether or not markers are wanted."""
    if outcome.read is None:
        return f"<!-- page {outcome.number} failed: {outcome.failure.code if outcome.failure else 'unknown'} -->"
    return f"<!-- page {outcome.number} -->" if options.page_markers else ""


def _sheets(document: Document) -> Mapping[int, _Sheet]:
    levels = {each.heading: each.level for each in document.headings}
    into = {join.second.page: join for join in document.joins}
    out_of = {join.first.page: join for join in document.joins}
    return {
        page.number: _sheet(_levelled(page.number, page.read, levels), into.get(page.number), out_of.get(page.number))
        for page in document.pages
        if page.read is not None
    }


def _levelled(number: int, read: PageRead, levels: Mapping[Place, int]) -> list[Block]:
    return [
        _at(levels.get(Place(page=number, block=block.id)), block) if block.label in _HEADINGS else block
        for block in read.blocks
    ]


def _at(level: int | None, block: Block) -> Block:
    if level is None or (block.label is Label.TITLE and level == 1):
        return block
    return replace(block, label=Label.HEADING, level=level)


def _sheet(blocks: Sequence[Block], into: Join | None, out_of: Join | None) -> _Sheet:
    begun = _joined_block(blocks, into.second) if into else None
    left_open = _joined_block(blocks, out_of.first) if out_of else None
    rest = [block for block in blocks if block is not begun and block is not left_open]
    return _Sheet(begun=begun, rest=rest, left_open=left_open, header_rows=into.header_rows_dropped if into else 0)


def _joined_block(blocks: Sequence[Block], place: Place) -> Block:
    return next(block for block in blocks if block.id == place.block and block.label in {Label.TEXT, Label.TABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A page's share in a paragraph or table; `mark` is empty for the first, whose page's marker stands before."""

    block: Block
    mark: str = ""
    header_rows: int = 0


def _mended(pieces: Sequence[_Piece], options: Options) -> str:
    if pieces[0].block.label is Label.TABLE:
        parts = (Part(rows=read_table(visible(each.block.content)), mark=each.mark) for each in pieces)
        cut = [replace(part, rows=part.rows[each.header_rows :]) for part, each in zip(parts, pieces, strict=True)]
        return table(cut, options.tables)
    return _paragraph([(each.mark, visible(each.block.content).strip()) for each in pieces])


def _paragraph(pieces: Sequence[tuple[str, str]]) -> str:
    """The comment that begins a page stands within the line, where Markdown shows nothing of it."""
    done, last = "", pieces[0][1]
    for mark, text in pieces[1:]:
        before, gap, after = mended(last, text)
        if mark:
            done, last = f"{done}{escaped(before)}{gap}{mark}{gap}", after
        else:
            last = f"{before}{gap}{after}"
    return done + escaped(last)


def image_names(read: PageRead, options: Options) -> Iterator[str]:
    """The names that the page's Markdown links to."""
    return (block.image for block in read.blocks if block.image is not None and is_shown(block, options))


def linked_images(markdown: str) -> tuple[str, ...]:
    """The image names that a document's Markdown links to, each once. A document's own text cannot forge a link."""
    return tuple(dict.fromkeys(_IMAGE_LINK.findall(_FENCED.sub("", markdown))))
