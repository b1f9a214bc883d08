"""A PNG, JPEG, TIFF or WebP by Pillow, as pages: every TIFF frame is one, of the others the first image is all."""

import mmap
from typing import IO, cast

from PIL import Image, ImageOps

from shared.domain.errors import Corrupt, PageTooLarge
from shared.pdf.kind import Kind
from shared.pdf.memory import nameless
from shared.pdf.pages import Drawn, write
from shared.pdf.tiff import frames, put_first

DPI = 72
"""By convention of PDF units; an image's own statement of its resolution is wrong more often than right."""

_LARGE_LEVELS = 256
"""Brightness steps of a 16-bit sample for each step of an 8-bit one."""


class ImagePages:
    """Raises Corrupt when made. `data` must be writable, and a private copy: a TIFF's header is changed in it."""

    encrypted = False

    def __init__(self, data: mmap.mmap, kind: Kind, *, max_pixels: int, max_source_pixels: int) -> None:
        Image.MAX_IMAGE_PIXELS = None  # it warns, or refuses what we reduce; `draw` checks for itself
        self._data = data
        self._kind = kind
        self._max_pixels = max_pixels
        self._max_source_pixels = max_source_pixels
        self._frames = frames(data) if kind is Kind.TIFF else ()
        self.count = len(self._frames) if kind is Kind.TIFF else 1
        if self.count == 0:
            raise Corrupt("a TIFF without a frame")
        if kind is not Kind.TIFF:
            self._opened(1)

    def draw(self, number: int, *, dpi: int) -> Drawn:
        """Draw a frame at its own size whatever `dpi`, reduced only to fit. Raises PageTooLarge."""
        del dpi
        image = self._opened(number)
        width, height = image.size
        if width * height > self._max_source_pixels:
            raise PageTooLarge(f"{width} x {height} pixels, more than {self._max_source_pixels}")
        try:
            return self._drawn(image)
        except MemoryError as error:
            raise PageTooLarge(f"{width} x {height} pixels took more memory than there is") from error

    def _opened(self, number: int) -> Image.Image:
        """Never to be closed: that would unmap the document."""
        if self._frames:
            put_first(self._data, self._frames[number - 1])
        return Image.open(cast("IO[bytes]", self._data), formats=[self._kind.upper()])

    def _drawn(self, opened: Image.Image) -> Drawn:
        whole = _eight_bit(opened)
        upright = ImageOps.exif_transpose(whole)
        image = _on_white(_reduced(upright, self._max_pixels))
        fd = nameless()
        write(fd, image.tobytes())
        return Drawn(
            fd=fd,
            width=image.width,
            height=image.height,
            dpi=DPI,
            source_width=upright.width,
            source_height=upright.height,
        )


def fitting_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """Return the size, or the largest of the same shape that has no more than `max_pixels`."""
    if width * height <= max_pixels:
        return width, height
    share = (max_pixels / (width * height)) ** 0.5
    return max(1, min(int(width * share), max_pixels)), max(1, min(int(height * share), max_pixels))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return grey, RGB or RGBA: what can be resampled and composited. Pillow itself would clip 16 bits to white."""
    if image.mode.startswith("I;16"):
        return image.point(lambda level: level * (1 / _LARGE_LEVELS)).convert("L")
    if image.mode in {"I", "F"}:
        return _stretched(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in {"1", "L"} else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Map the darkest sample of 32-bit integers or fractions to black, the brightest to white: nothing says what is."""
    low, high = image.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    scale = 255 / (high - low) if high > low else 1.0
    offset = -low * scale
    return image.convert("F").point(lambda level: level * scale + offset).convert("L")


def _reduced(image: Image.Image, max_pixels: int) -> Image.Image:
    size = fitting_size(*image.size, max_pixels)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper
