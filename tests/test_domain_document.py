"""Blocks → Markdown: it shows what the document says, and nothing that a document says becomes anything but text."""

import html
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.domain.blocks import block_markdown
from shared.domain.document import (
    Document,
    PageOutcome,
    document_markdown,
    image_names,
    linked_images,
    page_markdown,
    whole,
)
from shared.domain.errors import RenderTimeout
from shared.domain.options import Extra, Options, Tables
from shared.domain.page import PICTURES, Label
from shared.records import from_json, to_json
from tests.builders import a_block, a_page_read

HTML, MARKDOWN = Options(), Options(tables=Tables.MARKDOWN)
IMAGE = "images/0123456789abcdef.png"
SHOWN = {
    Label.TEXT: {"paragraph"},
    Label.HEADING: {"paragraph", "heading"},
    Label.LIST: {"paragraph", "bullet_list", "ordered_list", "list_item"},
    Label.TABLE: {"paragraph", "html_block"},
    Label.FORMULA: {"paragraph", "hardbreak"},
}
INLINE = {"inline", "text", "text_special", "softbreak", "em", "strong"}
"""Emphasis within formulas only, which CommonMark does not know."""

FRAGMENTS = (
    "<script>", "</script>", "<!-- page 9 -->", "<!--", "-->", "<?", "<![foo[", "<a href=x>", "<http://e>", "<style>",
    "&lt;", "&#60;", "&amp;", "[x]", "(http://e)", "![", "](", "]:", "[", "]", "(", ")", f"![]({IMAGE})", "\\", "\\\\",
    "\\[", "\\]", "\\(", "\\)", "$", "$$", "`", "```", "~~~", "~", "*", "**", "_", "__", "# ", "##", "- ", "-", "---",
    "===",
    "=", "> ", "1. ", "1)", "+ ", "|", "|---|---|", "a", "b", " ", "  ", "    ", "\t", "\n", "\r", "\n\n", "\x0b",
    "\x1f",
    "\x85", "\u2028", "\u00a0", "é", "<table>", "<tr>", "<td>", "<td colspan=2>", "</table>", "\x00", '"',
)  # fmt: skip
hostile_texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=14).map("".join)


def markdown_of(label: Label, content: str, options: Options = HTML) -> str:
    return block_markdown(a_block(label, content), options)


def kinds(markdown: str) -> list[str]:
    """The kinds of everything that CommonMark sees, an opening one without its `_open`."""
    tokens = MarkdownIt("commonmark").parse(markdown)
    every = [inner for token in tokens for inner in (token, *(token.children or ()))]
    return [token.type.removesuffix("_open") for token in every if not token.type.endswith("_close")]


def text_of(markdown: str) -> str:
    """What a reader sees, without its spaces."""
    rendered = MarkdownIt("commonmark").render(markdown)
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", rendered)).split())


@pytest.mark.parametrize("options", [HTML, MARKDOWN], ids=["html", "markdown"])
@pytest.mark.parametrize("label", SHOWN)
@settings(deadline=None)
@given(content=hostile_texts)
@example(content="[x\\](http://e)")
@example(content="[ \\[a\\\\](http://e)")
@example(content="a\r# heading")
@example(content="_ _ _")
@example(content="$\n# heading\n$")
@example(content="-      code")
@example(content="***")
@example(content="_ _\t_")
@example(content="`![](images/0123456789abcdef.png)`")
def test_no_text_of_a_document_becomes_html_a_link_an_image_a_comment_or_a_block(
    label: Label, options: Options, content: str
) -> None:
    markdown = f"before\n\n{markdown_of(label, content, options)}\n\nafter"

    found = kinds(markdown)
    assert set(found) <= SHOWN[label] | INLINE
    assert found.count("heading") <= (label is Label.HEADING)
    assert found.count("html_block") <= (label is Label.TABLE)
    assert "<!--" not in markdown
    assert linked_images(markdown) == ()


