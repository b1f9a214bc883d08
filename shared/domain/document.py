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
_SPAN = re.compile(r"\d{1,4}", re.ASCII)

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=[(\[:])|!(?=\[)")
_SPECIAL = re.compile(
    r"(?P<entity><(?=[A-Za-z/!?])|&(?=#?\w+;))"
    r"|\\(?=[!-/:-@\[-`{-~\s]|\Z)"  # a backslash that would escape something, be it an escape of ours
    r"|\](?=[(\[:])|!(?=\[)"  # links, their definitions, images
    r"|`|~(?=~)|(?<=~)~|\*(?=\S|\Z)|(?:(?<=\S)|\A)\*"
    r"|(?<!\w)_+|(?<!_)_++(?!\w)"  # an underscore within a word means nothing to Markdown
)
_BLOCK_START = re.compile(r"#{1,6}(?=\s|$)|>|[-+*_](?=\s|$)|(?:=+|-+)\s*$|~~~|\||[-:][-:|\s]*$|[*_][*_\s]*$")
_NUMBER_START = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")
_LIST_MARK = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)", re.ASCII)
_CLOSING_HASHES = re.compile(r"(?:(?<=\s)|^)(?=#+$)")
_IMAGE_LINK = re.compile(r"!\[\]\((images/[0-9a-f]{16}\.(?:png|jpg))\)")
_FENCED = re.compile(r"^(`{3,})\n.*?\n\1$", re.MULTILINE | re.DOTALL)
_DECLARATION = re.compile(r"<(?=[!?])")
"""In a table these are text: the parser would drop comments, and it raises at a marked section that it doesn't know."""
_MATH = re.compile(r"\$\$([^$\n]+)\$\$|\$([^$\n]+)\$|\\\[([^$\n]+?)\\\]|\\\(([^$\n]+?)\\\)")
_FORMULA = re.compile(r"\$\$([^$]+)\$\$|\$([^$]+)\$|\\\[([^$]+)\\\]|\\\(([^$]+)\\\)|([^$]+)")


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
    return tuple(dict.fromkeys(_IMAGE_LINK.findall(_FENCED.sub("", markdown))))


def block_markdown(block: Block, options: Options) -> str:
    """Return one block as Markdown; empty where it shows nothing."""
    if block.label in PICTURES:
        return _picture(block)
    text = _CONTROL.sub("\ufffd", block.content)
    content = text.strip()
    if not content:
        return ""
    match block.label:
        case Label.TITLE | Label.HEADING:
            level = 1 if block.label is Label.TITLE else min(max(block.level or 2, 1), 6)
            return f"{'#' * level} {_heading(content)}"
        case Label.TABLE:
            return _table(content, options)
        case Label.FORMULA:
            return _formula(content)
        case Label.CODE:
            return _fenced(text.strip("\r\n"))
        case Label.LIST:
            return _list(content)
        case _:
            return _escaped(content)


def _picture(block: Block) -> str:
    link = f"![]({block.image})" if block.image else ""
    return "\n\n".join(part for part in (link, _escaped(_CONTROL.sub("\ufffd", block.content).strip())) if part)


def _heading(content: str) -> str:
    """Hashes at a heading's end would be taken for its closing."""
    return _CLOSING_HASHES.sub(r"\\", _inline(_folded(content)))


def _fenced(content: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{content}\n{fence}"


def _list(content: str) -> str:
    """Keep the items' own marks ("-", "3.") and their depth, and escape what follows."""
    return "\n".join(_list_line(line) for line in content.splitlines() if line.strip())


def _list_line(line: str) -> str:
    mark = _LIST_MARK.match(line)
    if mark is None:
        return _escaped(line)
    return f"{mark[1].expandtabs(4)}{mark[2]} {_escaped(line[mark.end() :])}"


def _formula(content: str) -> str:
    """A formula stands between lines of two dollars, whatever delimiters it came with; an empty group, which shows
    nothing, keeps its lines from beginning a block. Where dollars lie within, it is text with formulas.
    """
    whole = _FORMULA.fullmatch(content)
    if whole is None:
        return _escaped(content)
    lines = [_math(line.strip()) for line in whole[whole.lastindex or 0].splitlines() if line.strip()]
    guarded = ("{}" + line if _BLOCK_START.match(line) or _NUMBER_START.match(line) else line for line in lines)
    return "\n".join(["$$", *guarded, "$$"])


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, block starters and all; formulas between dollars stay formulas.

    Indentation goes: it would make code of text.
    """
    return "\n".join(_escaped_line(line.strip(" \t")) for line in text.splitlines())


def _escaped_line(line: str) -> str:
    line = _inline(line)
    if _BLOCK_START.match(line):
        return "\\" + line
    return _NUMBER_START.sub(r"\g<1>\\", line, count=1) if _NUMBER_START.match(line) else line


def _inline(text: str) -> str:
    """Escape what lies between formulas. All of them get dollars: a bracket that delimits one could end a link."""
    pieces, end = [], 0
    for match in _MATH.finditer(text):
        dollars = "$" if match[2] or match[4] else "$$"
        pieces += [_plain(text[end : match.start()]), dollars, _math(match[match.lastindex or 0]), dollars]
        end = match.end()
    return "".join([*pieces, _plain(text[end:])])


def _math(text: str) -> str:
    """Keep LaTeX as it is but for a space, which it ignores, where HTML or a link would begin, and its left quote."""
    return _LINK.sub(r"\g<0> ", _TAG.sub("< ", text)).replace("`", r"\lq{}")


def _plain(text: str) -> str:
    return _SPECIAL.sub(_harmless, text)


def _harmless(match: re.Match[str]) -> str:
    return escape_html(match[0]) if match["entity"] else "".join("\\" + mark for mark in match[0])


def _table(content: str, options: Options) -> str:
    """Tables travel as HTML; a table that joins cells stays so, since Markdown's cannot."""
    table = _TableReader()
    table.feed(_DECLARATION.sub("&lt;", content))
    table.close()
    if not any(table.rows):
        return ""
    if options.tables is Tables.MARKDOWN and not table.joins:
        return _markdown_table(table.rows)
    return table.html()


def _markdown_table(rows: list[list[str]]) -> str:
    width = max(len(row) for row in rows)
    cells = [[_inline(_folded(cell)).replace("|", "\\|") for cell in row] + [""] * (width - len(row)) for row in rows]
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
        cells = (f"<td{span}>{_cell_html(cell)}</td>" for cell, span in zip(row, spans, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    def _span(self, attrs: list[tuple[str, str | None]]) -> str:
        given = {name: int(value) for name, value in reversed(attrs) if value is not None and _SPAN.fullmatch(value)}
        kept = {name: given[name] for name in ("rowspan", "colspan") if 1 < given.get(name, 0) <= _LONGEST_SPAN}
        self.joins = self.joins or bool(kept)
        return "".join(f' {name}="{value}"' for name, value in kept.items())


def _cell_html(text: str) -> str:
    """Markdown sees nothing in HTML, but whoever looks for the links of a document does."""
    return escape_html(_folded(text)).replace("![", "&#33;[")
