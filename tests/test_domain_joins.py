"""Over page breaks: what goes on is shown in one piece, what does not is left alone, nothing is lost or invented."""

import html
import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.domain.document import Document, PageOutcome, document_markdown, page_markdown, whole
from shared.domain.errors import RenderTimeout
from shared.domain.joins import Join, JoinKind, Place, find_joins
from shared.domain.options import Extra, Options, Tables
from shared.domain.page import Block, Label, PageRead
from shared.domain.paragraphs import drops_hyphen, mended
from shared.domain.tables import read_table, width
from shared.records import from_json, to_json
from tests.joining import (
    COLUMN,
    GREETING,
    HALF,
    LINE,
    OPEN,
    OTHER_HALF,
    REST,
    SHORT_LINE,
    grid,
    joins,
    other,
    page,
    pages,
    raw_table,
    text,
)

HTML, MARKDOWN, BARE = Options(), Options(tables=Tables.MARKDOWN), Options(page_markers=False)
EVERYTHING = Options(include=frozenset(Extra))
CHINESE, CHINESE_REST = "这家造纸厂位于河边已经有很多年了而且山谷里的人", "们把他们的破布带到这里。"
HEAD, ONE, TWO, THREE = ("Year", "Sheets"), ("1712", "40"), ("1713", "42"), ("1714", "44")


def markdown(*reads: PageRead | None, options: Options = BARE) -> str:
    return document_markdown(whole(pages(*reads)), options)


def seen(source: str) -> str:
    """What a reader of the rendered Markdown sees, without its spaces."""
    rendered = MarkdownIt("commonmark").enable("table").render(source)
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", rendered)).split())


def test_a_paragraph_that_goes_on_is_one_paragraph() -> None:
    assert markdown(page(text(OPEN)), page(text(REST), text(GREETING))) == f"{OPEN} {REST}\n\n{GREETING}\n"


def test_a_page_marker_stands_within_the_paragraph_where_its_page_begins() -> None:
    source = markdown(page(text(OPEN)), page(text(REST)), options=HTML)

    assert source == f"<!-- page 1 -->\n\n{OPEN} <!-- page 2 --> {REST}\n"
    kinds = [token.type for token in MarkdownIt("commonmark").parse(source)]
    assert kinds == ["html_block", "paragraph_open", "inline", "paragraph_close"]
    assert seen(source) == "".join((OPEN + REST).split())


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("and the paper was contin-", "ued in the spring", "and the paper was continued in the spring"),
        ("and the paper was contin-", "ued.", "and the paper was continued."),
        ("a state-of-the-", "art mill", "a state-of-the-art mill"),
        ("he came from Baden-", "Baden to see it", "he came from Baden-Baden to see it"),
        ("and the paper was contin\u2010", "ued there", "and the paper was continued there"),
        (CHINESE, CHINESE_REST, CHINESE + CHINESE_REST),
        ("he said (in the", "\u201cday books\u201d) so", "he said (in the \u201cday books\u201d) so"),
        ("of all in Berlin,", "Germany and France then", "of all in Berlin, Germany and France then"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("options", [HTML, BARE], ids=["markers", "bare"])
def test_two_parts_are_put_together_as_one_would_write_them(
    options: Options, first: str, second: str, one: str
) -> None:
    source = markdown(page(text(first)), page(text(second)), options=options)

    shown = re.sub(r"\s+", " ", re.sub(r"<!-- page \d -->", "", source)).strip()
    assert shown == one


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (OPEN + " end.", REST),
        (OPEN + " end.\u201d", REST),
        (OPEN + " end.[12]", REST),
        (OPEN + " end.$^{3}$", REST),
        (OPEN + " end!", REST),
        (OPEN + " these:", REST),
        (OPEN, GREETING),
        (OPEN, "1998 was a good year for the mill and its people, for they sold more than ever."),
        (OPEN, "- one thing that they needed"),
        (OPEN, "a) one thing that they needed"),
        (OPEN, "iv. one thing that they needed"),
        ("这家造纸厂位于河边已经有很多年了。", "们把他们的破布带到这里。"),
        ("这家造纸厂位于河边已经有很多年了而且山谷里的人", "第二章 造纸"),
        ("这家造纸厂位于河边已经有很多年了而且山谷里的人", "一、造纸的方法"),
        ("王小明", "这家造纸厂位于河边已经有很多年了。"),
        ("- 3 -", "road to the town"),
        (OPEN, ""),
        ("", REST),
    ],
)
def test_what_ends_or_begins_anew_is_left_alone(first: str, second: str) -> None:
    assert joins(page(text(first)), page(text(second))) == ()


