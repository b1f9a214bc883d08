"""A block's pixels as the model is sent them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

JPEG_QUALITY = 75
"""As the library encodes (Pillow's default): the same bytes, so the model sees the same pixels."""
INK = 40
"""Grey levels from the paper's: pencil is darker than that, paper's grain is not."""
LEAST_INKED = 24
"""Pixels, after single ones are taken out: a full stop at 144 dpi has some 9, a word has hundreds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """`jpeg` is empty where there was not one pixel, of which there are `pixels`."""

    jpeg: bytes
    pixels: int

    def has_ink(self) -> bool:
        """Whether anything stands out from the paper, whatever the paper's own shade. Some milliseconds: it decodes."""
        if not self.jpeg:
            return False
        gray = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert gray is not None, "we encoded it"
        calm = cv2.medianBlur(gray, 3).astype(np.int16)
        return int(np.count_nonzero(np.abs(calm - int(np.median(gray))) > INK)) >= LEAST_INKED


def picture_of(crop: Pixels) -> Picture:
    """`crop` is height by width by 3, BGR, and may be a slice of a page."""
    if crop.size == 0:
        return Picture(jpeg=b"", pixels=0)
    _, encoded = cv2.imencode(".jpg", crop, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return Picture(jpeg=encoded.tobytes(), pixels=crop.shape[0] * crop.shape[1])
