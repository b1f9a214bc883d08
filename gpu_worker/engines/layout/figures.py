"""Finds pictures: those that the document embeds, and on scans the ink that is not text."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.charts import find_charts
from gpu_worker.engines.layout.geometry import Line, Rect, bounds, line_height
from gpu_worker.engines.layout.order import reading_order
from gpu_worker.engines.layout.paragraphs import Row
from gpu_worker.engines.layout.rows import group_rows
from gpu_worker.engines.layout.text import join_lines

BACKGROUND = 0.7
"""A picture that covers more of the page than this is the page itself: a scan, or a background to the text."""

TEXT_SHARE = 0.3
"""More text than this, by area, makes a picture of text: labels of a chart cover a tenth, running text two thirds."""

TOUCH = 0.1
"""Embedded images that stand nearer than twice this, in line heights, are strips of one."""

SMALLEST_SIDE = 3.0
"""In line heights: less is an ornament, a bullet or a stray letter."""

LEAST_AREA = 0.012
"""Of the page: an inch square on a letter page."""

WITHIN = 0.8
"""A line belongs to a picture where this part of its area lies in it."""

FILLED = 0.5
SURE, WORD = 0.85, 4
"""A reading of a few signs that fills half a picture and is less sure than print always is was never text."""

BORDER = 0.01
"""Ink in the outermost hundredth of the page is the scanner's shadow."""

PAPER = 75
"""More than a quarter of nearly every page is bare paper; this percentile of its grey levels is the paper's."""
COARSE = 8
CONTRAST = 40
LIGHTEST = 200
"""Ink is so much darker than the paper, and darker than this: tinted fields behind text are neither."""

Gray = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Figure:
    """`lines` is the text in the picture, such as a chart's labels. `rect` is its place among the text: smaller than
    the picture, `crop`, where text runs into the picture's corner.
    """

    rect: Rect
    lines: tuple[Line, ...]
    crop: Rect


def find_figures(
    gray: Gray, embedded: Sequence[Rect], lines: Sequence[Line], taken: Sequence[Rect], line_height: float
) -> list[Figure]:
    """`embedded` are true pictures (see `is_picture`), `taken` the places of tables."""
    page = Rect(0.0, 0.0, float(gray.shape[1]), float(gray.shape[0]))
    strokes = _strokes(gray, lines, [*taken, *embedded], line_height)
    charts = find_charts(strokes, lines, [*taken, *embedded], line_height)
    candidates = _merged([*embedded, *charts, *_ink_regions(strokes, line_height)])
    large = [rect for rect in candidates if _is_large(rect, page, line_height)]
    figures = [_figure(rect, lines) for rect in large]
    return [figure for figure in figures if not _is_text(figure) and not overlaps(figure.crop, taken)]


def _figure(crop: Rect, lines: Sequence[Line]) -> Figure:
    inside = tuple(line for line in lines if line.rect.inside(crop) >= WITHIN)
    place = crop
    for line in lines:
        kept_clear = line.rect.grown(line.rect.height / 2)
        if line not in inside and line.rect.shared(crop) > 0 and kept_clear.shared(place) > 0:
            place = _trimmed(place, kept_clear)
    return Figure(place, inside, crop)


def _trimmed(place: Rect, text: Rect) -> Rect:
    """The largest part of a place beside, above or below a text."""
    parts = [
        Rect(place.x0, place.y0, min(place.x1, text.x0), place.y1),
        Rect(max(place.x0, text.x1), place.y0, place.x1, place.y1),
        Rect(place.x0, place.y0, place.x1, min(place.y1, text.y0)),
        Rect(place.x0, max(place.y0, text.y1), place.x1, place.y1),
    ]
    return max(parts, key=lambda part: part.area if part.width > 0 and part.height > 0 else 0.0)


