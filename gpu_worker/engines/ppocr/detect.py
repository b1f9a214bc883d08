"""Finds lines of text on a page image: quadrilaterals, at any angle."""

import cv2
import numpy as np
import numpy.typing as npt
from rapidocr.ch_ppocr_det.utils import DBPostProcess

from gpu_worker.engines.ppocr.models import Floats, Model, Pixels

Quads = npt.NDArray[np.float32]
"""Shape (n, 4, 2): corners clockwise from the text's top left, x before y, in pixels of the page image."""

STRIDE = 32
"""The network halves its input five times."""

LONGEST_SIDE = 1600
SHORTEST_SIDE = 736
"""Below it small pages are enlarged, as PP-OCR's own configuration does."""

_BINARY = {"thresh": 0.3, "box_thresh": 0.5, "max_candidates": 3000, "unclip_ratio": 1.6, "use_dilation": True}
"""RapidOCR's own values but for max_candidates: 1,000 cuts off a dense newspaper page."""


def find_lines(detector: Model, page: Pixels, longest_side: int = LONGEST_SIDE) -> Quads:
    """Every line of text on the page (BGR or RGB alike), in no particular order."""
    height, width = page.shape[:2]
    heat = detector.run(_network_input(page, longest_side))
    boxes, _ = DBPostProcess(**_BINARY)(heat, (height, width))
    return np.asarray(boxes, dtype=np.float32).reshape(-1, 4, 2)


def _network_input(page: Pixels, longest_side: int) -> Floats:
    height, width = page.shape[:2]
    scale = min(max(1.0, SHORTEST_SIDE / min(height, width)), longest_side / max(height, width))
    size = (_to_stride(width * scale), _to_stride(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(page, size, interpolation=interpolation)
    scaled = resized.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1.0
    return np.ascontiguousarray(scaled, dtype=np.float32)


def _to_stride(length: float) -> int:
    return max(STRIDE, round(length / STRIDE) * STRIDE)
