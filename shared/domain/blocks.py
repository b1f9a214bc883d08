"""One block and the options → its Markdown."""

import re
from collections.abc import Mapping

from shared.domain.escaping import escaped, formula, heading, visible
from shared.domain.options import Extra, Options
from shared.domain.page import PICTURES, Block, Label
from shared.domain.tables import Part, read_table, table

_EXTRAS: Mapping[Label, Extra] = {
    Label.HEADER: Extra.HEADER,
    Label.FOOTER: Extra.FOOTER,
    Label.FOOTNOTE: Extra.FOOTNOTE,
    Label.PAGE_NUMBER: Extra.PAGE_NUMBER,
    Label.ASIDE: Extra.ASIDE,
}

_LIST_MARK = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)", re.ASCII)


def is_shown(block: Block, options: Options) -> bool:
    extra = _EXTRAS.get(block.label)
    return extra is None or extra in options.include


def block_markdown(block: Block, options: Options) -> str:
    """Return one block as Markdown; empty where it shows nothing."""
    if block.label in PICTURES:
        return _picture(block)
    text = visible(block.content)
    content = text.strip()
    if not content:
        return ""
    match block.label:
        case Label.TITLE | Label.HEADING:
            level = 1 if block.label is Label.TITLE else min(max(block.level or 2, 1), 6)
            return f"{'#' * level} {heading(content)}"
        case Label.TABLE:
            rows = read_table(content)
            return table([Part(rows=rows)], options.tables) if rows else ""
        case Label.FORMULA:
            return formula(content)
        case Label.CODE:
            return _fenced(text.strip("\r\n"))
        case Label.LIST:
            return _list(content)
        case _:
            return escaped(content)


def _picture(block: Block) -> str:
    link = f"![]({block.image})" if block.image else ""
    return "\n\n".join(part for part in (link, escaped(visible(block.content).strip())) if part)


def _fenced(content: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{content}\n{fence}"


def _list(content: str) -> str:
    """Keep the items' own marks ("-", "3.") and their depth, and escape what follows."""
    return "\n".join(_list_line(line) for line in content.splitlines() if line.strip())


def _list_line(line: str) -> str:
    mark = _LIST_MARK.match(line)
    if mark is None:
        return escaped(line)
    return f"{mark[1].expandtabs(4)}{mark[2]} {escaped(line[mark.end() :])}"
