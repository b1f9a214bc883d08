"""Heading levels: the same over all pages, by number, by size, and by the engine where it agrees with itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.document import document_markdown, whole
from shared.domain.options import Options
from shared.domain.page import Block, Label, PageRead
from tests.joining import heading, other, page, pages


def title(content: str, *, height: int = 50) -> Block:
    return heading(content, height=height, label=Label.TITLE)


def levels(*reads: PageRead | None) -> list[int]:
    return [each.level for each in whole(pages(*reads)).headings]


def levels_of(*contents: str) -> list[int]:
    """Of headings that differ in their numbers only, each on a page of its own."""
    return levels(*(page(heading(content)) for content in contents))


@pytest.mark.parametrize(
    "contents",
    [
        {"1 Rags": 2, "1.1 Linen": 3, "1.1.1 White": 4, "1.2 Wool": 3, "2 Vats": 2},
        {"1. Rags": 2, "1.1. Linen": 3, "2. Vats": 2},
        {"1.1 Linen": 3, "1.2.1 White": 4, "3 Vats": 2},
        {"3.1 Linen": 3, "3.1.1 White": 4, "3.2 Wool": 3},
        {"I. RAGS": 2, "A. Linen": 3, "1) White": 4, "B. Wool": 3, "II. VATS": 2, "IV. PRESSES": 2},
        {"A. Rags": 2, "H. Vats": 2, "I. Presses": 2, "J. Felts": 2},
        {"第一章 造纸": 2, "1.1 原料": 3, "1.1.1 布": 4, "第二章 工具": 2, "附录A 表": 2},
        {"第一章 造纸": 2, "第一节 原料": 3, "一、布": 4, "(一)白布": 5, "第十二章 工具": 2},
        {"一、造纸": 2, "(一)原料": 3, "1. 布": 4, "二、工具": 2},
        {"Part I Rags": 2, "Chapter 1 Linen": 3, "1.1 White": 4, "Part II Vats": 2, "Chapter 2 Presses": 3},
        {"1 Rags": 2, "1.1 Linen": 3, "Appendix A Tables": 2, "A.1 Prices": 3},
        {"1 Rags": 2, "1.1 Linen": 3, "2 Vats": 2, "A. Proofs": 2, "B. Tables": 2},
        {"Chapter 1": 2, "Chapter 2": 2, "Anhang B": 2},
        {"Abstract": 2, "1 Rags": 2, "1.1 Linen": 3, "References": 2},
        {"Article 5 Rags": 2, "(a) Linen": 3, "Article 6 Vats": 2},
    ],
    ids=" · ".join,
)
def test_a_number_says_how_deep_its_heading_stands(contents: dict[str, int]) -> None:
    assert dict(zip(contents, levels_of(*contents), strict=True)) == contents


@pytest.mark.parametrize(
    "content",
    [
        "2023 in figures",
        "I am the miller",
        "A short history",
        "Chapters of a life",
        "3D printing",
        "MIX and match",
        "1",
    ],
)
def test_what_only_looks_like_a_number_is_none(content: str) -> None:
    assert levels_of("1 Rags", "1.1 Linen", "1.1.1 White", content)[:3] == [2, 3, 4]
    assert levels_of(content) == [2]


def test_without_numbers_the_larger_stands_above_the_smaller_on_whatever_page_and_at_whatever_resolution() -> None:
    first = page(
        title("The Mill"), heading("Rags", height=40), heading("Linen", height=31), heading("White", height=24)
    )
    second = page(heading("Wool", height=30))
    third = page(heading("Vats", height=39), heading("Brown", height=25), scale=2)

    assert levels(first, None, second, third) == [1, 2, 3, 4, 3, 2, 4]


def test_heights_that_waver_as_detected_heights_do_are_of_one_size() -> None:
    assert levels(*(page(heading("Rags", height=height)) for height in (30, 33, 29, 31, 34))) == [2] * 5


def test_a_heading_of_several_lines_is_no_larger_than_one_of_a_single_line() -> None:
    words = "A heading that goes on over three lines since it says a great deal about the mill and its people there"
    three_lines = heading(words, height=30)
    folded = Block(
        id="", label=Label.HEADING, content=words, bbox=three_lines.bbox.__class__(x0=100, y0=100, x1=620, y1=206)
    )

    assert levels(page(heading("Rags", height=30)), page(folded), page(heading("White", height=20))) == [2, 2, 3]


def test_a_heading_without_a_number_stands_beside_the_numbered_ones_of_its_size() -> None:
    first = page(heading("1 Rags", height=40), heading("1.1 Linen", height=30), heading("1.1.1 White", height=22))

    assert levels(first, page(heading("A remark", height=30)), page(heading("Small", height=16))) == [2, 3, 4, 3, 5]


def test_levels_that_an_engine_gave_are_kept_where_they_agree_with_the_numbers() -> None:
    kept = [heading("1 Rags", level=3), heading("1.1 Linen", level=5), heading("Thanks", level=4, height=12)]

    assert levels(page(*kept)) == [3, 5, 4]


@pytest.mark.parametrize("given_levels", [(2, 2, 2), (3, 2, 3), (2, 3, 3), (2, 3, None)])
def test_levels_that_contradict_the_numbers_give_way_to_them(given_levels: tuple[int | None, ...]) -> None:
    contents = ("1 Rags", "1.1 Linen", "2 Vats")
    headings = [heading(content, level=level) for content, level in zip(contents, given_levels, strict=True)]

    assert levels(*(page(each) for each in headings)) == [2, 3, 2]


def test_a_level_that_few_headings_of_one_size_were_given_is_an_error_of_their_page() -> None:
    usual = [page(heading("Rags", level=2)) for _ in range(6)]

    assert levels(*usual, page(heading("Vats", level=3))) == [2] * 7


def test_levels_that_an_engine_gives_headings_of_one_size_again_and_again_are_kept() -> None:
    assert levels(*(page(heading("Rags", level=2), heading("Vats", level=3)) for _ in range(3))) == [2, 3] * 3


def test_a_title_keeps_its_level_and_a_numbered_or_smaller_one_after_it_is_a_heading() -> None:
    later = page(title("Another mill"), title("2 Vats", height=30), title("Small", height=28))

    assert levels(page(title("The Mill")), page(heading("1 Rags")), later) == [1, 2, 1, 2, 2]
    document = whole(pages(page(title("The Mill")), page(title("2 Vats"))))
    assert document_markdown(document, Options(page_markers=False)) == "# The Mill\n\n## 2 Vats\n"


@pytest.mark.parametrize("following", ["2 Vats", "1.1 Linen"])
def test_a_title_whose_number_others_take_up_is_a_heading(following: str) -> None:
    assert levels(page(title("1 Rags")), page(heading(following)))[0] == 2
    assert levels(page(title("Chapter 1 Rags")), page(title("Chapter 2 Vats"))) == [2, 2]


def test_a_title_that_happens_to_begin_with_a_figure_stays_one() -> None:
    assert levels(page(title("10 years of paper")), page(heading("1 Rags"), heading("2 Vats"))) == [1, 2, 2]


def test_the_blocks_of_the_result_keep_the_level_that_the_engine_gave() -> None:
    outcomes = pages(page(heading("1 Rags", level=2), heading("1.1 Linen", level=2)))

    document = whole(outcomes)

    assert document.pages == tuple(outcomes)
    assert [(each.heading.block, each.level) for each in document.headings] == [("b1", 2), ("b2", 3)]


CONTENTS = st.sampled_from(
    ["1 Rags", "1.1 Linen", "1.1.1.1.1.1 Deep", "IV. Vats", "B. Wool", "第一章 造纸", "Rags", "", "2)"]
)
HEADINGS = st.builds(
    heading,
    CONTENTS,
    height=st.integers(0, 90),
    label=st.sampled_from([Label.TITLE, Label.HEADING]),
    level=st.none() | st.integers(-1, 9),
)
READS = st.lists(HEADINGS | st.just(other(Label.TEXT)), max_size=5).map(lambda blocks: page(*blocks))


@settings(deadline=None)
@given(reads=st.lists(READS | st.none(), max_size=6))
def test_every_heading_has_one_level_from_one_to_six(reads: list[PageRead | None]) -> None:
    found = whole(pages(*reads)).headings

    assert all(1 <= each.level <= 6 for each in found)
    every = [
        (number, block.id)
        for number, read in enumerate(reads, 1)
        for block in (read.blocks if read else ())
        if block.label in {Label.TITLE, Label.HEADING} and block.content
    ]
    assert [(each.heading.page, each.heading.block) for each in found] == every


@settings(deadline=None)
@given(reads=st.lists(READS, min_size=1, max_size=4))
def test_a_number_of_one_rank_has_one_level_over_all_pages(reads: list[PageRead]) -> None:
    blocks = {(number, block.id): block for number, read in enumerate(reads, 1) for block in read.blocks}
    found = [(blocks[each.heading.page, each.heading.block], each.level) for each in whole(pages(*reads)).headings]

    deep = {level for block, level in found if block.content == "1.1 Linen" and block.label is Label.HEADING}
    assert len(deep) <= 1