FURNITURE = (Label.HEADER, Label.FOOTER, Label.PAGE_NUMBER, Label.FOOTNOTE, Label.ASIDE)


@pytest.mark.parametrize("label", [*FURNITURE, Label.FIGURE, Label.CHART, Label.SEAL, Label.CAPTION])
def test_a_paragraph_goes_on_past_what_stands_at_the_break(label: Label) -> None:
    found = joins(page(text(OPEN), other(label)), page(other(label), text(REST)))

    assert found == (
        Join(
            kind=JoinKind.PARAGRAPH,
            first=Place(page=1, block="b1"),
            second=Place(page=2, block="b2"),
        ),
    )


def test_a_paragraph_goes_on_past_a_table_that_has_a_caption_only() -> None:
    floating = [other(Label.CAPTION), grid(HEAD, ONE)]

    assert len(joins(page(text(OPEN)), page(*floating, text(REST)))) == 1
    assert joins(page(text(OPEN)), page(grid(HEAD, ONE), text(REST))) == ()


STOPS = (Label.TITLE, Label.HEADING, Label.LIST, Label.CODE, Label.FORMULA, Label.FORMULA_NUMBER)


@pytest.mark.parametrize("label", STOPS)
def test_a_paragraph_does_not_go_on_past_what_belongs_to_the_text(label: Label) -> None:
    assert joins(page(text(OPEN), other(label)), page(text(REST))) == ()
    assert joins(page(text(OPEN)), page(other(label), text(REST))) == ()


@pytest.mark.parametrize("label", sorted(set(Label) - {Label.TEXT, Label.TABLE}))
def test_nothing_but_text_and_tables_is_joined(label: Label) -> None:
    assert joins(page(other(label, OPEN, COLUMN)), page(other(label, REST, COLUMN))) == ()


def test_only_pages_that_follow_each_other_are_joined() -> None:
    torn = [page(text(OPEN)), page(text(REST))]
    failed = PageOutcome(number=2, failure=RenderTimeout().failure)

    assert find_joins([(1, torn[0]), (3, torn[1])]) == ()
    assert joins(torn[0], None, torn[1]) == ()
    assert joins(torn[0], page(), torn[1]) == ()
    shown = document_markdown(whole([pages(torn[0])[0], failed, *pages(torn[1], first=3)]), HTML)
    assert shown == (
        f"<!-- page 1 -->\n\n{OPEN}\n\n<!-- page 2 failed: render_timeout -->\n\n<!-- page 3 -->\n\n{REST}\n"
    )


def test_lengths_are_of_the_pages_width_whatever_its_resolution() -> None:
    assert len(joins(page(text(OPEN)), page(text(REST), scale=3))) == 1
    assert joins(page(text(OPEN, HALF)), page(text(REST, COLUMN), scale=2)) == ()


def test_columns_go_on_from_the_last_to_the_next_pages_first_and_not_back() -> None:
    assert len(joins(page(text(OPEN, OTHER_HALF)), page(text(REST, HALF)))) == 1
    assert joins(page(text(OPEN, HALF)), page(text(REST, OTHER_HALF))) == ()


def test_only_a_last_line_may_be_shorter_than_what_it_ends() -> None:
    assert len(joins(page(text(OPEN)), page(text("road was long.", SHORT_LINE)))) == 1
    assert joins(page(text(OPEN)), page(text(REST, HALF))) == ()
    assert joins(page(text("Day books of the", SHORT_LINE)), page(text(REST))) == ()


def test_each_page_shows_what_it_has_on_its_own_side_of_the_marker() -> None:
    first = page(text(GREETING), text(OPEN), other(Label.FIGURE, "wheel"), other(Label.FOOTNOTE, "note"))
    second = page(other(Label.HEADER, "THE MILL"), other(Label.CAPTION, "Figure 2"), text(REST), text("End."))

    before, after = markdown(first, second, options=EVERYTHING).split("<!-- page 2 -->")

    assert before.split("\n\n") == ["<!-- page 1 -->", GREETING, "wheel", "note", f"{OPEN} "]
    assert after.split("\n\n") == [f" {REST}", "THE MILL", "Figure 2", "End.\n"]


