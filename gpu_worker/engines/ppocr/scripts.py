"""Keeps back what the models cannot read, so that it is flagged and never passed off as text.

The dictionary holds Latin (without Vietnamese's tone marks), Chinese, Japanese, and Greek letters without accents. What
happens to other scripts was measured on text in twelve of them: nearly all characters come out as nothing (Cyrillic,
Hangul, Arabic, Hebrew, Devanagari, Georgian, Armenian), or as Latin noise at a confidence below 0.6 (Thai), or as the
unaccented letters alone (Greek, Vietnamese) at up to 1.0.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gpu_worker.engines.layout.geometry import Line
from shared.domain.page import Flag, FlagCode

LEAST_CONFIDENCE = 0.5
"""RapidOCR's own floor (`text_score`): below it a reading is noise."""

LEAST_AMONG_NOISE = 0.9
_AMONG_NOISE = re.compile(r"[A-Za-z0-9]{2}|\S{4}")
"""On a page in a foreign script chance readings are short and reach 0.94 for a single sign; its Latin words and numbers
are read at 0.95 and above."""

LEAST_YIELD = 0.2
LEAST_SURE_YIELD = 0.5
SURE = 0.8
"""Characters per line height of width: print gives 2 in Latin and 0.7 in Chinese, an unknown script under 0.3."""

LONG = 2.0
"""Shorter boxes, in line heights, bear no witness: specks and icons give nothing either."""

SURELY_TEXT = 4.0
"""One box of this length is enough of a witness; of shorter ones it takes `FOREIGN_LINES`."""

FOREIGN_SHARE = 0.3
"""From this share of unreadable text, by length, the page is in a script that the models don't know."""

FOREIGN_LINES = 3
FOREIGN_PART = 0.08
"""So many lines, and this share, make a passage in such a script on a page that is otherwise read."""

LETTERS, WORDS = 8, 4
"""The least text that tells a language."""

_GREEK = re.compile(r"[\u0370-\u03ff]")
_LETTER = re.compile(r"[^\W\d_]")
_VIETNAMESE = re.compile(r"[ăđơư]", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")
_VOWEL = re.compile(r"[aeiouyàáâãèéêìíòóôõùúýăơư]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The lines that may be shown, and what must be said of the others."""

    lines: tuple[Line, ...]
    flags: tuple[Flag, ...]


def judge(lines: Sequence[Line]) -> Verdict:
    """What is withheld is never silent: the flag's value is the withheld share of the text, by length, or the mean
    confidence of the lines that were too unsure.
    """
    long = [line for line in lines if _units(line) >= LONG]
    lost = [line for line in long if is_unreadable(line)]
    share = sum(map(_units, lost)) / max(1.0, sum(map(_units, long)))
    witnessed = len(lost) >= FOREIGN_LINES or any(_units(line) >= SURELY_TEXT for line in lost)
    foreign = share >= FOREIGN_SHARE and witnessed
    read = (line for line in lines if line.text.strip() and not is_unreadable(line))
    kept = tuple(line for line in read if _is_trusted(line, foreign=foreign))
    if foreign or (len(lost) >= FOREIGN_LINES and share >= FOREIGN_PART):
        return Verdict(kept, (Flag(code=FlagCode.UNREADABLE_SCRIPT, value=f"{share:.2f}"),))
    return Verdict(kept, _unsure([line for line in lines if line.text.strip() and line not in kept]))


def is_unreadable(line: Line) -> bool:
    """Whether the reading shows that the line is in a script that the models don't know."""
    characters = len(line.text.replace(" ", ""))
    expected = LEAST_YIELD if line.confidence >= SURE else LEAST_SURE_YIELD
    if _units(line) >= LONG and characters < expected * _units(line):
        return True
    if _units(line) >= LONG and line.confidence < LEAST_CONFIDENCE:
        return True
    return _is_greek(line.text) or _is_vietnamese(line.text)


def _is_trusted(line: Line, *, foreign: bool) -> bool:
    if foreign:
        return line.confidence >= LEAST_AMONG_NOISE and bool(_AMONG_NOISE.search(line.text))
    return line.confidence >= LEAST_CONFIDENCE


def _units(line: Line) -> float:
    return line.rect.width / max(1.0, line.rect.height)


def _is_greek(text: str) -> bool:
    """Running Greek, whose accented vowels are lost; symbols in a formula stand among other letters."""
    letters = _LETTER.findall(text)
    return len(letters) >= LETTERS and len(_GREEK.findall(text)) > len(letters) / 2


def _is_vietnamese(text: str) -> bool:
    """Vietnamese whose toned vowels are lost: every fifth word is left without any."""
    words = _WORD.findall(text)
    bare = sum(not _VOWEL.search(word) for word in words)
    return len(words) >= WORDS and bool(_VIETNAMESE.search(text)) and bare * 5 >= len(words)


def _unsure(withheld: Sequence[Line]) -> tuple[Flag, ...]:
    if not withheld:
        return ()
    mean = sum(line.confidence for line in withheld) / len(withheld)
    return (Flag(code=FlagCode.LOW_CONFIDENCE, value=f"{mean:.2f}"),)
