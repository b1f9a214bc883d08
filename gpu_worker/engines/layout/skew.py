"""The page's small skew, and the way to a straightened page and back."""

import math
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.geometry import Rect

MOST = 12.0
"""Degrees. A line that leans more is slanted on purpose (a chart's label, a stamp) and says nothing of the page."""

LEAST = 0.2
"""Degrees. Less moves a line's end by a quarter of its height on the widest line: not worth a resampling."""

FEWEST = 3
"""Lines that must agree before a page is called skewed."""

LONG = 5.0
"""Only boxes at least this many times wider than high have a trustworthy angle."""

SHORT, MANY, CLEAR = 2.5, 6, 0.7
"""A table of short cells has shorter boxes alone: so many of them must lean by so many degrees."""

SLANT = math.tan(math.radians(20))
SLANTED_LENGTH = 1.5
"""A line that leans more than 20 degrees from both axes, and is so much longer than high, is slanted on purpose."""

Points = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Skew:
    """`degrees` clockwise by which the text leans; the page is straightened around its centre, its size unchanged."""

    degrees: float
    width: int
    height: int

    def straighten(self, points: Points) -> Points:
        """The points of the image (n, 2) as they lie on the straightened page."""
        matrix = self._matrix(self.degrees)
        moved: Points = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        return moved

    def straighten_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if not self.degrees:
            return image
        size = (self.width, self.height)
        matrix = self._matrix(self.degrees)
        turned = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(turned, dtype=np.uint8)

    def to_image(self, rect: Rect) -> Rect:
        """The bounds, on the page image, of a rectangle of the straightened page."""
        if not self.degrees:
            return rect
        corners = np.array([(x, y) for x in (rect.x0, rect.x1) for y in (rect.y0, rect.y1)], dtype=np.float32)
        matrix = self._matrix(-self.degrees)
        turned = corners @ matrix[:, :2].T + matrix[:, 2]
        (x0, y0), (x1, y1) = turned.min(axis=0), turned.max(axis=0)
        return Rect(float(x0), float(y0), float(x1), float(y1))

    def _matrix(self, degrees: float) -> npt.NDArray[np.float64]:
        matrix = cv2.getRotationMatrix2D((self.width / 2, self.height / 2), degrees, 1.0)
        return np.asarray(matrix, dtype=np.float64)


def find_skew(quads: npt.NDArray[np.float32], width: int, height: int) -> Skew:
    """The median lean of the long lines, or of many short ones; none where it is too small to matter."""
    return Skew(_median_lean(quads, LONG, FEWEST, LEAST) or _median_lean(quads, SHORT, MANY, CLEAR), width, height)


def _median_lean(quads: npt.NDArray[np.float32], shape: float, fewest: int, least: float) -> float:
    leans = [lean for quad in quads if (lean := _lean(quad, shape)) is not None]
    degrees = median(leans) if len(leans) >= fewest else 0.0
    return degrees if abs(degrees) >= least else 0.0


def upper_end(corners: Points) -> Rect | None:
    """Where a slanted line ends at the top, as high and wide as its letters; None where it is not slanted.

    `corners` are those of a quadrilateral on the straightened page, clockwise from the text's top left.
    """
    along = (corners[1] - corners[0] + corners[2] - corners[3]) / 2
    across = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
    if math.hypot(*along) < SLANTED_LENGTH * math.hypot(*across) or min(abs(along)) < SLANT * max(abs(along)):
        return None
    start, end = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
    x, y = (float(value) for value in (start if start[1] < end[1] else end))
    half = math.hypot(*across) / 2
    return Rect(x - half, y - half, x + half, y + half)


def _lean(quad: npt.NDArray[np.float32], shape: float) -> float | None:
    along = (quad[1] - quad[0] + quad[2] - quad[3]) / 2
    across = (quad[3] - quad[0] + quad[2] - quad[1]) / 2
    if math.hypot(*along) < shape * math.hypot(*across):
        return None
    degrees = math.degrees(math.atan2(along[1], along[0]))
    return degrees if abs(degrees) <= MOST else None