INNER = "road to the next valley was long and steep, and so they went by the one that leads over the hill and past the"


def test_a_paragraph_runs_through_a_page_that_shows_nothing_else_and_what_furniture_is_asked_for_follows() -> None:
    inner = page(other(Label.HEADER, "THE MILL"), text(INNER))

    source = markdown(page(text(OPEN)), inner, page(text(REST)), options=EVERYTHING)

    assert source == f"<!-- page 1 -->\n\n{OPEN} <!-- page 2 --> {INNER} <!-- page 3 --> {REST}\n\nTHE MILL\n"


def test_a_paragraph_does_not_run_through_a_page_with_a_figure_which_would_be_torn_from_it() -> None:
    inner = page(text(INNER), other(Label.FIGURE, "wheel"))

    assert [join.second.page for join in joins(page(text(OPEN)), inner, page(text(REST)))] == [2]


def test_without_markers_no_link_comes_about_where_two_parts_meet() -> None:
    first = "这家造纸厂位于河边已经有很多年了而且山谷里的人们[把]破布带到这"

    source = markdown(page(text(first[:-3] + "]这这这这[x")), page(text("们](http://e)把他们的破布带到这里。")))

    assert "<a" not in MarkdownIt("commonmark").render(source)


@pytest.mark.parametrize("inner", [CHINESE, "ten" + CHINESE, "ten " + CHINESE, "ten\x1f" + CHINESE])
@pytest.mark.parametrize("options", [HTML, BARE], ids=["markers", "bare"])
def test_a_paragraph_goes_on_after_a_page_without_spaces_before_which_a_word_was_divided(
    options: Options, inner: str
) -> None:
    source = markdown(page(text("The names are writ-")), page(text(inner)), page(text(CHINESE_REST)), options=options)

    assert seen(source).endswith(f"{CHINESE}{CHINESE_REST}")
    assert source.count("\n\n") == (options is HTML)


def test_a_page_that_only_ends_a_divided_word_is_not_run_through() -> None:
    reads = [page(text(content)) for content in ("The names are writ-", "ten", "in a day book that lies in the hall")]

    assert [join.second.page for join in joins(*reads)] == [2]


def test_a_divided_words_rest_ends_where_a_script_without_spaces_begins() -> None:
    source = markdown(page(text("The names are writ-")), page(text("ten" + CHINESE)), options=HTML)

    assert source == f"<!-- page 1 -->\n\nThe names are written<!-- page 2 -->{CHINESE}\n"


def test_what_goes_on_is_judged_by_what_is_shown_of_it() -> None:
    """A control character is shown as a mark of its own: what stands before or after it is then no word's part."""
    torn = page(text("and the paper was contin-\x1f")), page(text("ued in the spring"))

    assert [join.hyphen_dropped for join in joins(*torn)] == [False]
    assert "contin-\ufffd ued" in markdown(*torn)
    assert joins(page(text(OPEN)), page(text("\x1f" + REST))) == ()


def test_a_dropped_hyphen_is_told() -> None:
    (join,) = joins(page(text("and the paper was contin-")), page(text("ued in the spring")))

    assert join.hyphen_dropped
    assert not joins(page(text("he came from Baden-")), page(text("Baden to see it")))[0].hyphen_dropped


def test_a_table_that_goes_on_is_one_table_and_its_repeated_header_stands_once() -> None:
    first, second, third = page(grid(HEAD, ONE)), page(grid(HEAD, TWO)), page(grid(THREE))

    found = joins(first, second, third)
    assert [(join.kind, join.header_rows_dropped) for join in found] == [(JoinKind.TABLE, 1), (JoinKind.TABLE, 0)]
    assert [(join.first, join.second) for join in found] == [
        (Place(page=number, block="b1"), Place(page=number + 1, block="b1")) for number in (1, 2)
    ]
    rows = [f"<tr><td>{year}</td><td>{sheets}</td></tr>" for year, sheets in (HEAD, ONE, TWO, THREE)]
    assert markdown(first, second, third) == "\n".join(["<table>", *rows, "</table>"]) + "\n"
    assert markdown(first, second, third, options=HTML) == "\n".join(
        ["<!-- page 1 -->\n\n<table>", *rows[:2], "<!-- page 2 -->", rows[2], "<!-- page 3 -->", rows[3], "</table>\n"]
    )


