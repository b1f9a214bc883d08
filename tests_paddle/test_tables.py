"""What the library makes of the model's tables: no answer ends its page, and none keeps the interpreter for long."""

from pathlib import Path
from time import monotonic

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_worker.engines.vl.library import MOST_CELLS, MalformedTable, table_html
from shared.domain.page import Flag, FlagCode
from tests_paddle.fabricated_layout import stacked
from tests_paddle.pages import bench

MALFORMED = "<fcel><nl><xcel>"
VAST = "<fcel>a<nl>" * 1300 + "<fcel>b" * 1300
TAGS = ("<fcel>", "<ecel>", "<lcel>", "<ucel>", "<xcel>", "<nl>")
OTSL = st.lists(st.sampled_from(TAGS) | st.sampled_from(("a", " ", "12.50", "<b>", "<fcel", "\n")), max_size=60)


def html(otsl: str) -> str:
    """Empty where it is no table."""
    try:
        return table_html(otsl)
    except MalformedTable:
        return ""


@settings(max_examples=1500, deadline=None)
@given(pieces=OTSL)
@example(pieces=[MALFORMED])
def test_whatever_stands_in_a_table_it_is_html_or_no_table(pieces: list[str]) -> None:
    found = html("".join(pieces))

    assert found == "" or (found.startswith("<table>") and found.endswith("</table>"))


def test_a_table_that_the_library_stumbles_over_is_malformed() -> None:
    with pytest.raises(MalformedTable) as raised:
        table_html(MALFORMED)

    assert raised.value.limit == ""


def test_a_table_that_would_be_vast_is_not_begun() -> None:
    began = monotonic()

    with pytest.raises(MalformedTable) as raised:
        table_html(VAST)

    assert raised.value.limit == str(MOST_CELLS)
    assert monotonic() - began < 1


def test_a_table_as_large_as_may_be_is_made() -> None:
    rows, width = MOST_CELLS // 20, 20
    began = monotonic()

    assert table_html(("<fcel>1" * width + "<nl>") * rows).count("<td>") == MOST_CELLS
    assert monotonic() - began < 10


@pytest.mark.parametrize(("answer", "limit"), [(MALFORMED, ""), (VAST, str(MOST_CELLS)), ("Item 7", "")])
def test_a_malformed_table_is_a_flag_and_not_its_pages_end(tmp_path: Path, answer: str, limit: str) -> None:
    with bench(tmp_path, stacked("text", "table"), vl_tokens=32768, layout_processes=1) as opened:
        opened.vllm.set(answers={"Table Recognition:": answer})

        read = opened.read(orientation=False)

    assert read.blocks[0].content
    assert read.blocks[1].content == answer
    assert Flag(code=FlagCode.MALFORMED_TABLE, value=limit, block="b2") in read.flags
