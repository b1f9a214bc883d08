"""Reads one page: detection, turning, recognition, layout."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.blocks import Draft, arrange
from gpu_worker.engines.layout.geometry import Line, Rect
from gpu_worker.engines.layout.gutters import find_cuts
from gpu_worker.engines.layout.skew import Skew, find_skew, upper_end
from gpu_worker.engines.layout.text import lost_spaces
from gpu_worker.engines.ppocr.detect import Quads, find_lines
from gpu_worker.engines.ppocr.models import Models, Pixels
from gpu_worker.engines.ppocr.orient import find_rotation, turn
from gpu_worker.engines.ppocr.recognise import Reading
from gpu_worker.engines.ppocr.scripts import judge
from shared.domain.options import Options
from shared.domain.page import Block, Box, Flag, FlagCode, Label, PageImage, PageRead

UNSURE = 0.85
"""Clean print is read at 0.97 and above; below this a reader finds errors in every line."""

INK = 40
"""Grey levels below the paper's: pencil and faded stamps are darker than that, paper's grain is not."""

LEAST_INK = 2e-5
"""The share of a page's pixels that makes it no blank page: one short word on a letter page has four times that."""

BEYOND = 0.45
"""Line heights from the centre of the first or last character to its outer edge: half of the widest letter."""

ReadLines = Callable[[Pixels, Sequence[Quads]], list[Reading]]
"""Reads the lines of a page; the engine spreads them over its threads."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The page as it is read: turned, with its lines found."""

    pixels: Pixels
    quads: Quads
    rotation: int


