"""A PDF by MuPDF. Of its many readers only the one for PDF is ever asked, whatever the content says that it is.

By MuPDF's C interface rather than PyMuPDF's classes, which guess at the kind of file; and so one list of what is on a
page serves both the drawing and the search for pictures.
"""

import math
import mmap
from typing import Any

import pymupdf
from pymupdf import mupdf

from shared.domain.errors import Corrupt, Empty, Encrypted, PageTooLarge
from shared.domain.options import MIN_DPI
from shared.pdf.memory import nameless
from shared.pdf.pages import Drawn, write
from shared.pdf.pictures import Rectangle, pictures

POINTS = 72


class PdfPages:
    """Raises Corrupt, Encrypted or Empty when made. `data` must stay mapped while this lives."""

    def __init__(self, data: mmap.mmap, *, password: str | None, max_pixels: int) -> None:
        self._data = data
        self._max_pixels = max_pixels
        self._pdf = _opened(data)
        self._document = mupdf.FzDocument(self._pdf)
        self.encrypted = _unlocked(self._document, password)
        self.count = self._counted()

    def draw(self, number: int, *, dpi: int) -> Drawn:
        page = mupdf.fz_load_page(self._document, number - 1)
        dpi = fitting_dpi(page, dpi, self._max_pixels)
        bounds = _bounds(page, dpi)
        width, height = _size(bounds)
        scale = mupdf.fz_scale(dpi / POINTS, dpi / POINTS)
        content = mupdf.fz_new_display_list_from_page(page)
        found = pictures(_images(content, scale), width=width, height=height, dpi=dpi)
        drawn = Drawn(fd=_paint(content, scale, bounds), width=width, height=height, dpi=dpi, pictures=found)
        mupdf.fz_empty_store()  # it keeps decoded images up to 256 MB, which no later page wants
        return drawn

    def save(self, target: int) -> None:
        """Write the document without encryption to a descriptor."""
        options = mupdf.PdfWriteOptions()
        options.do_encrypt = mupdf.PDF_ENCRYPT_NONE
        buffer = mupdf.fz_new_buffer(len(self._data))
        output = mupdf.FzOutput(buffer)
        mupdf.pdf_write_document(self._pdf, output, options)
        output.fz_close_output()
        write(target, mupdf.fz_buffer_storage_memoryview(buffer))

    def _counted(self) -> int:
        try:
            count = int(mupdf.fz_count_pages(self._document))
        except mupdf.FzErrorBase as error:
            raise Corrupt("the page tree is damaged") from error
        if count <= 0 and mupdf.pdf_was_repaired(self._pdf):
            raise Corrupt("nothing was left to repair")
        if count <= 0:
            raise Empty
        return count


def fitting_dpi(page: Any, dpi: int, max_pixels: int) -> int:
    """Return `dpi`, or the largest below at which the page fits. Raises PageTooLarge where MIN_DPI is too much."""
    width, height = _size(_bounds(page, dpi))
    if width * height <= max_pixels:
        return dpi
    fitting = math.ceil(dpi * math.sqrt(max_pixels / (width * height))) + 1
    while math.prod(_size(_bounds(page, fitting))) > max_pixels:
        fitting -= 1
        if fitting < MIN_DPI:
            raise PageTooLarge(f"more than {max_pixels} pixels at {MIN_DPI} dpi")
    return fitting


def silence() -> None:
    """MuPDF's remarks quote the document, which is nobody's business."""
    pymupdf.TOOLS.mupdf_display_errors(on=False)
    pymupdf.TOOLS.mupdf_display_warnings(on=False)


def _opened(data: mmap.mmap) -> Any:
    try:
        stream = mupdf.fz_open_memory(mupdf.python_buffer_data(data), len(data))
        return mupdf.pdf_open_document_with_stream(stream)
    except mupdf.FzErrorBase as error:
        if "encryption" in str(error):  # by a certificate, or by a vendor's own scheme: no password opens it
            raise Encrypted("an unknown kind of encryption") from error
        raise Corrupt("MuPDF can't open or repair it") from error


def _unlocked(document: Any, password: str | None) -> bool:
    if not mupdf.fz_needs_password(document):
        return False
    if password is None:
        raise Encrypted("a password is needed and none was given")
    if not mupdf.fz_authenticate_password(document, password):
        raise Encrypted("the password is wrong")
    return True


def _bounds(page: Any, dpi: int) -> Any:
    scale = mupdf.fz_scale(dpi / POINTS, dpi / POINTS)
    return mupdf.fz_round_rect(mupdf.fz_transform_rect(mupdf.fz_bound_page(page), scale))


def _size(bounds: Any) -> tuple[int, int]:
    return max(1, bounds.x1 - bounds.x0), max(1, bounds.y1 - bounds.y0)


def _paint(content: Any, scale: Any, bounds: Any) -> int:
    """Return a descriptor of the pixels.

    MuPDF could draw into shared memory itself, without this copy; but writing 6 MB at once took 4 ms, and touching as
    many fresh pages of a mapping one by one took 8.
    """
    pixmap = mupdf.fz_new_pixmap_with_bbox(mupdf.fz_device_rgb(), bounds, mupdf.FzSeparations(), 0)
    mupdf.fz_clear_pixmap_with_value(pixmap, 0xFF)
    _run(content, mupdf.fz_new_draw_device(scale, pixmap), mupdf.FzMatrix())
    fd = nameless()
    write(fd, mupdf.fz_pixmap_samples_memoryview(pixmap))
    return fd


def _run(content: Any, device: Any, matrix: Any) -> None:
    everywhere = mupdf.FzRect(mupdf.fz_infinite_rect)
    mupdf.fz_run_display_list(content, device, matrix, everywhere, mupdf.FzCookie())
    mupdf.fz_close_device(device)


def _images(content: Any, scale: Any) -> list[Rectangle]:
    device = _ImageDevice()
    _run(content, device, scale)
    return device.found


class _ImageDevice(mupdf.FzDevice2):  # type: ignore[misc]  # the library has no types
    """Notes where images are painted; text and lines pass it by in C."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Rectangle] = []
        self.use_virtual_fill_image()
        self.use_virtual_fill_image_mask()

    def fill_image(self, _context: Any, _image: Any, matrix: Any, *_: Any) -> None:
        square = mupdf.ll_fz_transform_rect(mupdf.fz_unit_rect, matrix)
        self.found.append((square.x0, square.y0, square.x1, square.y1))

    def fill_image_mask(self, context: Any, image: Any, matrix: Any, *rest: Any) -> None:
        self.fill_image(context, image, matrix, *rest)
