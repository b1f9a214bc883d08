"""Blocks and options → Markdown and JSON; pages → document. Pure: one reading serves every choice of output.

What a document contains is shown, never obeyed: its text is escaped wherever Markdown or HTML would act on it, so that
no page can bring in a script, a link or, outside code, a page marker of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape as escape_html
from html.parser import HTMLParser

from shared.domain.errors import Failure
from shared.domain.options import Extra, Options, Tables
from shared.domain.page import PICTURES, Block, Label, PageRead

_EXTRAS: Mapping[Label, Extra] = {
    Label.HEADER: Extra.HEADER,
    Label.FOOTER: Extra.FOOTER,
    Label.FOOTNOTE: Extra.FOOTNOTE,
    Label.PAGE_NUMBER: Extra.PAGE_NUMBER,
    Label.ASIDE: Extra.ASIDE,
}

_LONGEST_SPAN = 1000

_TAG_OR_ENTITY = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=[(\[:])|!(?=\[)")
_INLINE = re.compile(r"`|\*(?=\S)|(?<=\S)\*|(?<!\w)_(?=\S)|(?<=\S)_(?!\w)|~~")
_BLOCK_START = re.compile(
    r"^(?P<space>[ \t]*)(?P<mark>#{1,6}(?=\s|$)|>|[-+*](?=\s|$)|(?:=+|-+)[ \t]*$|~~~|\|)", re.MULTILINE
)
_NUMBER_START = re.compile(r"^(?P<space>[ \t]*)(?P<number>\d{1,9})(?P<mark>[.)])(?=\s|$)", re.MULTILINE)
_IMAGE_LINK = re.compile(r"!\[\]\((images/[0-9a-f]{16}\.(?:png|jpg))\)")
_MATH = re.compile(r"(\$\$?[^$\n]+\$\$?|\\\(.+?\\\)|\\\[.+?\\\])")


SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOutcome:
    """A page of the finished document: what was read, or why it was not."""

    number: int
    read: PageRead | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What result.json holds: every block of every page, those that the Markdown leaves out too."""

    pages: tuple[PageOutcome, ...]
    schema: int = SCHEMA


def is_shown(block: Block, options: Options) -> bool:
    extra = _EXTRAS.get(block.label)
    return extra is None or extra in options.include


def page_markdown(read: PageRead, options: Options) -> str:
    """Return the Markdown of one page, without its marker; blocks are separated by one blank line."""
    shown = (block_markdown(block, options) for block in read.blocks if is_shown(block, options))
    return "\n\n".join(text for text in shown if text)


def outcome_markdown(outcome: PageOutcome, options: Options) -> str:
    """Return one page with its marker. A page that failed says so whether or not markers are wanted."""
    if outcome.read is None:
        code = outcome.failure.code if outcome.failure else "unknown"
        return f"<!-- page {outcome.number} failed: {code} -->"
    body = page_markdown(outcome.read, options)
    if not options.page_markers:
        return body
    return f"<!-- page {outcome.number} -->\n\n{body}".rstrip()


def document_markdown(outcomes: Iterable[PageOutcome], options: Options) -> str:
    """Return the document; it ends with one newline."""
    pages = (outcome_markdown(outcome, options) for outcome in outcomes)
    return "\n\n".join(page for page in pages if page) + "\n"


def image_names(read: PageRead, options: Options) -> Iterator[str]:
    """The names that the page's Markdown links to."""
    return (block.image for block in read.blocks if block.image is not None and is_shown(block, options))


def linked_images(markdown: str) -> tuple[str, ...]:
    """The image names that a document's Markdown links to, each once. A document's own text cannot forge a link."""
    return tuple(dict.fromkeys(_IMAGE_LINK.findall(markdown)))


def block_markdown(block: Block, options: Options) -> str:
    """Return one block as Markdown; empty where it shows nothing."""
    if block.label in PICTURES:
        return _picture(block)
    content = block.content.strip()
    if not content:
        return ""
    match block.label:
        case Label.TITLE | Label.HEADING:
            level = 1 if block.label is Label.TITLE else min(max(block.level or 2, 1), 6)
            return f"{'#' * level} {_inline(_folded(content))}"
        case Label.TABLE:
            return _table(content, options)
        case Label.FORMULA:
            return _math(content) if content.startswith(("$", "\\[", "\\(")) else f"$$\n{_math(content)}\n$$"
        case Label.CODE:
            return _fenced(content)
        case Label.LIST:
            return _list(content)
        case _:
            return _escaped(content)


def _picture(block: Block) -> str:
    link = f"![]({block.image})" if block.image else ""
    return "\n\n".join(part for part in (link, _escaped(block.content.strip())) if part)


def _fenced(content: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{content}\n{fence}"


def _list(content: str) -> str:
    """Keep the item's own mark ("-", "3.") and escape what follows it."""
    lines = []
    for line in content.splitlines():
        mark = re.match(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+", line)
        lines.append(mark.group() + _escaped(line[mark.end() :]) if mark else _escaped(line))
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, block starters and all; formulas between dollars stay formulas."""
    text = _BLOCK_START.sub(r"\g<space>\\\g<mark>", _inline(text))
    return _NUMBER_START.sub(r"\g<space>\g<number>\\\g<mark>", text)


def _inline(text: str) -> str:
    pieces = _MATH.split(text)
    return "".join(_math(piece) if index % 2 else _plain(piece) for index, piece in enumerate(pieces))


def _math(text: str) -> str:
    """Keep LaTeX as it is but for a space, which it ignores, where HTML or a link would begin."""
    return _LINK.sub(r"\g<0> ", _TAG.sub("< ", text))


def _plain(text: str) -> str:
    text = _TAG_OR_ENTITY.sub(lambda match: escape_html(match.group()), text)
    text = _LINK.sub(lambda match: "\\" + match.group(), text)
    return _INLINE.sub(lambda match: "".join("\\" + mark for mark in match.group()), text)


def _table(content: str, options: Options) -> str:
    """Tables travel as HTML; a table that joins cells stays so, since Markdown's cannot."""
    table = _TableReader()
    table.feed(content)
    table.close()
    if options.tables is Tables.MARKDOWN and table.rows and not table.joins:
        return _markdown_table(table.rows)
    return table.html()


def _markdown_table(rows: list[list[str]]) -> str:
    width = max(len(row) for row in rows)
    cells = [[_plain(_folded(cell)).replace("|", "\\|") for cell in row] + [""] * (width - len(row)) for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _folded(text: str) -> str:
    return " ".join(text.split())


class _TableReader(HTMLParser):
    """Reads an engine's table and writes it anew from its cells alone: no other tag or attribute survives."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.joins = False
        self._spans: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
            self._spans.append([])
        elif tag in {"td", "th"}:
            if not self.rows:
                self.handle_starttag("tr", [])
            self.rows[-1].append("")
            self._spans[-1].append(self._span(attrs))
        elif tag == "br" and self.rows and self.rows[-1]:
            self.rows[-1][-1] += " "

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data
        elif data.strip():
            # Text outside any cell is text of the document all the same: a row of its own.
            self.rows.append([data.strip()])
            self._spans.append([""])

    def html(self) -> str:
        rows = (self._row_html(row, spans) for row, spans in zip(self.rows, self._spans, strict=True))
        return "<table>\n" + "\n".join(rows) + "\n</table>"

    @staticmethod
    def _row_html(row: list[str], spans: list[str]) -> str:
        cells = (f"<td{span}>{escape_html(_folded(cell))}</td>" for cell, span in zip(row, spans, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    def _span(self, attrs: list[tuple[str, str | None]]) -> str:
        kept = [
            (name, int(value))
            for name, value in attrs
            if name in {"rowspan", "colspan"}
            and value is not None
            and value.isdecimal()
            and 1 < int(value) <= _LONGEST_SPAN
        ]
        self.joins = self.joins or bool(kept)
        return "".join(f' {name}="{value}"' for name, value in kept)
