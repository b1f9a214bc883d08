"""Whole pages of synthetic lines and drawn rules; no model is loaded."""

import cv2
import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.blocks import Draft, arrange
from gpu_worker.engines.layout.geometry import Line, Rect
from shared.domain.page import Label

WIDTH, HEIGHT = 1000, 1400
BODY = 24.0


def a_line(text: str, x0: float, y0: float, width: float | None = None, height: float = BODY) -> Line:
    length = width if width is not None else len(text) * height * 0.45
    places = tuple(x0 + (index + 0.5) * length / len(text) for index in range(len(text)))
    return Line(Rect(x0, y0, x0 + length, y0 + height), text, 0.99, places)


def a_body(y0: float = 300.0, rows: int = 12) -> list[Line]:
    text = "ordinary words that fill the line from its left to its right edge"
    return [a_line(text, 100, y0 + row * 30, 800) for row in range(rows)]


def paper() -> npt.NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH), 245, dtype=np.uint8)


def blocks(lines: list[Line], gray: npt.NDArray[np.uint8] | None = None, *pictures: Rect) -> list[Draft]:
    return arrange(lines, paper() if gray is None else gray, pictures)


def labels(drafts: list[Draft]) -> list[Label]:
    return [draft.label for draft in drafts]


def test_a_paragraph_is_one_block_without_line_breaks() -> None:
    (block,) = blocks(a_body())

    assert block.label is Label.TEXT
    assert "\n" not in block.content
    assert block.content.count("ordinary") == 12


def test_a_first_line_indent_begins_a_paragraph() -> None:
    lines = a_body(rows=6)
    lines.append(a_line("an indented line of ordinary words up to the edge of column", 140, 480, 760))
    lines += a_body(510, 4)

    assert len(blocks(lines)) == 2


def test_the_largest_line_is_the_title_and_other_large_ones_are_headings() -> None:
    lines = [a_line("A Title", 300, 150, height=60), a_line("A heading", 100, 240, height=34), *a_body()]

    drafts = blocks(lines)

    assert labels(drafts) == [Label.TITLE, Label.HEADING, Label.TEXT]
    assert [draft.level for draft in drafts] == [1, 2, None]


def test_header_footer_and_page_number_are_set_apart() -> None:
    lines = [a_line("42", 100, 40), a_line("THE RIVER AND THE MILL", 350, 40), *a_body(), a_line("- 7 -", 480, 1350)]

    assert labels(blocks(lines)) == [Label.PAGE_NUMBER, Label.HEADER, Label.TEXT, Label.PAGE_NUMBER]


def test_a_first_line_close_to_the_text_is_no_header() -> None:
    lines = [a_line("Dear Sir, I write to you today", 100, 100), *a_body(140)]

    assert Label.HEADER not in labels(blocks(lines))


def test_bullets_become_one_list() -> None:
    lines = [*a_body(), a_line("\u2022 one thing", 120, 700), a_line("\u2022 another thing", 120, 732)]

    last = blocks(lines)[-1]

    assert last.label is Label.LIST
    assert last.content == "- one thing\n- another thing"


def test_small_numbered_lines_at_the_foot_are_footnotes_and_others_are_not() -> None:
    note = a_line("1 The ledger is kept in the archive.", 100, 1100, height=18)

    assert blocks([*a_body(), note])[-1].label is Label.FOOTNOTE
    assert Label.FOOTNOTE not in labels(blocks([*a_body(400, 8), a_line("1 a small line", 100, 330, height=18)]))


def test_a_caption_is_known_by_its_words() -> None:
    lines = [*a_body(), a_line("Figure 3: The wheel in 1720", 100, 720)]

    assert blocks(lines)[-1].label is Label.CAPTION


def a_drawn_grid(columns: tuple[int, ...], rows: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    gray = paper()
    for x in columns:
        cv2.line(gray, (x, rows[0]), (x, rows[-1]), 30, 2)
    for y in rows:
        cv2.line(gray, (columns[0], y), (columns[-1], y), 30, 2)
    return gray


def test_a_ruled_grid_is_a_table() -> None:
    gray = a_drawn_grid((100, 400, 700), (200, 260, 320))
    cells = [
        a_line("Year", 120, 218),
        a_line("Sheets", 420, 218),
        a_line("1690", 120, 278),
        a_line("< 3 & 4", 420, 278),
    ]

    table = blocks([*cells, *a_body(500)], gray)[0]

    assert table.label is Label.TABLE
    assert table.content == (
        "<table><tr><td>Year</td><td>Sheets</td></tr><tr><td>1690</td><td>&lt; 3 &amp; 4</td></tr></table>"
    )


def test_cells_without_a_wall_between_them_are_joined() -> None:
    gray = a_drawn_grid((100, 400, 700), (200, 260, 320))
    cv2.line(gray, (400, 205), (400, 255), 245, 6)
    cells = [a_line("What the mill made", 300, 218), a_line("1690", 120, 278), a_line("310,000", 420, 278)]

    table = blocks([*cells, *a_body(500)], gray)[0]

    assert table.content == (
        '<table><tr><td colspan="2">What the mill made</td></tr><tr><td>1690</td><td>310,000</td></tr></table>'
    )


def test_a_line_that_was_found_across_two_cells_is_cut_at_the_rule() -> None:
    gray = a_drawn_grid((100, 400, 700), (200, 260, 320))
    across = Line(Rect(350, 218, 450, 242), "ab cd", 0.99, (355.0, 375.0, 395.0, 415.0, 435.0))
    cells = [across, a_line("1690", 120, 278), a_line("310,000", 420, 278)]

    table = blocks([*cells, *a_body(500)], gray)[0]

    assert "<td>ab</td><td>cd</td>" in table.content


def test_a_frame_around_text_is_no_table() -> None:
    gray = a_drawn_grid((80, 930), (280, 700))

    assert labels(blocks(a_body(), gray)) == [Label.TEXT]


def test_texts_in_columns_without_rules_are_a_table() -> None:
    lines = [a_line(f"{row}{column}", 120 + column * 300, 200 + row * 40) for row in range(4) for column in range(3)]

    table = blocks([*lines, *a_body(600)])[0]

    assert table.label is Label.TABLE
    assert table.content.startswith("<table><tr><td>00</td><td>01</td><td>02</td></tr><tr><td>10</td>")


def test_a_picture_stands_where_the_document_has_it_with_the_text_in_it() -> None:
    picture = Rect(100, 320, 900, 640)
    inside = a_line("axis", 150, 400)

    drafts = blocks([*a_body(100, 6), inside, *a_body(700, 6)], None, picture)

    assert labels(drafts) == [Label.TEXT, Label.FIGURE, Label.TEXT]
    assert drafts[1].rect == picture
    assert drafts[1].content == "axis"


def test_a_picture_under_the_whole_page_is_no_figure() -> None:
    assert labels(blocks(a_body(), None, Rect(0, 0, WIDTH, HEIGHT))) == [Label.TEXT]


def test_ink_that_is_no_text_is_a_figure() -> None:
    gray = paper()
    cv2.circle(gray, (500, 900), 150, 60, cv2.FILLED)

    figure = blocks(a_body(100), gray)[-1]

    assert figure.label is Label.FIGURE
    assert figure.rect.inside(Rect(330, 730, 670, 1070)) == 1.0


def test_no_lines_and_no_ink_give_no_blocks() -> None:
    assert blocks([]) == []
