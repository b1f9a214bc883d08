"""Documents of a few pages, laid out on a page of 1,000 by 1,400: what joins over page breaks is tried on."""

from collections.abc import Sequence
from dataclasses import replace

from shared.domain.document import PageOutcome
from shared.domain.joins import Join, find_joins
from shared.domain.page import Block, Box, Label, PageRead

WIDTH = 1000
COLUMN = Box(x0=100, y0=100, x1=900, y1=300)
HALF = Box(x0=100, y0=100, x1=480, y1=300)
OTHER_HALF = Box(x0=520, y0=100, x1=900, y1=300)
LINE = Box(x0=100, y0=100, x1=900, y1=125)
SHORT_LINE = Box(x0=100, y0=100, x1=300, y1=125)

OPEN = "The mill stood by the river for many years, and the people of the valley brought their rags to it because the"
REST = "road to the town was long. In winter nobody travelled, and the rags lay in the barns until the thaw came again."
GREETING = "Nothing of this was known."


def text(content: str, box: Box = COLUMN) -> Block:
    return Block(id="", label=Label.TEXT, bbox=box, content=content)


def other(label: Label, content: str = "x", box: Box = LINE, level: int | None = None) -> Block:
    return Block(id="", label=label, bbox=box, content=content, level=level)


def heading(content: str, *, height: int = 30, label: Label = Label.HEADING, level: int | None = None) -> Block:
    return other(label, content, Box(x0=100, y0=100, x1=100 + len(content) * height // 2, y1=100 + height), level)


def grid(*rows: Sequence[str], box: Box = COLUMN) -> Block:
    return raw_table("".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows), box)


def raw_table(rows: str, box: Box = COLUMN) -> Block:
    return Block(id="", label=Label.TABLE, bbox=box, content=f"<table>{rows}</table>")


def page(*blocks: Block, scale: int = 1) -> PageRead:
    """Blocks get their ids; `scale` is another resolution of the same page."""
    placed = (replace(block, id=f"b{index}", bbox=_scaled(block.bbox, scale)) for index, block in enumerate(blocks, 1))
    return PageRead(blocks=tuple(placed), width=WIDTH * scale, height=1400 * scale, dpi=100 * scale)


def pages(*reads: PageRead | None, first: int = 1) -> list[PageOutcome]:
    return [PageOutcome(number=number, read=read) for number, read in enumerate(reads, first)]


def joins(*reads: PageRead | None) -> tuple[Join, ...]:
    return find_joins(list(enumerate(reads, 1)))


def _scaled(box: Box, scale: int) -> Box:
    return Box(x0=box.x0 * scale, y0=box.y0 * scale, x1=box.x1 * scale, y1=box.y1 * scale)