@pytest.mark.parametrize("options", [HTML, MARKDOWN], ids=["html", "markdown"])
def test_a_renderer_sees_one_table_with_its_markers_hidden(options: Options) -> None:
    source = markdown(page(grid(HEAD, ONE)), page(grid(HEAD, TWO)), page(grid(THREE)), options=options)

    rendered = MarkdownIt("commonmark").enable("table").render(source)
    assert rendered.count("<table>") == rendered.count("</table>") == 1
    assert rendered.count("<tr>") == 4
    assert [rendered.count(f"<!-- page {number} -->") for number in (1, 2, 3)] == [1, 1, 1]
    assert seen(source) == "".join("".join(row) for row in (HEAD, ONE, TWO, THREE))


@pytest.mark.parametrize("label", FURNITURE)
def test_a_table_goes_on_past_furniture(label: Label) -> None:
    assert len(joins(page(grid(HEAD, ONE), other(label)), page(other(label), grid(TWO)))) == 1


@pytest.mark.parametrize("note", ["Table 3 (continued)", "(cont'd)", "Continued from page 4", "续表 3", "表 3(续)"])
def test_a_table_goes_on_past_a_note_that_it_does(note: str) -> None:
    note_block = other(Label.CAPTION, note)

    source = markdown(page(grid(HEAD, ONE)), page(note_block, grid(TWO)))

    assert source.count("<table>") == 1
    assert seen(source).endswith("".join(note.split()))


@pytest.mark.parametrize(
    "between",
    [
        other(Label.CAPTION, "Table 4: Rags"),
        other(Label.HEADING, "Rags"),
        other(Label.TEXT, "They continued to work."),
        other(Label.FIGURE),
    ],
)
def test_a_table_does_not_go_on_past_a_new_caption_title_or_text(between: Block) -> None:
    assert joins(page(grid(HEAD, ONE)), page(between, grid(TWO))) == ()
    assert joins(page(grid(HEAD, ONE), between), page(grid(TWO))) == ()


@pytest.mark.parametrize(
    "second",
    [
        grid(("1713", "42", "good")),
        grid(TWO, box=HALF),
        grid(TWO, box=OTHER_HALF),
        Block(id="", label=Label.TABLE, bbox=COLUMN, content="<table></table>"),
        grid(("Town", "Mills"), ("Weidenbach", "3")),
    ],
    ids=["columns", "width", "edge", "empty", "header"],
)
def test_tables_that_do_not_fit_stay_two(second: Block) -> None:
    assert joins(page(grid(HEAD, ONE, TWO)), page(second)) == ()


GROUPED = (
    "<tr><td rowspan=2>Year</td><td colspan=2>Paper</td></tr><tr><td>white</td><td>brown</td></tr>"
    "<tr><td>{}</td><td>1</td><td>2</td></tr>"
)


def test_columns_are_counted_with_what_cells_span() -> None:
    assert width(read_table(GROUPED)) == 3
    assert width(read_table("<tr><td rowspan=3>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr>")) == 3
    assert len(joins(page(raw_table(GROUPED.format(1712))), page(grid(("1713", "3", "4"))))) == 1


def test_a_header_of_two_rows_is_dropped_as_a_whole_or_not_at_all() -> None:
    first = page(raw_table(GROUPED.format(1712)))

    (same,) = joins(first, page(raw_table(GROUPED.format(1713))))
    (other_colours,) = joins(first, page(raw_table(GROUPED.replace("brown", "blue").format(1713))))
    assert same.header_rows_dropped == 2
    assert other_colours.header_rows_dropped == 0


def test_a_row_of_figures_that_both_pages_begin_with_is_not_dropped_below_the_header() -> None:
    (join,) = joins(page(grid(HEAD, ONE, TWO)), page(grid(HEAD, ONE, THREE)))

    assert join.header_rows_dropped == 1


def test_a_cell_that_reaches_below_its_page_does_not_push_the_next_pages_cells_aside() -> None:
    first = raw_table("<tr><td>a</td><td>b</td></tr><tr><td rowspan=5>c</td><td>d</td></tr>")

    source = markdown(page(first), page(grid(("e", "f"))))

    assert "rowspan" not in source
    assert source.count("<table>") == 1


