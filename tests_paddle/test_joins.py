"""Beside the library's joins over page breaks: where it is right ours say the same, where it is wrong it is named."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from paddlex.inference.pipelines.layout_parsing.merge_table import merge_tables_across_pages
from paddlex.inference.pipelines.layout_parsing.title_level import assign_levels_to_parsing_res

from shared.domain.document import document_markdown, whole
from shared.domain.options import Options
from shared.domain.page import Block, Label, PageRead
from shared.domain.tables import read_table
from tests.joining import HALF, OTHER_HALF, grid, heading, other, page, pages, raw_table, text

THEIRS = {Label.HEADING: "paragraph_title", Label.TITLE: "doc_title", Label.CAPTION: "figure_title"} | {
    Label.PAGE_NUMBER: "number"
}
HEAD, ONE, TWO, THREE = ("Year", "Sheets"), ("1712", "40"), ("1713", "42"), ("1714", "44")
Table = list[list[str]]


@dataclass(slots=True)
class TheirBlock:
    """What the library's functions ask of a block, and leave on it."""

    label: str
    bbox: list[int]
    content: str
    global_block_id: int
    global_group_id: int
    title_level: int | None = None
    page_index: int | None = None


def their_blocks(reads: Sequence[PageRead | None]) -> list[list[TheirBlock]]:
    """The library knows no page that is missing."""
    found: list[list[TheirBlock]] = []
    count = 0
    for read in reads:
        if read is not None:
            blocks = [_their_block(block, count + index) for index, block in enumerate(read.blocks)]
            found.append(blocks)
            count += len(blocks)
    return found


def _their_block(block: Block, number: int) -> TheirBlock:
    box = [block.bbox.x0, block.bbox.y0, block.bbox.x1, block.bbox.y1]
    return TheirBlock(THEIRS.get(block.label, str(block.label)), box, block.content, number, number)


def their_tables(*reads: PageRead | None) -> list[Table]:
    merged = merge_tables_across_pages(their_blocks(reads))
    return [_texts(block.content) for blocks in merged for block in blocks if block.label == "table" and block.content]


def our_tables(*reads: PageRead | None) -> list[Table]:
    source = document_markdown(whole(pages(*reads)), Options(page_markers=False))
    return [_texts(f"<table>{part}") for part in source.split("<table>")[1:]]


def _texts(content: str) -> Table:
    return [
        [" ".join(cell.text.split()) for cell in row] for row in read_table(content.partition("</table>")[0]) if row
    ]


GROUPED = (
    "<tr><td rowspan=2>Year</td><td colspan=2>Paper</td></tr><tr><td>white</td><td>brown</td></tr>"
    "<tr><td>{}</td><td>1</td><td>2</td></tr>"
)
RIGHT: dict[str, tuple[PageRead, ...]] = {
    "goes on": (page(grid(HEAD, ONE)), page(grid(TWO))),
    "repeats its header": (page(grid(HEAD, ONE)), page(grid(HEAD, TWO))),
    "over three pages": (page(grid(HEAD, ONE)), page(grid(HEAD, TWO)), page(grid(HEAD, THREE))),
    "past furniture": (page(grid(HEAD, ONE), other(Label.FOOTER)), page(other(Label.HEADER), grid(TWO))),
    "past footnotes": (page(grid(HEAD, ONE), other(Label.FOOTNOTE), other(Label.PAGE_NUMBER)), page(grid(TWO))),
    "a header of two rows": (page(raw_table(GROUPED.format(1712))), page(raw_table(GROUPED.format(1713)))),
    "text between": (page(grid(HEAD, ONE), text("They made paper.")), page(grid(TWO))),
    "a title between": (page(grid(HEAD, ONE)), page(heading("Rags"), grid(TWO))),
    "a caption between": (page(grid(HEAD, ONE)), page(other(Label.CAPTION, "Table 4: Rags"), grid(TWO))),
    "other columns": (page(grid(HEAD, ONE)), page(grid(("a", "b", "c")))),
    "another width": (page(grid(HEAD, ONE)), page(grid(TWO, box=HALF))),
}


@pytest.mark.parametrize("case", RIGHT)
def test_tables_are_joined_as_the_library_joins_them(case: str) -> None:
    assert our_tables(*RIGHT[case]) == their_tables(*RIGHT[case])


