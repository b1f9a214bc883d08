"""Open one small document of each kind before any real one comes: all that is loaded at first use is loaded now.

Afterwards the zygote gives up files, and its children share what has been loaded here instead of loading it each.
"""

import mmap
from io import BytesIO

import pymupdf
from PIL import Image, MpoImagePlugin

from shared.pdf.child import opened
from shared.pdf.kind import Kind
from shared.pdf.limits import Limits
from shared.pdf.mupdf import silence
from shared.pdf.wire import close

_LAZY = (MpoImagePlugin,)
"""Loaded by Pillow in the middle of a JPEG that holds several pictures."""


def rehearse() -> None:
    """Raises whatever a broken installation raises."""
    silence()
    limits = Limits()
    for kind in Kind:
        sample = _pdf() if kind is Kind.PDF else _image(kind)
        with mmap.mmap(-1, len(sample)) as data:
            data.write(sample)
            close([opened(data, kind, None, limits).draw(1, dpi=36).fd])


def _pdf() -> bytes:
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_text((72, 72), "Rehearsal")
        page.insert_image((72, 100, 172, 200), stream=_image(Kind.JPEG))
        return bytes(document.tobytes(deflate=True))


def _image(kind: Kind) -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, format=kind.upper())
    return file.getvalue()
