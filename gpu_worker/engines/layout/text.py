"""Joins the lines of a paragraph into running text."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

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

LOST_SPACE, LOST_STEP = 0.8, 2.2
"""In line heights and in usual steps between characters: wider than any digit and letter that touch."""

_SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH", "IDEOGRAPHIC", "HALFWIDTH")


def join_lines(lines: Iterable[str]) -> str:
    """One line of text: hyphenated words made whole, Chinese and Japanese joined without spaces."""
    text = ""
    for line in lines:
        mended = _GLUED_NUMBER.sub(r"\1 ", line.strip())
        text = _joined(text, mended) if text else mended
    return text


def lost_spaces(text: str, places: Sequence[float], height: float) -> list[int]:
    """Before which characters a space is missing: the recogniser at times sees none in the wide gap that a typesetter
    puts after a number ("Figure 3-10   The wheel"). `places` are the characters' centres, `height` the line's.
    """
    usual = median([after - before for before, after in pairwise(places)] or [0.0])
    least = max(LOST_SPACE * height, LOST_STEP * usual)
    return [
        index
        for index in range(1, len(text))
        if text[index - 1].isdigit() and text[index].isupper() and places[index] - places[index - 1] >= least
    ]


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