WRONG: dict[str, tuple[tuple[PageRead | None, ...], list[Table]]] = {
    "it compares pixels of pages of different resolution": (
        (page(grid(HEAD, ONE)), page(grid(TWO), scale=2)),
        [[[*HEAD], [*ONE], [*TWO]]],
    ),
    "it joins pages between which one is missing": (
        (page(grid(HEAD, ONE)), None, page(grid(TWO))),
        [[[*HEAD], [*ONE]], [[*TWO]]],
    ),
    "it joins a table on the left to one on the right": (
        (page(grid(HEAD, ONE, box=HALF)), page(grid(TWO, box=OTHER_HALF))),
        [[[*HEAD], [*ONE]], [[*TWO]]],
    ),
    "it joins tables of different columns where two rows have as many cells": (
        (page(grid(("a", "b", "c"), ONE)), page(grid(TWO))),
        [[["a", "b", "c"], [*ONE]], [[*TWO]]],
    ),
    "it drops a row of figures that both pages begin with": (
        (page(grid(HEAD, ONE, TWO)), page(grid(HEAD, ONE, THREE))),
        [[[*HEAD], [*ONE], [*TWO], [*ONE], [*THREE]]],
    ),
    "it joins a table with another header": (
        (page(grid(HEAD, ONE, TWO)), page(grid(("Town", "Mills"), ("Weidenbach", "3")))),
        [[[*HEAD], [*ONE], [*TWO]], [["Town", "Mills"], ["Weidenbach", "3"]]],
    ),
    "it does not see the note that a table goes on": (
        (page(grid(HEAD, ONE)), page(other(Label.CAPTION, "Table 3 (continued)"), grid(TWO))),
        [[[*HEAD], [*ONE], [*TWO]]],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_tables_that_the_library_gets_wrong_are_told_apart(case: str) -> None:
    """Once the library gets it right, the case belongs to those above."""
    reads, right = WRONG[case]

    assert our_tables(*reads) == right
    assert their_tables(*reads) != right


def their_levels(*reads: PageRead) -> list[int]:
    """On our scale: the library counts headings from 1, below a title of 0."""
    blocks = [block for each in assign_levels_to_parsing_res(their_blocks(reads)) for block in each]
    return [1 if block.label == "doc_title" else 1 + (block.title_level or 0) for block in blocks]


def our_levels(*reads: PageRead) -> list[int]:
    return [each.level for each in whole(pages(*reads)).headings]


def numbered(*contents: tuple[str, int]) -> tuple[PageRead, ...]:
    return tuple(page(heading(content, height=height)) for content, height in contents)


RIGHT_LEVELS: dict[str, tuple[PageRead, ...]] = {
    "decimals": numbered(("1 Rags", 40), ("1.1 Linen", 32), ("1.1.1 White", 25), ("1.2 Wool", 32), ("2 Vats", 40)),
    "decimals of one size": numbered(("1 Rags", 30), ("1.1 Linen", 30), ("1.1.1 White", 30), ("2 Vats", 30)),
    "sizes": numbered(("Rags", 48), ("Linen", 36), ("White", 26), ("Vats", 48), ("Brown", 26)),
    "romans and letters": numbered(("I. RAGS", 40), ("A. Linen", 30), ("B. Wool", 30), ("II. VATS", 40)),
    "chapters and decimals": numbered(("第一章 造纸", 40), ("1.1 原料", 30), ("1.2 布", 30), ("第二章 工具", 40)),
    "appendices": numbered(("1 Rags", 40), ("1.1 Linen", 30), ("Appendix A Tables", 40), ("A.1 Prices", 30)),
    "well-known words": numbered(("Abstract", 40), ("1 Rags", 40), ("1.1 Linen", 30), ("References", 40)),
}


@pytest.mark.parametrize("case", RIGHT_LEVELS)
def test_levels_are_those_of_the_library(case: str) -> None:
    reads = (page(heading("The Mill", height=60, label=Label.TITLE)), *RIGHT_LEVELS[case])

    assert our_levels(*reads) == their_levels(*reads)


WRONG_LEVELS: dict[str, tuple[tuple[PageRead, ...], list[int]]] = {
    "it takes the waver of detected heights for levels": (
        numbered(("Rags", 30), ("Linen", 32), ("Wool", 29), ("Vats", 31)),
        [2, 2, 2, 2],
    ),
    "it compares pixels of pages of different resolution": (
        (
            page(heading("Rags", height=40)),
            page(heading("Linen", height=25), scale=2),
            page(heading("Vats", height=40)),
        ),
        [2, 3, 2],
    ),
    "it takes a word's first letter I for a number": (numbered(("1.1 Linen", 30), ("I am the miller", 30)), [3, 3]),
    "it takes the letter I for a number": (
        numbered(("1 Rags", 40), *((f"{letter}. Wool", 30) for letter in "ABCDEFGHIJ"), ("2 Vats", 40)),
        [2, *[3] * 10, 2],
    ),
    "it reads figures as numbers": (numbered(("1 Rags", 40), ("2023 in figures", 28), ("2 Vats", 40)), [2, 3, 2]),
}


@pytest.mark.parametrize("case", WRONG_LEVELS)
def test_levels_that_the_library_gets_wrong_are_told_apart(case: str) -> None:
    reads, right = WRONG_LEVELS[case]

    assert our_levels(*reads) == right
    assert their_levels(*reads) != right