ATTRIBUTES = st.sampled_from(
    ["", " rowspan=2", ' colspan="3"', ' rowspan="2" colspan="2"', ' colspan="0"', ' colspan="2" colspan="4"']
)
PLAIN_CELLS = st.tuples(ATTRIBUTES, st.text("ab &;<>lt#60\n", max_size=6).map(html.escape) | st.just("&amp;lt; &#60"))
PLAIN_ROWS = st.lists(st.lists(PLAIN_CELLS, min_size=1, max_size=3), min_size=1, max_size=3)


@settings(deadline=None)
@given(rows=PLAIN_ROWS)
def test_a_plain_table_is_read_as_the_parser_would_read_it(rows: list[list[tuple[str, str]]]) -> None:
    cells = ["".join(f"<td{attributes}>{content}</td>" for attributes, content in row) for row in rows]
    plain = "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"

    assert read_table(plain) == read_table(plain.replace("<table>", "<table class=parsed>"))


def test_the_result_tells_every_join_and_keeps_the_pages_as_they_were() -> None:
    outcomes = pages(page(text(OPEN)), page(text(REST)), page(grid(HEAD, ONE)), page(grid(HEAD, TWO)))

    document = whole(outcomes)

    assert document.pages == tuple(outcomes)
    assert [join.kind for join in document.joins] == [JoinKind.PARAGRAPH, JoinKind.TABLE]
    assert from_json(Document, to_json(document)) == document


def test_a_result_of_before_there_were_joins_is_read_as_one_without() -> None:
    old = b'{"pages":[{"number":1,"read":null,"failure":null}],"schema":1}'

    assert from_json(Document, old) == Document(pages=(PageOutcome(number=1),))


def test_a_pages_own_markdown_knows_no_other_page() -> None:
    assert page_markdown(page(text(REST)), HTML) == REST


CONTENTS = st.sampled_from(
    [OPEN, REST, INNER, GREETING, "这家造纸厂位于河边已经有很多年了而且山谷里的人", "们来了", "contin-"]
)
BOXES = st.sampled_from([COLUMN, HALF, OTHER_HALF, LINE, SHORT_LINE])
MIXED = st.lists(
    st.sampled_from(["ued", "wri-", "wri\u00ad", "纸", CHINESE, "หมู่บ้าน", "a", "-", ",", "$", " ", "\x1f", "\x1b"]),
    min_size=1,
    max_size=5,
).map("".join)
"""Words of scripts with and without spaces, long enough for a page of their own, and what nobody sees between them."""

TEXTS = st.builds(text, CONTENTS | MIXED | st.text("ab-., 中\n", max_size=12), BOXES)
OTHERS = st.builds(other, st.sampled_from([*FURNITURE, Label.FIGURE, Label.CAPTION, Label.HEADING]), CONTENTS)
ROWS = st.lists(st.sampled_from([HEAD, ONE, TWO]), min_size=1, max_size=4)
GRIDS = st.builds(lambda rows: grid(*rows), ROWS)
ANY_PAGE = st.lists(TEXTS | TEXTS | OTHERS | GRIDS, max_size=4).map(lambda blocks: page(*blocks))
AT_BREAKS = st.lists(st.builds(other, st.sampled_from([*FURNITURE, Label.FIGURE]), CONTENTS), max_size=1)
BEGUN = st.sampled_from([text(INNER), text(REST), text("ued there", SHORT_LINE), grid(HEAD, TWO), grid(ONE, TWO)])
LEFT_OPEN = st.sampled_from([text(OPEN), text(INNER), text("The paper was contin-"), grid(HEAD, ONE), grid(HEAD, TWO)])
TORN_PAGE = st.builds(
    lambda top, begun, middle, left_open, foot: page(*top, begun, *middle, left_open, *foot),
    AT_BREAKS,
    BEGUN,
    AT_BREAKS,
    LEFT_OPEN,
    AT_BREAKS,
)
INNER_PAGE = st.builds(lambda top, inner, foot: page(*top, inner, *foot), AT_BREAKS, BEGUN | LEFT_OPEN, AT_BREAKS)
MIXED_PAGE = st.builds(lambda inner, foot: page(text(inner), *foot), MIXED, AT_BREAKS)
READS = ANY_PAGE | TORN_PAGE | TORN_PAGE | INNER_PAGE | MIXED_PAGE
MIXED_DOCUMENTS = st.lists(MIXED_PAGE, min_size=2, max_size=5).map(lambda reads: pages(*reads))
DOCUMENTS = MIXED_DOCUMENTS | st.lists(READS | READS | READS | st.none(), min_size=1, max_size=6).map(
    lambda reads: pages(*reads)
)


