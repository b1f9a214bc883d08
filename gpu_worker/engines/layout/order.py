"""Reading order: recursive XY-cut that prefers text columns and tells them from the columns of a table.

The page is cut at gutters (white strips with text on both sides). Where something spans the columns, the page is first
cut into bands, each as tall as its gutter reaches; so neither a spanning title nor a figure between two bands breaks a
column apart. After Nagy and Seth's XY-cut and Breuel's "High Performance Document Layout Analysis" (2003), which finds
columns by their tall white rectangles as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gpu_worker.engines.layout.geometry import Rect, bounds
from gpu_worker.engines.layout.rows import P

GUTTER = 1.0
"""The narrowest gutter in line heights, measured between the cores of pieces, where few lines bear witness to it."""

NARROW_GUTTER = 0.3
"""The narrowest gutter between columns of at least `WITNESSES` pieces each: newspapers and dense reports."""
WITNESSES = 5

SHORT = 6.0
"""Pieces narrower than this many line heights (about 16 Latin letters) are cells, labels or numbers, not text lines."""

ALIGNED = 0.7
"""From this share of pieces with a neighbour on the same baseline, short pieces are read as rows."""

TALL = 3.0
"""In line heights: what is higher is a picture, a table or a poster's title."""

SAME_BASELINE = 0.35
"""Tolerance for a common baseline, in line heights."""

OVERRUN = 0.45
"""On skewed, grainy scans the detector overruns a text line's end by up to so many line heights."""

WIDE = 0.6
"""What spans this share of a region's width without a gap begins no columns; less may be one column's first line."""

TOUCH = 0.15
"""Boxes may overlap by this many line heights and still count as apart: detection pads them."""


@dataclass(frozen=True, slots=True)
class _Span:
    start: float
    end: float


def reading_order(pieces: Sequence[P], line_height: float) -> list[list[P]]:
    """The pieces as runs in reading order; within a run there is one column, or rows that belong together."""
    parts = _columns(pieces, line_height) or _bands(pieces, line_height)
    if len(parts) <= 1:
        return parts
    return [run for part in parts for run in reading_order(part, line_height)]


def _columns(pieces: Sequence[P], line_height: float) -> list[list[P]]:
    """The pieces left and right of the widest real gutter; empty where there is none."""
    spans = _merged(_core(piece.rect, line_height) for piece in pieces)
    gaps = sorted(pairwise(spans), key=lambda pair: pair[0].end - pair[1].start)
    for before, after in gaps:
        left = [piece for piece in pieces if piece.rect.centre < after.start]
        right = [piece for piece in pieces if piece.rect.centre >= after.start]
        narrowest = NARROW_GUTTER if min(len(left), len(right)) >= WITNESSES else GUTTER
        if after.start - before.end >= narrowest * line_height and _are_columns(left, right, line_height):
            return [left, right]
    return []


def _core(rect: Rect, line_height: float) -> tuple[float, float]:
    """The part of a piece's width that is surely its own."""
    margin = (OVERRUN if rect.width >= SHORT * line_height else TOUCH) * line_height
    return rect.x0 + margin, rect.x1 - margin


def _are_columns(left: Sequence[P], right: Sequence[P], line_height: float) -> bool:
    """Text side by side, not the cells of rows, and truly beside each other."""
    shared = bounds(piece.rect for piece in left).shared_height(bounds(piece.rect for piece in right))
    if shared < line_height:
        return False
    short = min(_typical_width(left), _typical_width(right)) < SHORT * line_height
    return not (short and max(_aligned(left, right, line_height), _aligned(right, left, line_height)) >= ALIGNED)


def _typical_width(pieces: Sequence[P]) -> float:
    return median(piece.rect.width for piece in pieces)


def _aligned(side: Sequence[P], other: Sequence[P], line_height: float) -> float:
    """The share of a side's pieces that have a neighbour on the other side at the same height. A figure or a table is
    nobody's neighbour in a row.
    """
    low = [piece.rect.middle for piece in side if piece.rect.height <= TALL * line_height]
    middles = [piece.rect.middle for piece in other if piece.rect.height <= TALL * line_height]
    tolerance = SAME_BASELINE * line_height
    found = sum(any(abs(place - middle) <= tolerance for middle in middles) for place in low)
    return found / len(side)


def _bands(pieces: Sequence[P], line_height: float) -> list[list[P]]:
    """What stands above the tallest band of columns, the band, and what stands below it; one part without columns."""
    strips = _strips(pieces, line_height)
    if not strips:
        return []
    best: tuple[float, int, int] = (0.0, 0, 0)
    for first in range(len(strips)):
        last = _reach(strips, first, line_height)
        if last is None:
            continue
        area = bounds(piece.rect for strip in strips[first : last + 1] for piece in strip)
        best = max(best, (area.height, first, last + 1))
    _, first, end = best
    if not end:
        return [list(pieces)]
    parts = (strips[:first], strips[first:end], strips[end:])
    return [[piece for strip in part for piece in strip] for part in parts if part]


def _reach(strips: Sequence[Sequence[P]], first: int, line_height: float) -> int | None:
    """The last strip to which columns that begin at the first one reach."""
    found = None
    pieces: list[P] = []
    width = bounds(piece.rect for strip in strips for piece in strip).width
    for index in range(first, len(strips)):
        pieces.extend(strips[index])
        if not _has_gap(pieces, line_height) and area_of(pieces).width > WIDE * width:
            break
        if _columns(pieces, line_height):
            found = index
    return found


def _has_gap(pieces: Sequence[P], line_height: float) -> bool:
    spans = _merged(_core(piece.rect, line_height) for piece in pieces)
    return any(after.start - before.end >= NARROW_GUTTER * line_height for before, after in pairwise(spans))


def _strips(pieces: Sequence[P], line_height: float) -> list[list[P]]:
    """The pieces cut at every height that nothing crosses."""
    strips: list[list[P]] = []
    floor = float("-inf")
    for piece in sorted(pieces, key=lambda piece: piece.rect.y0):
        if piece.rect.y0 + TOUCH * line_height >= floor:
            strips.append([])
        strips[-1].append(piece)
        floor = max(floor, piece.rect.y1 - TOUCH * line_height)
    return strips


def _merged(intervals: Iterable[tuple[float, float]]) -> list[_Span]:
    """Overlapping intervals joined, from left to right."""
    spans: list[_Span] = []
    for start, end in sorted(intervals):
        if spans and start <= spans[-1].end:
            spans[-1] = _Span(spans[-1].start, max(spans[-1].end, end))
        else:
            spans.append(_Span(start, max(start, end)))
    return spans


def area_of(pieces: Sequence[P]) -> Rect:
    """The rectangle around the pieces."""
    return bounds(piece.rect for piece in pieces)
