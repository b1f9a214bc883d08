"""What keeps a document's text from acting: everything that Markdown or HTML would take for markup is escaped."""

import re
from html import escape as escape_html

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=[(\[:])|!(?=\[)")
_SPECIAL = re.compile(
    r"(?P<entity><(?=[A-Za-z/!?])|&(?=#?\w+;))"
    r"|\\(?=[!-/:-@\[-`{-~\s]|\Z)"  # a backslash that would escape something, be it an escape of ours
    r"|\](?=[(\[:])|!(?=\[)"  # links, their definitions, images
    r"|`|~(?=~)|(?<=~)~|\*(?=\S|\Z)|(?:(?<=\S)|\A)\*"
    r"|(?<!\w)_+|(?<!_)_++(?!\w)"  # an underscore within a word means nothing to Markdown
)
_BLOCK_START = re.compile(r"#{1,6}(?=\s|$)|>|[-+*_](?=\s|$)|(?:=+|-+)\s*$|~~~|\||[-:][-:|\s]*$|[*_][*_\s]*$")
_NUMBER_START = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")
_CLOSING_HASHES = re.compile(r"(?:(?<=\s)|^)(?=#+$)")
_MATH = re.compile(r"\$\$([^$\n]+)\$\$|\$([^$\n]+)\$|\\\[([^$\n]+?)\\\]|\\\(([^$\n]+?)\\\)")
_FORMULA = re.compile(r"\$\$([^$]+)\$\$|\$([^$]+)\$|\\\[([^$]+)\\\]|\\\(([^$]+)\\\)|([^$]+)")


def heading(content: str) -> str:
    """Hashes at a heading's end would be taken for its closing."""
    return _CLOSING_HASHES.sub(r"\\", inline(folded(content)))


def formula(content: str) -> str:
    """A formula stands between lines of two dollars, whatever delimiters it came with; an empty group, which shows
    nothing, keeps its lines from beginning a block. Where dollars lie within, it is text with formulas.
    """
    whole = _FORMULA.fullmatch(content)
    if whole is None:
        return escaped(content)
    lines = [_math(line.strip()) for line in whole[whole.lastindex or 0].splitlines() if line.strip()]
    guarded = ("{}" + line if _BLOCK_START.match(line) or _NUMBER_START.match(line) else line for line in lines)
    return "\n".join(["$$", *guarded, "$$"])


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, block starters and all; formulas between dollars stay formulas.

    Indentation goes: it would make code of text.
    """
    return "\n".join(_escaped_line(line.strip(" \t")) for line in text.splitlines())


def _escaped_line(line: str) -> str:
    line = inline(line)
    if _BLOCK_START.match(line):
        return "\\" + line
    return _NUMBER_START.sub(r"\g<1>\\", line, count=1) if _NUMBER_START.match(line) else line


def inline(text: str) -> str:
    """Escape what lies between formulas. All of them get dollars: a bracket that delimits one could end a link."""
    pieces, end = [], 0
    for match in _MATH.finditer(text):
        dollars = "$" if match[2] or match[4] else "$$"
        pieces += [_plain(text[end : match.start()]), dollars, _math(match[match.lastindex or 0]), dollars]
        end = match.end()
    return "".join([*pieces, _plain(text[end:])])


def _math(text: str) -> str:
    """Keep LaTeX as it is but for a space, which it ignores, where HTML or a link would begin, and its left quote."""
    return _LINK.sub(r"\g<0> ", _TAG.sub("< ", text)).replace("`", r"\lq{}")


def _plain(text: str) -> str:
    return _SPECIAL.sub(_harmless, text)


def _harmless(match: re.Match[str]) -> str:
    return escape_html(match[0]) if match["entity"] else "".join("\\" + mark for mark in match[0])


def folded(text: str) -> str:
    return " ".join(text.split())


def visible(text: str) -> str:
    """Control characters would act on somebody's terminal."""
    return _CONTROL.sub("\ufffd", text)
