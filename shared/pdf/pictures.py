"""The places of a page's embedded images: which of them are pictures to a reader, in whole pixels."""

from collections.abc import Callable, Iterable
from math import isfinite

from shared.domain.page import Box

MAX_PICTURES = 1000
_TINY_POINTS = 12
"""A sixth of an inch: rules, bullets and letters that are drawn as images."""
_SCAN_SHARE = 0.9
"""An image that covers more of its page than this is the scan of the page itself."""

Rectangle = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""


def pictures(found: Iterable[Rectangle], *, width: int, height: int, dpi: int) -> tuple[Box, ...]:
    """Clip to the page, join strips, drop the tiny and the page's own scan; the MAX_PICTURES largest, largest first.

    Many producers cut one picture into strips of a few lines; joined, they are the picture again.
    """
    clipped = {box for each in found if (box := _clipped(each, width, height))}
    columns = _joined(clipped, along=lambda box: (box.y0, box.y1), across=lambda box: (box.x0, box.x1))
    joined = _joined(columns, along=lambda box: (box.x0, box.x1), across=lambda box: (box.y0, box.y1))
    tiny = _TINY_POINTS * dpi / 72
    scan = _SCAN_SHARE * width * height
    kept = {box for box in joined if min(box.width, box.height) >= tiny and box.width * box.height <= scan}
    return tuple(sorted(kept, key=lambda box: (-box.width * box.height, box.y0, box.x0))[:MAX_PICTURES])


def _clipped(found: Rectangle, width: int, height: int) -> Box | None:
    if not all(map(isfinite, found)):
        return None
    x0, y0, x1, y1 = found
    box = Box(x0=max(0, round(x0)), y0=max(0, round(y0)), x1=min(width, round(x1)), y1=min(height, round(y1)))
    return box if box.width > 0 and box.height > 0 else None


def _joined(
    boxes: Iterable[Box], *, along: Callable[[Box], tuple[int, int]], across: Callable[[Box], tuple[int, int]]
) -> list[Box]:
    """Join boxes of the same extent `across` that touch or overlap `along`."""
    joined: list[Box] = []
    for box in sorted(boxes, key=lambda box: (across(box), along(box))):
        last = joined[-1] if joined else None
        if last and across(last) == across(box) and along(box)[0] <= along(last)[1]:
            joined[-1] = Box(x0=last.x0, y0=last.y0, x1=max(last.x1, box.x1), y1=max(last.y1, box.y1))
        else:
            joined.append(box)
    return joined
