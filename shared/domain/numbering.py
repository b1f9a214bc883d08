"""The number that a heading begins with: which series it belongs to, and how deep it stands there."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Series(StrEnum):
    """How headings are numbered. The first four name their rank; the others are ranked by which comes first."""

    PART = "part"
    CHAPTER = "chapter"
    APPENDIX = "appendix"
    SECTION = "section"
    ROMAN = "roman"
    LETTER = "letter"
    DECIMAL = "decimal"
    CHINESE = "chinese"
    CHINESE_BRACKETS = "chinese_brackets"
    BRACKETS = "brackets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """`depth` is 3 for "2.1.4" and 1 for every series but the decimal."""

    series: Series
    text: str
    depth: int = 1


_CHINESE = r"[〇零一二三四五六七八九十百]{1,4}"
_ROMAN = r"(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3})"
_OPEN, _CLOSE, _DOT = r"[(\uff08]", r"[)\uff09]", r"[.\uff0e]"
_STOP = r"[.\uff0e:\uff1a、)\uff09]"
_DEEP = rf"(?:\d{{1,2}}|[A-Z](?=\.\d))(?:{_DOT}\d{{1,3}}){{0,5}}"
_COUNTED = r"\s+([IVXLC]+|\d{1,3}|[A-Z])\b"
_PATTERNS = tuple(
    (series, re.compile(pattern, flags))
    for series, pattern, flags in (
        (Series.PART, rf"(?:part|partie|teil|parte){_COUNTED}|第({_CHINESE}|\d{{1,2}})[部篇编編]", re.IGNORECASE),
        (
            Series.CHAPTER,
            rf"(?:chapter|chapitre|kapitel|cap[ií]tulo){_COUNTED}|第\s?({_CHINESE}|\d{{1,3}})\s?章",
            re.IGNORECASE,
        ),
        (
            Series.APPENDIX,
            rf"(?:appendix|annexe?|anhang|ap[eé]ndice){_COUNTED}|附[录錄]\s?([A-Z一二三四五六七八九十\d])",
            re.IGNORECASE,
        ),
        (
            Series.SECTION,
            rf"第\s?({_CHINESE}|\d{{1,3}})\s?[节節条條]|(?:§|article|section)\s*(\d{{1,3}})\b(?!\.\d)",
            re.IGNORECASE,
        ),
        (Series.CHINESE_BRACKETS, rf"{_OPEN}({_CHINESE}){_CLOSE}", 0),
        (Series.CHINESE, rf"({_CHINESE})[、.\uff0e:\uff1a]", 0),
        (Series.BRACKETS, rf"{_OPEN}(\d{{1,2}}|[a-z]|[ivx]{{1,4}}){_CLOSE}|(\d{{1,2}}|[a-z]){_CLOSE}(?=\s|[^\W\d])", 0),
        (
            Series.DECIMAL,
            rf"(?:(?:§|[Ss]ection)\s*)?({_DEEP})(?:(?:{_DOT}|[、:])?\s+|{_DOT}|[、:])(?=\D)",
            0,
        ),
        (Series.DECIMAL, r"((?:\d{1,2}|[A-Z])(?:\.\d{1,3}){1,5})(?=[^\W\d_])", 0),
        (Series.ROMAN, rf"({_ROMAN})(?:{_STOP}\s*(?=\S)|(?<=[IVX][IVX])\s+(?=\S))", 0),
        (Series.LETTER, rf"([A-Z]){_STOP}\s*(?=\S)", 0),
    )
)
_BEFORE_ROMAN = {"H": "I", "U": "V", "W": "X"}
"""After the letter H an I is a letter."""


def numbers(headings: Iterable[str]) -> Iterator[Number | None]:
    """Yield the number of each heading, in their order; None where it has none."""
    last = ""
    for text in headings:
        number = _number(text.strip())
        if number is not None and number.series is Series.ROMAN and _BEFORE_ROMAN.get(last) == number.text:
            number = Number(series=Series.LETTER, text=number.text)
        if number is not None and number.series is Series.LETTER:
            last = number.text
        yield number


def _number(text: str) -> Number | None:
    for series, pattern in _PATTERNS:
        match = pattern.match(text)
        if match is not None:
            found = next(group for group in match.groups() if group is not None)
            depth = len(re.split(_DOT, found)) if series is Series.DECIMAL else 1
            return Number(series=series, text=found, depth=depth)
    return None