def read_page(models: Models, read_lines: ReadLines, image: PageImage, options: Options) -> PageRead:
    started = perf_counter()
    sheet = _prepared(models, image, options)
    height, width = sheet.pixels.shape[:2]
    skew = find_skew(sheet.quads, width, height)
    gray = skew.straighten_image(np.asarray(cv2.cvtColor(sheet.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8))
    quads = _cut(sheet.quads, skew, gray)
    readings = read_lines(sheet.pixels, quads)
    verdict = judge([_line(quad, reading, skew) for quad, reading in zip(quads, readings, strict=True)])
    drafts = arrange(verdict.lines, gray, _turned(image.pictures, image, sheet.rotation))
    blocks = tuple(_block(number, draft, skew) for number, draft in enumerate(drafts, 1))
    blank = () if blocks or _has_ink(gray) else (Flag(code=FlagCode.BLANK),)
    return PageRead(
        blocks=blocks,
        width=width,
        height=height,
        dpi=image.dpi,
        rotation=sheet.rotation,
        flags=(*_unsupported(options), *verdict.flags, *blank, *_doubts(blocks)),
        usage={"seconds": perf_counter() - started},
    )


def _prepared(models: Models, image: PageImage, options: Options) -> _Sheet:
    pixels = np.frombuffer(image.rgb, dtype=np.uint8).reshape(image.height, image.width, 3)
    quads = find_lines(models.detector, pixels)
    rotation = find_rotation(models, pixels, quads) if options.orientation else 0
    if not rotation:
        return _Sheet(pixels, quads, 0)
    turned = turn(pixels, rotation)
    return _Sheet(turned, find_lines(models.detector, turned), rotation)


def _cut(quads: Quads, skew: Skew, gray: npt.NDArray[np.uint8]) -> list[Quads]:
    """The lines, those that run over a gutter in parts."""
    rects = [_bounds(quad, skew) for quad in quads]
    parts: list[Quads] = []
    for quad, rect, cuts in zip(quads, rects, find_cuts(gray, rects), strict=True):
        edges = [rect.x0, *(edge for cut in cuts for edge in (cut.start, cut.end)), rect.x1]
        places = [(edge - rect.x0) / rect.width for edge in edges]
        parts.extend(_part(quad, start, end) for start, end in zip(places[::2], places[1::2], strict=True))
    return parts


def _part(quad: Quads, start: float, end: float) -> Quads:
    """The part of a quadrilateral between two places along it, 0 to 1."""
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    corners = [quad[0] + start * top, quad[0] + end * top, quad[3] + end * bottom, quad[3] + start * bottom]
    return np.asarray(corners, dtype=np.float32)


def _bounds(quad: Quads, skew: Skew) -> Rect:
    """The line's place on the straightened page: through the middles of its sides, for a line that leans a little more
    than the page would overlap its neighbours by its bounds. Of a slanted line it is the upper end.
    """
    corners = skew.straighten(quad)
    end = upper_end(corners)
    if end is not None:
        return end
    (top_left, top_right, bottom_right, bottom_left) = corners
    left, right = (top_left[0] + bottom_left[0]) / 2, (top_right[0] + bottom_right[0]) / 2
    top, bottom = (top_left[1] + top_right[1]) / 2, (bottom_left[1] + bottom_right[1]) / 2
    return Rect(float(left), float(top), float(right), float(bottom))


def _line(quad: Quads, reading: Reading, skew: Skew) -> Line:
    """The line as it was read, no longer than its characters: detection may run into a gutter, or to a table's rule."""
    rect, corners = _bounds(quad, skew), skew.straighten(quad)
    text, places = reading.text, [rect.x0 + place * rect.width for place in reading.places]
    if upper_end(corners) is not None:
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        extent = Rect(float(x0), float(y0), float(x1), float(y1))
        return Line(rect, text, reading.confidence, tuple(places), extent)
    for index in reversed(lost_spaces(text, places, rect.height)):
        text = f"{text[:index]} {text[index:]}"
        places.insert(index, (places[index - 1] + places[index]) / 2)
    if places:
        beyond = BEYOND * rect.height
        rect = Rect(max(rect.x0, places[0] - beyond), rect.y0, min(rect.x1, places[-1] + beyond), rect.y1)
    return Line(rect, text, reading.confidence, tuple(places))


def _turned(boxes: Iterable[Box], image: PageImage, rotation: int) -> list[Rect]:
    """The boxes as they lie once the page is turned clockwise."""
    rects = []
    for box in boxes:
        x0, y0, x1, y1 = box.x0, box.y0, box.x1, box.y1
        width, height = image.width, image.height
        for _ in range(rotation // 90):
            x0, y0, x1, y1 = height - y1, x0, height - y0, x1
            width, height = height, width
        rects.append(Rect(float(x0), float(y0), float(x1), float(y1)))
    return rects


def _block(number: int, draft: Draft, skew: Skew) -> Block:
    return Block(
        id=f"b{number}",
        label=draft.label,
        bbox=_box(skew.to_image(draft.rect), skew.width, skew.height),
        content=draft.content,
        raw=draft.raw,
        level=draft.level,
        confidence=None if draft.confidence is None else round(draft.confidence, 4),
    )


def _box(rect: Rect, width: int, height: int) -> Box:
    x0, y0 = min(max(0, int(rect.x0)), width - 1), min(max(0, int(rect.y0)), height - 1)
    x1, y1 = min(width, int(np.ceil(rect.x1))), min(height, int(np.ceil(rect.y1)))
    return Box(x0=x0, y0=y0, x1=max(x1, x0 + 1), y1=max(y1, y0 + 1))


def _has_ink(gray: npt.NDArray[np.uint8]) -> bool:
    paper = float(np.median(gray))
    smooth = cv2.medianBlur(gray, 3)
    return float((np.abs(smooth.astype(np.int16) - paper) > INK).mean()) > LEAST_INK


def _unsupported(options: Options) -> list[Flag]:
    names = ("unwarp", "charts", "seals", "formula_numbers")
    return [Flag(code=FlagCode.UNSUPPORTED_OPTION, value=name) for name in names if getattr(options, name)]


def _doubts(blocks: Iterable[Block]) -> list[Flag]:
    return [
        Flag(code=FlagCode.LOW_CONFIDENCE, value=f"{block.confidence:.2f}", block=block.id)
        for block in blocks
        if block.confidence is not None and block.confidence < UNSURE and block.label is not Label.FIGURE
    ]
