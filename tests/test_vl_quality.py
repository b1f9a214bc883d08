"""What is wrong with an answer is found, and what is only odd is left alone."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.engines.vl.picture import Pixels, picture_of
from gpu_worker.engines.vl.quality import second_question, troubles
from gpu_worker.engines.vl.question import Answer, Question
from gpu_worker.engines.vl.repetition import collapsed, longest_run
from shared.domain.options import Lane
from shared.domain.page import FlagCode, Label

PROSE = (
    "The committee met on the first Monday of each month, and on the last Friday of each quarter. Its minutes, which "
    "fill eleven volumes, were kept by the secretary; whoever asked for them was shown them, and few ever asked. "
)
ROW = "<fcel>{0}<fcel>Paper, A4, box of {1}<fcel>{2}.50<nl>"
TABLE = "".join(ROW.format(n, n * 7 % 50, n * 13 % 97) for n in range(120))
OK = "ok"


def paper(shade: int = 255, *, text: str = "", ink: int = 0) -> Pixels:
    crop = np.full((60, 300, 3), shade, np.uint8)
    cv2.putText(crop, text, (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (ink, ink, ink), 2)
    return crop


def a_question(crop: Pixels | None = None, prompt: str = "OCR:") -> Question:
    return Question(
        picture=picture_of(paper(text="words") if crop is None else crop),
        prompt=prompt,
        lane=Lane.BULK,
        min_pixels=112_896,
        max_pixels=1_003_520,
        most_tokens=4096,
    )


def an_answer(text: str, *, was_cut: bool = False, confidence: float | None = 0.98) -> Answer:
    return Answer(
        text=text, was_cut=was_cut, confidence=confidence, prompt_tokens=100, completion_tokens=10, seconds=1.0
    )


def codes(answer: Answer, label: Label = Label.TEXT, crop: Pixels | None = None) -> list[FlagCode]:
    return [trouble.code for trouble in troubles(a_question(crop), answer, label)]


@pytest.mark.parametrize(
    "text",
    [
        PROSE * 3 + "and so on " * 400,
        "了" * 4000,
        PROSE + "0" * 3000,
        PROSE + "." * 4000,
        PROSE + "1. The same line again.\n" * 200,
        PROSE + PROSE * 30,
        "a" + "bc" * 1000 + "b",
    ],
    ids=["phrase", "character", "digit", "dots", "lines", "paragraph", "syllable"],
)
def test_what_goes_round_in_circles_until_it_is_cut_is_repetition_and_not_merely_cut(text: str) -> None:
    assert codes(an_answer(text, was_cut=True)) == [FlagCode.REPETITION]


@pytest.mark.parametrize(
    "text",
    [PROSE + "and so on " * 60 + PROSE, "x" * 100, PROSE + "The same line again.\n" * 20],
    ids=["phrase", "character", "lines"],
)
def test_a_loop_that_the_model_left_by_itself_is_repetition_as_well(text: str) -> None:
    assert codes(an_answer(text)) == [FlagCode.REPETITION]


def test_a_table_whose_rows_come_again_and_again_is_repetition() -> None:
    text = TABLE + ROW.format(7, 8, 9) * 300

    assert codes(an_answer(text, was_cut=True), Label.TABLE) == [FlagCode.REPETITION]
    assert codes(an_answer(text), Label.TABLE) == [FlagCode.REPETITION]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("\n".join(f"Chapter {n} {'.' * 90} {n * 7}" for n in range(30)), Label.TEXT),
        ("Name " + "_" * 200 + "\n" + "-" * 300, Label.TEXT),
        ("Ha ha ha ha ha ha ha ha ha ha!", Label.TEXT),
        ("1000000000000000000000000000000", Label.TEXT),
        (r"\begin{matrix}" + r"0 & 0 & 0 & 0 \\" * 6 + r"\end{matrix}", Label.FORMULA),
        (r"x \quad \quad \quad \quad \quad \quad \quad \quad \quad \quad \quad y" * 3, Label.FORMULA),
        (("<fcel>0" * 12 + "<nl>") * 30, Label.TABLE),
        (("<fcel>Monday" + "<ecel>" * 12 + "<nl>") * 12, Label.TABLE),
        (("<ecel>" * 12 + "<nl>") * 60, Label.TABLE),
        (("<fcel>Yes<fcel>No<nl>") * 40, Label.TABLE),
        (TABLE, Label.TABLE),
        (PROSE * 4, Label.TEXT),
        ("", Label.TEXT),
    ],
    ids=[
        "leaders", "rules", "laughter", "number", "matrix", "blanks", "zeros", "weekdays", "empty", "form", "table",
        "prose", "nothing",
    ],
)  # fmt: skip
def test_what_an_author_may_well_repeat_is_left_alone(text: str, label: Label) -> None:
    assert codes(an_answer(text), label, paper()) == []


@pytest.mark.parametrize(("text", "label"), [(TABLE[:-20], Label.TABLE), (PROSE * 5 + "and then", Label.TEXT)])
def test_what_is_only_cut_is_truncated(text: str, label: Label) -> None:
    found = troubles(a_question(), an_answer(text, was_cut=True), label)

    assert [(trouble.code, trouble.value) for trouble in found] == [(FlagCode.TRUNCATED, "4096")]


def test_a_loop_before_the_cut_does_not_hide_the_cut() -> None:
    text = "and so on " * 60 + PROSE

    assert codes(an_answer(text, was_cut=True)) == [FlagCode.REPETITION, FlagCode.TRUNCATED]


@given(
    piece=st.text(alphabet="abcdefghij klmnop,.", min_size=5, max_size=300).filter(lambda p: len(set(p.split())) > 1),
    before=st.sampled_from(["", PROSE, TABLE[:777]]),
)
def test_any_phrase_said_until_the_cut_is_found(piece: str, before: str) -> None:
    text = before + piece * (2000 // len(piece) + 20)

    run = longest_run(text, is_table=False, was_cut=True)

    assert run is not None
    assert run.end == len(text)
    assert run.end - run.start >= 2000


@given(text=st.text(max_size=2000), is_table=st.booleans(), was_cut=st.booleans())
def test_collapsing_leaves_alone_what_has_no_run(text: str, is_table: bool, was_cut: bool) -> None:
    found = longest_run(text, is_table=is_table, was_cut=was_cut)

    assert (collapsed(text, is_table=is_table, was_cut=was_cut) == text) is (found is None)


def test_collapsing_keeps_what_stands_around_a_run() -> None:
    text = PROSE + "and so on " * 300 + "THE END"

    short = collapsed(text, is_table=False, was_cut=False)

    assert short == PROSE + "and so on " * 2 + "THE END"


def test_a_run_is_sought_in_no_time_even_in_the_longest_answer() -> None:
    """Not a measure: what would take a quadratic search minutes."""
    texts = [PROSE + "ab" * 100_000, (PROSE * 40 + "x") * 30, TABLE * 60, "<fcel>0" * 30_000]
    began = time.monotonic()

    for text in texts:
        longest_run(text, is_table=False, was_cut=True)

    assert time.monotonic() - began < 10


@pytest.mark.parametrize("crop", [paper(text="words"), paper(90, text="words", ink=250), paper(text="i", ink=150)])
def test_nothing_read_where_something_is_written_is_an_empty_block(crop: Pixels) -> None:
    assert codes(an_answer(" \n", confidence=None), crop=crop) == [FlagCode.EMPTY_BLOCK]


@pytest.mark.parametrize("shade", [255, 128, 0])
def test_nothing_read_where_nothing_is_written_is_right(shade: int) -> None:
    grain = np.random.default_rng(1).integers(-8, 8, (60, 300, 3))
    crop = np.clip(paper(shade).astype(int) + grain, 0, 255).astype(np.uint8)
    crop[10, 10] = 255 - shade  # a speck

    assert codes(an_answer("", confidence=None), crop=crop) == []
    assert not picture_of(crop[:0]).has_ink()


def test_a_figure_that_was_painted_over_and_not_read_is_dropped() -> None:
    found = troubles(a_question(), an_answer("<fcel>[F1]<nl>"), Label.TABLE, figures=["[F1]", "[F2]"])

    assert [(trouble.code, trouble.value) for trouble in found] == [(FlagCode.DROPPED_FIGURE, "[F2]")]


@pytest.mark.parametrize(("confidence", "expected"), [(0.41, [FlagCode.LOW_CONFIDENCE]), (0.9, []), (None, [])])
def test_an_answer_that_the_model_doubts_says_so(confidence: float | None, expected: list[FlagCode]) -> None:
    assert codes(an_answer("words", confidence=confidence)) == expected


@pytest.mark.parametrize("crop", [paper(), paper(text="words")[:20, :40]])
def test_the_second_question_is_another_one_within_the_same_limits(crop: Pixels) -> None:
    first = a_question(crop)
    cut, loop, empty = (
        an_answer("some", was_cut=True),
        an_answer("and so on " * 99, was_cut=True),
        an_answer("words", confidence=0.1),
    )

    for answer in (cut, loop, empty):
        second = second_question(first, troubles(first, answer, Label.TEXT)[0])
        assert second != first
        assert second.picture is first.picture
        assert (second.prompt, second.lane, second.max_pixels) == (first.prompt, first.lane, first.max_pixels)
        assert first.min_pixels <= second.min_pixels <= second.max_pixels
        assert first.most_tokens <= second.most_tokens <= 8192


def test_a_table_is_not_punished_for_its_cells() -> None:
    table = second_question(
        a_question(prompt="Table Recognition:"), troubles(a_question(), an_answer("and so on " * 99), Label.TEXT)[0]
    )

    assert "repetition_penalty" not in dict(table.sampling)
    assert dict(table.sampling)["temperature"] > 0