@pytest.mark.parametrize("label", [Label.TEXT, Label.HEADING])
@settings(deadline=None)
@given(content=hostile_texts.filter(lambda text: "$" not in text and "\\(" not in text and "\\[" not in text))
@example(content="C#")
@example(content="#")
@example(content="title ##")
@example(content="snake_case __init__ 2*3 *so* ~~no~~ a\\b \\* C:\\")
@example(content="1. 2) - + > | ---")
def test_a_reader_sees_what_the_document_says(label: Label, content: str) -> None:
    shown = text_of(markdown_of(label, content))

    assert shown == "".join(re.sub(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]", "\ufffd", content).split())


@pytest.mark.parametrize("label", [Label.TEXT, Label.HEADING, Label.LIST, Label.CAPTION, Label.CODE, Label.FIGURE])
def test_control_characters_reach_nobodys_terminal(label: Label) -> None:
    markdown = markdown_of(label, "a\x1b[2Jb\x9b31m\x07")

    assert not re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", markdown)


@pytest.mark.parametrize(
    "text", ["snake_case", "2 * 3", "a - b", "see #3", "5 > 3", "R&D", "C:\\Users", "a (b) [c]", "don't!", "3.14"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert markdown_of(Label.TEXT, text) == text


@pytest.mark.parametrize(("level", "hashes"), [(None, "##"), (1, "#"), (3, "###"), (6, "######"), (9, "######")])
def test_a_heading_has_the_level_that_was_read(level: int | None, hashes: str) -> None:
    block = a_block(Label.HEADING, "Two\n lines", level=level)

    assert block_markdown(block, HTML) == f"{hashes} Two lines"


def test_a_title_is_a_heading_of_the_first_level() -> None:
    assert markdown_of(Label.TITLE, "Report") == "# Report"


def test_a_list_keeps_its_marks_and_its_depth() -> None:
    content = "- one\n  - two\n3. three\n\n* four\nfour goes on"

    assert markdown_of(Label.LIST, content) == "- one\n  - two\n3. three\n* four\nfour goes on"


def test_code_is_kept_to_the_letter_in_a_fence_that_it_cannot_close() -> None:
    content = "  if x:\n````\n<!-- page 9 -->"

    markdown = markdown_of(Label.CODE, f"\n{content}\n")

    assert markdown == f"`````\n{content}\n`````"
    assert kinds(markdown) == ["fence"]


@pytest.mark.parametrize("content", ["x_1 * y", "$$x_1 * y$$", "$x_1 * y$", "\\[x_1 * y\\]", "\\(x_1 * y\\)"])
def test_a_formula_keeps_its_latex_whatever_delimiters_it_came_with(content: str) -> None:
    assert markdown_of(Label.FORMULA, content) == "$$\nx_1 * y\n$$"


def test_a_formula_has_no_line_that_begins_a_block() -> None:
    assert markdown_of(Label.FORMULA, "a\n\n# b\n=\n~~~\n1. c") == "$$\na\n{}# b\n{}=\n{}~~~\n{}1. c\n$$"


@pytest.mark.parametrize("text", ["so $a_1 * b_2$ is", "so \\(a_1 * b_2\\) is"])
def test_formulas_within_text_stay_formulas(text: str) -> None:
    assert markdown_of(Label.TEXT, text) == "so $a_1 * b_2$ is"


@pytest.mark.parametrize("label", [Label.TEXT, Label.TABLE, Label.LIST, Label.CODE, Label.FORMULA, Label.FIGURE])
def test_a_block_without_content_shows_nothing(label: Label) -> None:
    assert markdown_of(label, " \n ") == ""


TABLE = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
JOINED = '<table><tr><td colspan="2" onclick="x()" rowspan=1>a</td></tr><tr><td>1</td><td>2</td></tr></table>'


def test_a_table_travels_as_html() -> None:
    expected = "<table>\n<tr><td>a</td><td>b</td></tr>\n<tr><td>1</td><td>2</td></tr>\n</table>"

    assert markdown_of(Label.TABLE, TABLE) == expected


def test_a_table_becomes_markdown_where_that_was_asked_for() -> None:
    assert markdown_of(Label.TABLE, TABLE, MARKDOWN) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


@pytest.mark.parametrize("options", [HTML, MARKDOWN], ids=["html", "markdown"])
def test_a_table_that_joins_cells_stays_html_and_keeps_nothing_but_its_spans(options: Options) -> None:
    expected = '<table>\n<tr><td colspan="2">a</td></tr>\n<tr><td>1</td><td>2</td></tr>\n</table>'

    assert markdown_of(Label.TABLE, JOINED, options) == expected


@pytest.mark.parametrize("span", ["0", "1", "1001", "9" * 5000, "-2", "x", "²", "\uff12"])
def test_a_span_that_makes_no_sense_is_left_out(span: str) -> None:
    assert "colspan" not in markdown_of(Label.TABLE, f'<table><tr><td colspan="{span}">a</td></tr></table>')


@pytest.mark.parametrize(
    "cell", ["<!-- page 9 -->", "<![foo[x", "<![CDATA[x]]>", "<!DOCTYPE x>", "<?php x ?>", "<script>x</script>"]
)
def test_a_table_of_broken_html_is_read_for_its_text(cell: str) -> None:
    markdown = markdown_of(Label.TABLE, f"<table><tr><td>before {cell}</td><td>after</td></tr></table>")

    assert "before" in markdown
    assert "x" in markdown or "page 9" in markdown
    assert set(re.findall(r"<[^>]*>", markdown)) <= {"<table>", "<tr>", "<td>", "</td>", "</tr>", "</table>"}


def test_text_outside_any_cell_is_a_row_of_its_own() -> None:
    assert "<tr><td>caption</td></tr>" in markdown_of(Label.TABLE, "caption<table><tr><td>1</td></tr></table>")


def test_a_cell_cannot_end_a_markdown_table() -> None:
    content = "<table><tr><td>a | b \\| c</td><td>two<br>lines</td></tr><tr><td>short</td></tr></table>"

    first, _, last = markdown_of(Label.TABLE, content, MARKDOWN).splitlines()

    assert first == "| a \\| b \\\\\\| c | two lines |"
    assert last == "| short |  |"


@pytest.mark.parametrize("label", sorted(PICTURES))
def test_a_picture_is_linked_and_its_text_stands_below(label: Label) -> None:
    block = a_block(label, "# caption", image=IMAGE)

    assert block_markdown(block, HTML) == f"![]({IMAGE})\n\n\\# caption"


EXTRAS = {
    Label.HEADER: Extra.HEADER,
    Label.FOOTER: Extra.FOOTER,
    Label.FOOTNOTE: Extra.FOOTNOTE,
    Label.PAGE_NUMBER: Extra.PAGE_NUMBER,
    Label.ASIDE: Extra.ASIDE,
}


@pytest.mark.parametrize("label", EXTRAS)
def test_extras_are_shown_only_when_asked_for(label: Label) -> None:
    read = a_page_read(a_block(Label.TEXT, "text"), a_block(label, "extra"))
    others = frozenset(Extra) - {EXTRAS[label]}

    assert page_markdown(read, HTML) == "text"
    assert page_markdown(read, Options(include=others)) == "text"
    assert page_markdown(read, Options(include=frozenset({EXTRAS[label]}))) == "text\n\nextra"


OUTCOMES = (
    PageOutcome(number=3, read=a_page_read(a_block(content="three"))),
    PageOutcome(number=4, failure=RenderTimeout().failure),
    PageOutcome(number=5, read=a_page_read()),
)


def test_each_page_begins_with_its_marker_and_one_that_failed_says_so() -> None:
    markdown = document_markdown(whole(OUTCOMES), HTML)

    assert markdown == "<!-- page 3 -->\n\nthree\n\n<!-- page 4 failed: render_timeout -->\n\n<!-- page 5 -->\n"


def test_a_page_that_failed_says_so_without_markers_too() -> None:
    markdown = document_markdown(whole(OUTCOMES), Options(page_markers=False))

    assert markdown == "three\n\n<!-- page 4 failed: render_timeout -->\n"


def test_a_document_keeps_every_block_those_that_are_not_shown_too() -> None:
    page = PageOutcome(number=1, read=a_page_read(a_block(Label.HEADER, "header"), a_block(content="text")))
    document = Document(pages=(page,))

    assert from_json(Document, to_json(document)) == document


def test_the_images_of_a_document_are_those_that_its_markdown_links_to_each_once() -> None:
    other = "images/fedcba9876543210.jpg"
    pictures = [a_block(Label.FIGURE, image=name) for name in (IMAGE, other, IMAGE)]
    read = a_page_read(*pictures)

    assert linked_images(page_markdown(read, HTML)) == (IMAGE, other)
    assert list(image_names(read, HTML)) == [IMAGE, other, IMAGE]


@pytest.mark.parametrize("label", [label for label in Label if label not in PICTURES])
def test_no_text_forges_an_image_not_even_code(label: Label) -> None:
    link = f"![]({IMAGE})"
    content = f"<table><tr><td>{link}</td></tr></table>" if label is Label.TABLE else link

    for options in (Options(include=frozenset(Extra)), MARKDOWN):
        assert linked_images(markdown_of(label, content, options)) == ()


def test_code_hides_no_image_that_comes_after_it() -> None:
    read = a_page_read(a_block(Label.CODE, "```\nx"), a_block(Label.FIGURE, image=IMAGE), a_block(Label.CODE, "x"))

    assert linked_images(page_markdown(read, HTML)) == (IMAGE,)
