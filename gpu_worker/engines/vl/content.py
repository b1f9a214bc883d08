"""From the model's answer to what is shown: the delimiters of formulas set right, tables made HTML, nothing cut."""

import re
from collections.abc import Callable, Iterable

from shared.domain.page import Label

TableHtml = Callable[[str], str]
"""OTSL, as the model writes tables, to HTML; an empty string where it is none."""

_DISPLAY = re.compile(r"\\\[(.*?)\\\]|\\\((.*?)\\\)|\$\$(.*?)\$\$", re.DOTALL)
_NUMBER = re.compile(r"\\[()\[\]]|\$")


def shown(raw: str, label: Label, table_html: TableHtml) -> str:
    """Return a block's content. A dollar that is no delimiter is money, and stays."""
    text = raw.strip()
    match label:
        case Label.TABLE:
            return table_html(text) or text
        case Label.FORMULA:
            return _latex(_single(text))
        case Label.FORMULA_NUMBER:
            return _NUMBER.sub("", text).strip()
        case Label.CODE:
            return raw.strip("\r\n")
        case _:
            return _single(text)


def without_tokens(html: str, tokens: Iterable[str]) -> str:
    """Take out what was painted over a table's figures: they stand beside the table as blocks of their own."""
    for token in tokens:
        html = html.replace(token, "")
    return html


def _single(text: str) -> str:
    r"""The model doubles brackets now and then: `\[\[ x \]\]`."""
    return text.replace(r"\[\[", r"\[").replace(r"\]\]", r"\]")


def _latex(text: str) -> str:
    """The formula without delimiters; where the answer is several, and nothing else, they stand one below the other."""
    found = [next(part for part in match.groups() if part is not None).strip() for match in _DISPLAY.finditer(text)]
    if not found or _DISPLAY.sub("", text).strip():
        return text
    if len(found) == 1:
        return found[0]
    return "\\begin{gathered}\n" + " \\\\\n".join(found) + "\n\\end{gathered}"
