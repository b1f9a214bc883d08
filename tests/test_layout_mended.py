"""What real pages taught: tables need evidence, headings end, captions and sentences are told apart."""

import cv2
import pytest

from gpu_worker.engines.layout.geometry import Line, Rect
from gpu_worker.engines.layout.tables import cut_out
from gpu_worker.engines.layout.text import is_caption, lost_spaces
from shared.domain.page import Label
from tests.test_layout_blocks import a_body, a_drawn_grid, a_line, blocks, labels


def a_spread_line(text: str, places: tuple[float, ...]) -> Line:
    return Line(Rect(places[0] - 5, 200, places[-1] + 5, 224), text, 0.99, places)


def test_a_word_is_never_torn_by_a_wall() -> None:
    line = a_spread_line("created", tuple(100.0 + 10 * index for index in range(7)))

    assert cut_out(line, 0, 112) is None
    assert (cut_out(line, 112, 500) or line).text == "created"


def test_a_line_without_a_space_is_cut_where_it_has_wide_white() -> None:
    line = a_spread_line("n=1199", (100.0, 110.0, 120.0, 160.0, 170.0, 180.0))

    assert (cut_out(line, 0, 140) or line).text == "n=1"
    assert (cut_out(line, 140, 500) or line).text == "199"


def test_boxes_under_each_other_are_no_table() -> None:
    gray = a_drawn_grid((100, 700), (200, 260, 320))
    lines = [a_line("What the mill made", 120, 218), a_line("and when it was sold", 120, 278), *a_body(500)]

    assert Label.TABLE not in labels(blocks(lines, gray))


def test_a_frame_that_shows_through_lines_of_text_makes_no_table() -> None:
    gray = a_drawn_grid((100, 500, 900), (200, 260, 320, 380))
    lines = [a_line("a sentence that runs on through the wall behind it", 200, 218 + row * 60, 600) for row in range(3)]

    drafts = blocks([*lines, *a_body(600)], gray)

    assert Label.TABLE not in labels(drafts)
    assert sum(draft.content.count("runs on through the wall") for draft in drafts) == 3


def test_a_line_that_a_sentence_runs_on_from_is_no_heading() -> None:
    initial = a_line("WE went along a path among the tall trees", 100, 262, 800, 38)

    assert Label.HEADING not in labels(blocks([initial, *a_body(304)]))


def test_entries_of_a_table_of_contents_are_no_headings() -> None:
    entries = ("4 Techniques", "4.1 Pre-processing", "4.2 Recognition", "4.3 Post-processing", "5 Workarounds")
    lines = [a_line(text, 100 + 40 * ("." in text), 700 + row * 32) for row, text in enumerate(entries)]

    assert Label.HEADING not in labels(blocks([*a_body(), *lines]))
    assert labels(blocks([*a_body(), lines[1]]))[-1] is Label.HEADING


def test_a_sentence_at_the_head_of_a_page_is_no_running_header() -> None:
    lines = [a_line("3. Figure 3-10 shows the masks in the schema.", 100, 60), *a_body()]

    assert Label.HEADER not in labels(blocks(lines))


def test_labels_far_apart_are_no_paragraph() -> None:
    lines = [a_line(text, 100, 300 + row * 80) for row, text in enumerate(("Names it", "Shelves it", "Opens it"))]

    assert [draft.content for draft in blocks(lines)] == ["Names it", "Shelves it", "Opens it"]


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("Figure 3-5 Special registers", True),
        ("Figure 1: the wheel", True),
        ("Table 2", True),
        ("图 3 水车", True),
        ("Figure 3-5 shows the difference", False),
        ("Table 3 lists them", False),
        ("Figures are given below", False),
    ],
)
def test_a_caption_has_a_number_and_no_verb(text: str, caption: bool) -> None:
    assert is_caption(text) is caption


def test_a_caption_begins_a_block_under_the_sentence_that_announces_it() -> None:
    lines = [a_line("Table 3-1 summarizes these values.", 100, 300), a_line("Table 3-1 Special values", 100, 338)]

    assert labels(blocks([*a_body(600), *lines]))[:2] == [Label.TEXT, Label.CAPTION]


@pytest.mark.parametrize("text", ["*USE privileges are granted to", "\u2014and then he came back to the"])
def test_a_star_or_a_dash_without_a_space_is_no_bullet(text: str) -> None:
    assert Label.LIST not in labels(blocks([*a_body(rows=3), a_line(text, 100, 390, 800), *a_body(420, 3)]))


def test_a_space_is_put_back_after_a_number_with_a_wide_gap() -> None:
    assert lost_spaces("3Act", (10.0, 50.0, 60.0, 70.0), 24.0) == [1]
    assert lost_spaces("3Act", (10.0, 22.0, 32.0, 42.0), 24.0) == []
    assert lost_spaces("mAct", (10.0, 50.0, 60.0, 70.0), 24.0) == []


def test_a_drawn_box_around_a_paragraph_leaves_it_a_paragraph() -> None:
    gray = a_drawn_grid((80, 930), (280, 480))
    cv2.line(gray, (80, 470), (930, 470), 30, 2)

    assert Label.FIGURE not in labels(blocks(a_body(300, 5), gray))
