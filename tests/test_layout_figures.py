"""Charts, panels and plain pictures among synthetic lines; no model is loaded."""

import cv2
import numpy as np
import pytest

from gpu_worker.engines.layout.figures import is_surface
from gpu_worker.engines.layout.geometry import Line, Rect
from gpu_worker.engines.layout.skew import find_skew, upper_end
from shared.domain.page import Label
from tests.test_layout_blocks import a_body, a_drawn_grid, a_line, blocks, labels, paper


def a_slanted_line(text: str, x: float, y: float) -> Line:
    """Its upper end stands at a place, and it hangs from there to the lower left."""
    return Line(Rect(x, y, x + 20, y + 20), text, 0.99, (), Rect(x - 80, y, x + 20, y + 100))


def test_a_chart_is_one_figure_with_its_scale_its_slanted_axis_and_its_legend() -> None:
    gray = paper()
    for y in range(200, 501, 60):
        cv2.line(gray, (200, y), (700, y), 120, 2)
    cv2.polylines(gray, [np.array([(210, 480), (400, 220), (690, 490)])], False, 60, 3)
    scale = [a_line(str(60 - 10 * number), 160, 190 + 60 * number) for number in range(6)]
    axis = [a_slanted_line(name, 240 + 120 * number, 520 + number) for number, name in enumerate(("Steg", "Tal", "Au"))]
    legend = [a_line("Paper", 740, 300), a_line("Felt", 740, 340)]

    drafts = blocks([*scale, *legend, *reversed(axis), *a_body(700)], gray)

    assert labels(drafts) == [Label.FIGURE, Label.TEXT]
    assert drafts[0].content.splitlines() == ["60", "50", "40", "30", "20", "10", "Steg Tal Au", "Paper", "Felt"]


def test_the_end_of_a_paragraph_beside_a_drawing_is_no_label_of_it() -> None:
    gray = paper()
    cv2.line(gray, (100, 300), (400, 700), 60, 3)
    cv2.line(gray, (400, 300), (100, 700), 60, 3)
    beside = [a_line("words of a narrow column here", 430, 300 + row * 30) for row in range(9)]

    drafts = blocks([*beside, a_line("the end.", 430, 570)], gray)

    assert any(draft.content.endswith("the end.") and draft.label is Label.TEXT for draft in drafts)


def test_the_frame_of_a_page_is_no_chart() -> None:
    gray = paper()
    cv2.rectangle(gray, (60, 60), (940, 1340), 60, 2)

    assert labels(blocks([a_line("a few words", 300, 600), a_line("and others", 300, 640)], gray)) == [Label.TEXT]


def test_frames_in_frames_with_short_texts_are_one_figure_before_its_caption() -> None:
    gray = a_drawn_grid((100, 900), (300, 700))
    cv2.rectangle(gray, (120, 320), (600, 680), 60, 2)
    for number in range(3):
        cv2.rectangle(gray, (560, 350 + number * 110), (880, 400 + number * 110), 60, 2)
    program = [a_line(f"COMMAND {number}", 140, 340 + number * 110) for number in range(3)]
    notes = [a_line(f"what it does, {number}", 580, 362 + number * 110) for number in range(3)]

    drafts = blocks([*program, *notes, a_line("Figure 3-1 A screen", 100, 720), *a_body(800)], gray)

    assert labels(drafts) == [Label.FIGURE, Label.CAPTION, Label.TEXT]
    assert "COMMAND 0" in drafts[0].content


def test_text_on_the_left_of_a_picture_that_it_runs_into_is_read_before_the_picture() -> None:
    left = [
        a_line(text, 80, 420 + row * 60, 200) for row, text in enumerate(("Implement roles", "Leverage", "Protect"))
    ]
    names = [a_line("Jim Denton", 700, 420), a_line("Rob Bestgen", 700, 480)]

    drafts = blocks([*left, *names], None, Rect(200, 400, 900, 900))

    assert [draft.label for draft in drafts] == [Label.TEXT] * 3 + [Label.FIGURE]


@pytest.mark.parametrize(
    ("text", "confidence", "surface"),
    [("□", 0.6, True), ("□", 0.99, False), ("Weidenbach", 0.6, False)],
)
def test_an_unsure_sign_that_fills_a_picture_is_its_surface(text: str, confidence: float, surface: bool) -> None:
    line = Line(Rect(110, 110, 390, 290), text, confidence)

    assert is_surface(line, [Rect(100, 100, 400, 300)]) is surface
    assert not is_surface(line, [Rect(100, 100, 900, 900)])


def test_a_picture_of_one_colour_stays_a_figure() -> None:
    picture = Rect(100, 320, 900, 640)
    surface = Line(Rect(110, 325, 890, 630), "□", 0.6, (500.0,))

    assert labels(blocks([*a_body(100, 6), surface, *a_body(700, 6)], None, picture)) == [
        Label.TEXT,
        Label.FIGURE,
        Label.TEXT,
    ]


def a_quad(x: float, y: float, length: float, degrees: float, height: float = 20) -> list[tuple[float, float]]:
    along = np.array((np.cos(np.radians(degrees)), np.sin(np.radians(degrees))))
    down = np.array((-along[1], along[0])) * height
    start = np.array((x, y))
    return [tuple(corner) for corner in (start, start + along * length, start + along * length + down, start + down)]


@pytest.mark.parametrize(("degrees", "end"), [(-45.0, (177.8, 236.4)), (45.0, (92.9, 307.1))])
def test_a_slanted_line_stands_where_its_upper_end_is(degrees: float, end: tuple[float, float]) -> None:
    rect = upper_end(np.array(a_quad(100, 300, 100, degrees), dtype=np.float32))

    assert rect is not None
    assert (rect.centre, rect.middle) == pytest.approx(end, abs=0.2)


@pytest.mark.parametrize("degrees", [0.0, 4.0, 90.0])
def test_upright_skewed_and_standing_lines_are_not_slanted(degrees: float) -> None:
    assert upper_end(np.array(a_quad(100, 300, 100, degrees), dtype=np.float32)) is None


def test_many_short_lines_tell_a_clear_skew_and_no_slight_one() -> None:
    def skew(degrees: float) -> float:
        quads = [a_quad(100 + 90 * (n % 3), 100 + 60 * n, 64, degrees) for n in range(9)]
        return find_skew(np.array(quads, dtype=np.float32), 1000, 1000).degrees

    assert skew(3.0) == pytest.approx(3.0, abs=0.01)
    assert skew(0.4) == 0.0
