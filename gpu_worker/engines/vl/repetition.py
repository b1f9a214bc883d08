"""Does a model's answer go round in circles? Tells an endless phrase from a row of dots, and from a table of zeros."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ANCHOR = 12
_STEP = 48
_LONGEST_PERIOD = 1200
_LEAST_TIMES = 8

_STRUCTURE = re.compile(r"</?\w{1,5}>|\\(?:quad|qquad|cdots?|ldots|dots|hline|hspace\{[^}]*\}|[,;:! ])")
"""OTSL's and HTML's cells, and LaTeX's blanks: what a table and a formula may well repeat."""
_WORD = re.compile(r"[^\W_]+")

_SHOWN = 2
"""So many are left of what is said again and again: enough to see what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`text[start:end]` is one piece of `period` characters, `times` over, and perhaps the beginning of another."""

    start: int
    end: int
    period: int
    times: int


def longest_run(text: str, *, is_table: bool, was_cut: bool) -> Run | None:
    """The longest run that no author would write; None where there is none.

    An answer that ended by itself must repeat more than one that was cut while it repeated. Costs some microseconds for
    an ordinary answer: nothing is searched but what comes again within 1,200 characters.
    """
    suspects = (run for run in _runs(text) if _is_endless(text, run, is_table=is_table, was_cut=was_cut))
    return max(suspects, key=lambda run: run.end - run.start, default=None)


def collapsed(text: str, *, is_table: bool, was_cut: bool) -> str:
    """The text with each endless run cut down to its first pieces."""
    parts, done = [], 0
    for run in _runs(text):
        if _is_endless(text, run, is_table=is_table, was_cut=was_cut):
            parts.append(text[done : run.start + _SHOWN * run.period])
            done = run.end if run.end == len(text) else run.start + run.times * run.period
    return "".join((*parts, text[done:])) if parts else text


def _runs(text: str) -> Iterator[Run]:
    """What repeats, in order, none within another. Anchors stand so near to each other that no long run is missed."""
    at = 0
    while at + _ANCHOR < len(text):
        run = _run_at(text, at)
        if run is not None:
            yield run
        at = max(at + _STEP, run.end if run is not None else 0)


def _run_at(text: str, at: int) -> Run | None:
    again = text.find(text[at : at + _ANCHOR], at + 1, at + _LONGEST_PERIOD + _ANCHOR)
    if again < 0:
        return None
    period = again - at
    whole = _whole_pieces(text, at, period)
    if whole + _STEP // period < _LEAST_TIMES - 1:  # what may stand before the anchor, since the last one missed it
        return None
    start, end = _reach_back(text, at, period), _reach_on(text, at + whole * period, period)
    times = (end - start) // period
    return Run(start=start, end=end, period=period, times=times) if times >= _LEAST_TIMES else None


def _whole_pieces(text: str, at: int, period: int) -> int:
    piece, count = text[at : at + period], 1
    while text.startswith(piece, at + count * period):
        count += 1
    return count


def _reach_on(text: str, end: int, period: int) -> int:
    while end < len(text) and text[end] == text[end - period]:
        end += 1
    return end


def _reach_back(text: str, at: int, period: int) -> int:
    while at > 0 and text[at - 1] == text[at - 1 + period]:
        at -= 1
    return at


def _is_endless(text: str, run: Run, *, is_table: bool, was_cut: bool) -> bool:
    piece, size = text[run.start : run.start + run.period], run.end - run.start
    words = _WORD.findall(_STRUCTURE.sub(" ", piece))
    if was_cut and run.end == len(text):
        return size >= (1000 if is_table or not words else 120)
    if not words:
        return False  # leaders, rules, empty cells
    if is_table:
        return run.times >= 20 and len(set(words)) >= 3  # noqa: PLR2004 - more than columns of zeros, or of yes and no
    return size >= (60 if run.period < 4 else 240)  # noqa: PLR2004 - a letter on its own needs no 240