def figure_text(lines: Sequence[Line]) -> str:
    """The labels in a picture, a row a line. Those that slant along an axis are one row."""
    slanted = sorted((line for line in lines if line.extent), key=lambda line: line.rect.x0)
    axis = [Row(bounds(line.extent or line.rect for line in slanted), tuple(slanted))] if slanted else []
    pieces = [*(Row(line.rect, (line,)) for line in lines if not line.extent), *axis]
    rows = (row for run in reading_order(pieces, line_height(lines)) for row in group_rows(run))
    return "\n".join(join_lines(piece.text for piece in row) for row in rows)


def is_picture(rect: Rect, page: Rect, lines: Sequence[Line]) -> bool:
    """Whether an embedded image is a picture on the page, not the scan or the background of the page or its text."""
    text = sum(line.rect.shared(rect) for line in lines)
    return rect.area <= BACKGROUND * page.area and text <= TEXT_SHARE * rect.area


def is_surface(line: Line, pictures: Sequence[Rect]) -> bool:
    """Whether a "line" is a picture's plain surface, which detection takes for a large sign."""
    if line.confidence >= SURE or sum(sign.isalnum() for sign in line.text) >= WORD:
        return False
    return any(line.rect.shared(picture) > FILLED * picture.area for picture in pictures)


def join_pictures(rects: Sequence[Rect], line_height: float) -> list[Rect]:
    """Images that touch are parts of one picture: a document may embed it in strips."""
    joined = _merged([rect.grown(TOUCH * line_height) for rect in rects])
    return [rect.grown(-TOUCH * line_height) for rect in joined]


def _strokes(gray: Gray, lines: Sequence[Line], taken: Sequence[Rect], line_height: float) -> Gray:
    """The ink, its gaps closed, once text and tables are painted over."""
    ink = _ink(gray)
    for rect in [*((line.extent or line.rect).grown(0.15 * line_height) for line in lines), *taken]:
        cv2.rectangle(ink, (round(rect.x0), round(rect.y0)), (round(rect.x1), round(rect.y1)), 0, cv2.FILLED)
    margin = round(BORDER * max(gray.shape))
    ink[:margin], ink[-margin:], ink[:, :margin], ink[:, -margin:] = 0, 0, 0, 0
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, _square(line_height))
    return np.asarray(closed, dtype=np.uint8)


def _ink_regions(strokes: Gray, line_height: float) -> list[Rect]:
    """Connected regions of ink; single strokes are none."""
    opened = cv2.morphologyEx(strokes, cv2.MORPH_OPEN, _square(line_height))
    count, _, stats, _ = cv2.connectedComponentsWithStats(opened)
    return [Rect(float(x), float(y), float(x + width), float(y + height)) for x, y, width, height, _ in stats[1:count]]


def _square(line_height: float) -> Gray:
    reach = max(3, round(0.8 * line_height))
    return np.ones((reach, reach), dtype=np.uint8)


def _ink(gray: Gray) -> Gray:
    """Whatever differs clearly from the paper around it, specks of noise left out."""
    level = float(np.percentile(gray[::COARSE, ::COARSE], PAPER))
    ink = (gray < min(level - CONTRAST, LIGHTEST)).astype(np.uint8)
    return np.asarray(cv2.medianBlur(ink, 3), dtype=np.uint8)


def _merged(rects: Sequence[Rect]) -> list[Rect]:
    """Overlapping rectangles as one, until none overlap."""
    found: list[Rect] = []
    for rect in rects:
        grown = rect
        while overlapping := [other for other in found if other.shared(grown) > 0]:
            found = [other for other in found if other not in overlapping]
            grown = bounds([grown, *overlapping])
        found.append(grown)
    return found


def _is_large(rect: Rect, page: Rect, line_height: float) -> bool:
    return min(rect.width, rect.height) >= SMALLEST_SIDE * line_height and rect.area >= LEAST_AREA * page.area


def _is_text(figure: Figure) -> bool:
    return sum(line.rect.area for line in figure.lines) > TEXT_SHARE * figure.crop.area


def overlaps(rect: Rect, taken: Sequence[Rect]) -> bool:
    """Whether half of the smaller of two places lies in the other."""
    return any(rect.shared(other) > 0.5 * min(rect.area, other.area) for other in taken)
