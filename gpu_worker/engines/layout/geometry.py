"""Rectangles and recognised lines, in pixels of the straightened page; y grows downwards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Rect:
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def middle(self) -> float:
        """The vertical centre."""
        return (self.y0 + self.y1) / 2

    @property
    def centre(self) -> float:
        """The horizontal centre."""
        return (self.x0 + self.x1) / 2

    def shared(self, other: "Rect") -> float:
        """The area of the intersection."""
        return max(0.0, self.shared_width(other)) * max(0.0, self.shared_height(other))

    def shared_width(self, other: "Rect") -> float:
        """Negative where the two stand apart: then it is minus the gap."""
        return min(self.x1, other.x1) - max(self.x0, other.x0)

    def shared_height(self, other: "Rect") -> float:
        return min(self.y1, other.y1) - max(self.y0, other.y0)

    def inside(self, other: "Rect") -> float:
        """The part of this rectangle's area that lies in the other, 0 to 1."""
        return self.shared(other) / self.area if self.area else 0.0

    def grown(self, margin: float) -> "Rect":
        return Rect(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)


def bounds(rects: Iterable[Rect]) -> Rect:
    """The smallest rectangle around at least one."""
    known = list(rects)
    return Rect(
        min(rect.x0 for rect in known),
        min(rect.y0 for rect in known),
        max(rect.x1 for rect in known),
        max(rect.y1 for rect in known),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, or the part of one that the detector saw as a piece.

    `places` are the horizontal centres of the characters, in pixels. A slanted line (a label under a chart's axis)
    has its upper end as its `rect`, for there it stands in its row, and its whole place as its `extent`.
    """

    rect: Rect
    text: str
    confidence: float
    places: tuple[float, ...] = ()
    extent: Rect | None = None


def line_height(lines: Sequence[Line]) -> float:
    """The page's ordinary line height: the median, each line counted by its characters. 1.0 without lines."""
    heights = [line.rect.height for line in lines for _ in range(max(1, len(line.text) // 8))]
    return median(heights) if heights else 1.0


def letter_width(lines: Sequence[Line]) -> float:
    """The page's ordinary letter width: the median over its lines, each counted by its characters. 0.0 without text."""
    widths = [line.rect.width / len(line.text) for line in lines if line.text for _ in range(1 + len(line.text) // 8)]
    return median(widths) if widths else 0.0
