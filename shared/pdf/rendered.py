"""A page in shared memory, taken from a child only where everything that it says of it is so."""

import mmap
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from shared.domain.page import Box, Flag, FlagCode, PageImage
from shared.pdf.kind import Kind
from shared.pdf.memory import Untrusted, mapped
from shared.pdf.pictures import MAX_PICTURES


class RenderedPage:
    """`image.rgb` is read-only, and valid until `close`, which gives the memory back."""

    def __init__(self, image: PageImage, memory: mmap.mmap) -> None:
        self.image = image
        self._memory = memory

    def close(self) -> None:
        """Where somebody still holds a view of the pixels, they stay until that view and this page are gone."""
        with suppress(BufferError):
            self.image.rgb.release()
            self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def received(reply: dict[str, Any], fds: list[int], *, kind: Kind, dpi: int, max_pixels: int) -> RenderedPage:
    """Map what a child says that it has drawn. The descriptors stay the caller's. Raises Untrusted."""
    width = whole(reply.get("width"), 1, max_pixels)
    height = whole(reply.get("height"), 1, max_pixels // width)
    if len(fds) != 1:
        raise Untrusted("no pixels")
    actual_dpi = whole(reply.get("dpi"), 1, dpi if kind is Kind.PDF else None)
    pictures = _boxes(reply.get("pictures"), width, height)
    reduced = _reduced_dpi(dpi, actual_dpi) if kind is Kind.PDF else _reduced_size(reply.get("source"), width, height)
    flags = (Flag(code=FlagCode.DPI_REDUCED, value=f"{reduced}, at most {max_pixels} pixels"),) if reduced else ()
    memory = mapped(fds[0], width * height * 3)
    image = PageImage(
        rgb=memoryview(memory), width=width, height=height, dpi=actual_dpi, pictures=pictures, flags=flags
    )
    return RenderedPage(image, memory)


def whole(value: object, low: int, high: int | None = None) -> int:
    """Return `value` if it is an integer from `low` to `high`. Raises Untrusted."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        raise Untrusted(f"not a number from {low} to {high}")
    return value


def _boxes(value: object, width: int, height: int) -> tuple[Box, ...]:
    if not isinstance(value, list) or len(value) > MAX_PICTURES:
        raise Untrusted("not a list of pictures")
    return tuple(_box(each, width, height) for each in value)


def _box(value: object, width: int, height: int) -> Box:
    if not isinstance(value, list) or len(value) != 4:  # noqa: PLR2004  # x0, y0, x1, y1
        raise Untrusted("not a picture's box")
    x0, y0 = whole(value[0], 0, width), whole(value[1], 0, height)
    return Box(x0=x0, y0=y0, x1=whole(value[2], x0 + 1, width), y1=whole(value[3], y0 + 1, height))


def _reduced_dpi(asked: int, actual: int) -> str:
    return f"{asked}->{actual}" if actual < asked else ""


def _reduced_size(source: object, width: int, height: int) -> str:
    if not isinstance(source, list) or len(source) != 2:  # noqa: PLR2004  # width, height
        raise Untrusted("no size of the source")
    was = whole(source[0], width), whole(source[1], height)
    return f"{was[0]}x{was[1]}->{width}x{height}" if was != (width, height) else ""
