"""From the model's answers to what is shown."""

import pytest

from gpu_worker.engines.vl.content import shown, without_tokens
from shared.domain.blocks import block_markdown
from shared.domain.options import Options
from shared.domain.page import Block, Box, Label


def no_table(_otsl: str) -> str:
    return ""


def content(raw: str, label: Label = Label.TEXT) -> str:
    return shown(raw, label, no_table)


def markdown(raw: str, label: Label) -> str:
    box = Box(x0=0, y0=0, x1=1, y1=1)
    return block_markdown(Block(id="b1", label=label, bbox=box, content=content(raw, label)), Options())


def test_prices_survive_beside_formulas() -> None:
    assert content(r"At \(n\) sheets it costs $5, not $7.50.") == r"At \(n\) sheets it costs $5, not $7.50."


def test_nothing_that_repeats_is_cut() -> None:
    assert content("ab" * 5000) == "ab" * 5000


@pytest.mark.parametrize(
    "raw", [r"\[ E = m c^2 \]", r"\( E = m c^2 \)", "$$E = m c^2$$", r"\[\[ E = m c^2 \]\]", "E = m c^2"]
)
def test_a_formula_loses_whatever_delimiters_it_has(raw: str) -> None:
    assert content(raw, Label.FORMULA) == "E = m c^2"
    assert markdown(raw, Label.FORMULA) == "$$\nE = m c^2\n$$"


def test_several_formulas_of_one_answer_stand_one_below_the_other() -> None:
    assert content("\\[ a = b \\]\n\\[ c = d \\]", Label.FORMULA) == (
        "\\begin{gathered}\na = b \\\\\nc = d\n\\end{gathered}"
    )


def test_a_formula_with_words_around_it_stays_as_it_was_answered() -> None:
    assert content(r"where \( x \) is left", Label.FORMULA) == r"where \( x \) is left"


def test_the_number_of_a_formula_is_text() -> None:
    assert content(r"\( (3) \)", Label.FORMULA_NUMBER) == "(3)"


def test_code_keeps_its_indentation() -> None:
    assert content("\n  for x in y:\n    z\n", Label.CODE) == "  for x in y:\n    z"


def test_a_table_is_converted_and_an_answer_that_is_none_is_kept_as_text() -> None:
    assert shown("<fcel>A<nl>", Label.TABLE, lambda otsl: f"<table>{len(otsl)}</table>") == "<table>11</table>"
    assert content("no table at all", Label.TABLE) == "no table at all"


def test_what_was_painted_over_figures_goes_and_what_looks_like_it_stays() -> None:
    assert without_tokens("<td>[F2]</td><td>[F3]</td>", ["[F2]"]) == "<td></td><td>[F3]</td>"