def left_out(document: Document) -> Counter[str]:
    """The characters that the joins say are not shown."""
    blocks = {(page.number, block.id): block for page in document.pages if page.read for block in page.read.blocks}
    gone: Counter[str] = Counter()
    for join in document.joins:
        if join.hyphen_dropped:
            gone[blocks[join.first.page, join.first.block].content.strip()[-1]] += 1
        rows = read_table(blocks[join.second.page, join.second.block].content)[: join.header_rows_dropped]
        gone.update("".join(cell.text for row in rows for cell in row))
    return gone


@settings(deadline=None)
@given(outcomes=DOCUMENTS, tables=st.sampled_from(Tables))
def test_no_character_is_lost_or_invented_but_those_that_the_joins_tell_of(
    outcomes: list[PageOutcome], tables: Tables
) -> None:
    options = Options(include=frozenset(Extra), tables=tables)
    alone = "".join(seen(page_markdown(each.read, options)) for each in outcomes if each.read)

    together = Counter(seen(document_markdown(whole(outcomes), options)))

    assert together + left_out(whole(outcomes)) == Counter(alone)


ANY_TEXT = st.text().map(str.strip)


@given(first=MIXED.map(str.strip) | ANY_TEXT, second=MIXED.map(str.strip) | ANY_TEXT)
def test_two_parts_of_whatever_content_are_put_together_and_lose_nothing_but_the_hyphen(
    first: str, second: str
) -> None:
    before, gap, after = mended(first, second)

    kept = first[:-1] if drops_hyphen(first, second) else first
    assert "".join((before + gap + after).split()) == "".join((kept + second).split())
    assert before.startswith(kept)
    assert gap in {"", " "}


@settings(deadline=None)
@given(reads=st.lists(st.lists(st.builds(other, st.sampled_from(Label), MIXED | st.text()), max_size=3), max_size=4))
def test_pages_of_whatever_content_make_a_document(reads: list[list[Block]]) -> None:
    """A document that cannot be put together would be a job that never ends."""
    document = whole(pages(*(page(*blocks) for blocks in reads)))

    shown = document_markdown(document, EVERYTHING)

    assert shown.count("<!-- page ") == len(reads)
    assert from_json(Document, to_json(document)) == document


def test_a_divided_word_is_put_together_alike_with_and_without_markers() -> None:
    """What stands before it without a space, on the page before, is no part of it."""
    document = whole(pages(page(text("paper was contin-")), page(text("纸wri-")), page(text("ting goes on"))))

    marked, bare = document_markdown(document, HTML), document_markdown(document, BARE)

    assert bare == "paper was contin-纸writing goes on\n"
    assert marked == "<!-- page 1 -->\n\npaper was contin-<!-- page 2 -->纸writing <!-- page 3 --> goes on\n"


@settings(deadline=None)
@given(outcomes=DOCUMENTS)
def test_every_page_has_its_marker_once_in_the_pages_order(outcomes: list[PageOutcome]) -> None:
    source = document_markdown(whole(outcomes), EVERYTHING)

    assert [int(number) for number in re.findall(r"<!-- page (\d+)", source)] == [each.number for each in outcomes]
    assert re.sub(r"\s+", "", re.sub(r"<!-- page \d+ -->", "", document_markdown(whole(outcomes), HTML))) == re.sub(
        r"\s+", "", document_markdown(whole(outcomes), BARE)
    )


@settings(deadline=None)
@given(outcomes=DOCUMENTS)
def test_a_join_leads_from_one_page_to_the_next_and_each_page_has_one_at_most_on_either_side(
    outcomes: list[PageOutcome],
) -> None:
    found = whole(outcomes).joins

    assert all(join.second.page == join.first.page + 1 for join in found)
    assert all(one.first.page < two.first.page for one, two in pairwise(found))


@settings(deadline=None)
@given(read=READS)
def test_one_page_has_nothing_to_join(read: PageRead) -> None:
    without_headings = PageRead(
        blocks=tuple(block for block in read.blocks if block.label is not Label.HEADING),
        width=1000,
        height=1400,
        dpi=100,
    )

    assert whole(pages(read)).joins == ()
    assert document_markdown(whole(pages(without_headings)), BARE) == page_markdown(without_headings, BARE) + "\n"
