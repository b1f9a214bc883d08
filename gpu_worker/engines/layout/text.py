"""Joins the lines of a paragraph into running text."""

import re
import unicodedata
from collections.abc import Iterable

_SPLIT_WORD = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]$")
"""A letter and a hyphen at a line's end."""

_HYPHENATED = re.compile(r"\w+-\w+-$")
"""A word that has a hyphen already ("state-of-the-") keeps the one at the line's end."""

_GLUED_NUMBER = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,3})(?=[A-Z][a-z]{2})")
"""A section's number that the recogniser ran into its title ("4.2Character recognition")."""

_CAPTION = re.compile(
    r"^(?:fig(?:ure|\.)?|table|tab\.|chart|scheme|plate|listing|abb(?:ildung|\.)|tabelle|tableau|图|表|圖)\s?"
    r"(?:[0-9]++(?:[.\-\u2013][0-9]++)*+|[A-Z]|[IVXLC]+|[一二三四五六七八九十]+)(?:[.:\-\u2013\u2014)]|\s+(?-i:[^a-z])|\s*$|[a-z]\b)",
    re.IGNORECASE,
)
"""With a number, and no verb after it: "Figure 3 shows" begins a sentence."""

_SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH", "IDEOGRAPHIC", "HALFWIDTH")


def join_lines(lines: Iterable[str]) -> str:
    """One line of text: hyphenated words made whole, Chinese and Japanese joined without spaces."""
    text = ""
    for line in lines:
        mended = _GLUED_NUMBER.sub(r"\1 ", line.strip())
        text = _joined(text, mended) if text else mended
    return text


def is_spaceless(character: str) -> bool:
    """Whether the character belongs to a script written without spaces between words."""
    return unicodedata.name(character, "").startswith(_SPACELESS)


def is_caption(text: str) -> bool:
    return bool(_CAPTION.match(text))


def _joined(text: str, line: str) -> str:
    if not line:
        return text
    if _SPLIT_WORD.search(text):
        return _mended(text, line)
    separator = "" if is_spaceless(text[-1]) and is_spaceless(line[0]) else " "
    return text + separator + line


def _mended(text: str, line: str) -> str:
    """A hyphen is the typesetter's where a lower-case letter follows and the word has no other hyphen."""
    last_word = text.rsplit(maxsplit=1)[-1]
    if line[0].islower() and not _HYPHENATED.search(last_word):
        return text[:-1] + line
    return text + line
