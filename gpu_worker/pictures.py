"""What becomes of a page's pixels: turned as they were read, stored for showing, cut into figures."""

import io
from dataclasses import dataclass, replace
from typing import cast

from PIL import Image

from shared.domain.page import PICTURES, Block, PageImage, PageRead
from shared.layout import image_name

_SHOWN_QUALITY = 75
"""Of the page image, which is for looking at beside the text. At 150 dpi JPEG takes 6 ms, WebP at its fastest 42 ms,
for files of the same size (docs/decisions/0004).
"""
_JPEG_QUALITY = 92
_FEW_COLOURS = 1024
"""A drawing or a chart has fewer, and PNG keeps its edges; a photograph has more, and JPEG is a tenth the size."""

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
"""Pillow turns counter-clockwise, PageRead.rotation counts clockwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    name: str
    data: bytes


def as_read(image: PageImage, rotation: int) -> Image.Image:
    """Return the page image as the engine read it. It shares its memory with `image` where nothing was turned."""
    # The stubs forget memoryview, which Pillow takes as any other buffer.
    rgb = cast("bytearray", image.rgb)
    page = Image.frombuffer("RGB", (image.width, image.height), rgb, "raw", "RGB", 0, 1)
    return page.transpose(_TURNS[rotation]) if rotation else page


def shown(page: Image.Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "JPEG", quality=_SHOWN_QUALITY)
    return out.getvalue()


def cut_out(page: Image.Image, read: PageRead) -> tuple[PageRead, tuple[Picture, ...]]:
    """Return the reading with every picture's `image` filled in, and the pictures."""
    blocks: list[Block] = []
    pictures: list[Picture] = []
    for block in read.blocks:
        if block.label in PICTURES and block.bbox.width > 0 and block.bbox.height > 0:
            picture = _picture(page, block)
            pictures.append(picture)
            blocks.append(replace(block, image=picture.name))
        else:
            blocks.append(block)
    return replace(read, blocks=tuple(blocks)), tuple(pictures)


def _picture(page: Image.Image, block: Block) -> Picture:
    box = block.bbox
    crop = page.crop((box.x0, box.y0, box.x1, box.y1))
    out = io.BytesIO()
    if crop.getcolors(_FEW_COLOURS) is not None:
        crop.save(out, "PNG", optimize=True)
        suffix = "png"
    else:
        crop.save(out, "JPEG", quality=_JPEG_QUALITY)
        suffix = "jpg"
    data = out.getvalue()
    return Picture(name=image_name(data, suffix=suffix), data=data)
