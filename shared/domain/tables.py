"""Tables: an engine's HTML → rows of cells → HTML or Markdown written anew, so that no other tag survives."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape as escape_html
from html import unescape
from html.parser import HTMLParser
from itertools import chain

from shared.domain.escaping import folded, inline
from shared.domain.options import Tables

_LONGEST_SPAN = 1000
_SPAN = re.compile(r"\d{1,4}", re.ASCII)
_DECLARATION = re.compile(r"<(?=[!?])")
"""In a table these are text: the parser would drop comments, and it raises at a marked section that it doesn't know."""

_PLAIN_CELL = re.compile(r'<td((?:\s(?:row|col)span="?\d{1,4}"?)*+)>([^<]*+)</td>')
_PLAIN_ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
_PLAIN = re.compile(
    r'\s*+<table>\s*+(?:<tr>\s*+(?:<td(?:\s(?:row|col)span="?\d{1,4}"?)*+>[^<]*+</td>\s*+)++</tr>\s*+)++</table>\s*+'
)
"""What engines write: nothing but rows, cells and spans. The parser, which takes whatever comes, takes far longer."""

_PLAIN_SPAN = re.compile(r'(rowspan|colspan)="?(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    text: str = ""
    rowspan: int = 1
    colspan: int = 1

    @property
    def joins(self) -> bool:
        return self.rowspan > 1 or self.colspan > 1


Row = tuple[Cell, ...]
Rows = tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of a table that stand on one page; `mark` is the comment that says where that page begins, or empty."""

    rows: Rows
    mark: str = ""


@lru_cache(maxsize=4)
def read_table(content: str) -> Rows:
    """Empty where there is no cell. Asked of the same table at both of its page's breaks."""
    if _PLAIN.fullmatch(content):
        return tuple(tuple(map(_plain_cell, _PLAIN_CELL.finditer(row))) for row in _PLAIN_ROW.findall(content))
    reader = _Reader()
    reader.feed(_DECLARATION.sub("&lt;", content))
    reader.close()
    return tuple(map(tuple, reader.rows)) if any(reader.rows) else ()


def _plain_cell(match: re.Match[str]) -> Cell:
    text = unescape(match[2])
    return _cell(_PLAIN_SPAN.findall(match[1]), text) if match[1] else Cell(text=text)


def _cell(attributes: Iterable[tuple[str, str | None]], text: str = "") -> Cell:
    """Of two spans of one name the first counts, as browsers have it."""
    given = {name: int(value) for name, value in reversed([*attributes]) if value and _SPAN.fullmatch(value)}
    spans = {name: given[name] for name in ("rowspan", "colspan") if 1 < given.get(name, 0) <= _LONGEST_SPAN}
    return Cell(text=text, rowspan=spans.get("rowspan", 1), colspan=spans.get("colspan", 1))


def width(rows: Rows) -> int:
    """The number of columns, with what cells span over columns and rows."""
    ending: Counter[int] = Counter()
    widest = carried = 0
    for index, row in enumerate(rows):
        carried -= ending.pop(index, 0)
        own = sum(cell.colspan for cell in row)
        widest = max(widest, carried + own)
        for cell in row:
            if cell.rowspan > 1:
                carried += cell.colspan
                ending[index + cell.rowspan] += cell.colspan
    return widest


def repeated_rows(first: Rows, second: Rows) -> int:
    """How many rows the second repeats of the first's header: 0 unless all of the header is there, and more than it.

    A header is the first row, and what its cells reach into or stand above. A row too many is shown rather than lost.
    """
    depth = _header_depth(first)
    if depth >= min(len(first), len(second)):
        return 0
    same = all(_key(first[index]) == _key(second[index]) for index in range(depth))
    return depth if same and any(text for text, _, _ in _key(first[0])) else 0


def begins_anew(first: Rows, second: Rows) -> bool:
    """Whether the second begins with words in every column where the first has figures: a header of its own."""
    figures = _columns_of_figures(first[1:], width(first))
    head = second[0]
    if not figures or len(head) != width(first):
        return False
    return all(head[column].text.strip() and not _has_figure(head[column]) for column in figures)


def table(parts: Sequence[Part], tables: Tables) -> str:
    """One table of all parts; it stays HTML where cells are joined, since Markdown's cannot."""
    if tables is Tables.MARKDOWN and not any(cell.joins for part in parts for row in part.rows for cell in row):
        return _markdown(parts)
    return "\n".join(["<table>", *chain.from_iterable(_html(part) for part in _closed(parts)), "</table>"])


def _header_depth(rows: Rows) -> int:
    depth, index = 1, 0
    while index < min(depth, len(rows)):
        depth = max([depth, *(index + max(cell.rowspan, min(cell.colspan, 2)) for cell in rows[index])])
        index += 1
    return depth


def _key(row: Row) -> list[tuple[str, int, int]]:
    return [("".join(unicodedata.normalize("NFKC", cell.text).split()), cell.rowspan, cell.colspan) for cell in row]


def _columns_of_figures(rows: Rows, columns: int) -> list[int]:
    """Of a table whose rows have each column, and at least two of them."""
    if len(rows) < 2 or any(len(row) != columns for row in rows):  # noqa: PLR2004 - one row shows no habit
        return []
    return [column for column in range(columns) if all(_has_figure(row[column]) for row in rows)]


def _has_figure(cell: Cell) -> bool:
    return any(character.isdigit() for character in cell.text)


def _markdown(parts: Sequence[Part]) -> str:
    columns = max(len(row) for part in parts for row in part.rows)
    lines = [line for part in parts for line in _markdown_lines(part, columns)]
    return "\n".join([lines[0], "|" + " --- |" * columns, *lines[1:]])


def _markdown_lines(part: Part, columns: int) -> list[str]:
    """A comment between rows would end the table: the mark stands in a cell."""
    cells = [[inline(folded(cell.text)).replace("|", "\\|") for cell in row] for row in part.rows]
    lines = ["| " + " | ".join(row + [""] * (columns - len(row))) + " |" for row in cells]
    return [lines[0].replace("|", f"| {part.mark}", 1), *lines[1:]] if part.mark else lines


def _closed(parts: Sequence[Part]) -> Iterable[Part]:
    """A cell that reaches below its page's last row would push the next page's cells aside."""
    for part in parts[:-1]:
        count = len(part.rows)
        yield replace(part, rows=tuple(_within(row, count - index) for index, row in enumerate(part.rows)))
    yield parts[-1]


def _within(row: Row, left: int) -> Row:
    return tuple(replace(cell, rowspan=left) if cell.rowspan > left else cell for cell in row)


def _html(part: Part) -> list[str]:
    rows = ["<tr>" + "".join(map(_cell_html, row)) + "</tr>" for row in part.rows]
    return [part.mark, *rows] if part.mark else rows


def _cell_html(cell: Cell) -> str:
    """Markdown sees nothing in HTML, but whoever looks for the links of a document does."""
    spans = (("rowspan", cell.rowspan), ("colspan", cell.colspan))
    given = "".join(f' {name}="{value}"' for name, value in spans if value > 1)
    return f"<td{given}>{escape_html(folded(cell.text)).replace('![', '&#33;[')}</td>"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[Cell]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            if not self.rows:
                self.rows.append([])
            self.rows[-1].append(_cell(attrs))
        elif tag == "br" and self.rows and self.rows[-1]:
            self._write(" ")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self._write(data)
        elif data.strip():
            # Text outside any cell is text of the document all the same: a row of its own.
            self.rows.append([Cell(text=data.strip())])

    def _write(self, text: str) -> None:
        cell = self.rows[-1].pop()
        self.rows[-1].append(replace(cell, text=cell.text + text))
