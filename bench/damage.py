"""What scanners, faxes and hurried people do to a page."""

from collections.abc import Callable

import cv2
import numpy as np

from bench.sheet import DPI, Pixels

Damage = Callable[[Pixels], Pixels]


def scanned(pixels: Pixels, degrees: float = 1.2, grain: float = 9.0, quality: int = 55) -> Pixels:
    """A flatbed scan: skewed, on toned paper, slightly soft, grainy, kept as JPEG."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turned = cv2.warpAffine(pixels, matrix, (width, height), borderValue=(255, 255, 255))
    soft = cv2.GaussianBlur(turned, (3, 3), 0.7).astype(np.float32)
    toned = soft * np.array([0.95, 0.93, 0.86], dtype=np.float32) + 4
    noise = np.random.default_rng(7).normal(0, grain, (height, width, 1))
    return _as_jpeg(np.clip(toned + noise, 0, 255).astype(np.uint8), quality)


def _as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    _, packed = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(unpacked[:, :, ::-1])


def coarse(pixels: Pixels) -> Pixels:
    """A fax or a thumbnail: 96 dpi."""
    small = cv2.resize(pixels, None, fx=96 / DPI, fy=96 / DPI, interpolation=cv2.INTER_AREA)
    return _as_jpeg(np.asarray(small, dtype=np.uint8), 60)


def turned(quarters: int) -> Damage:
    """By so many quarter turns clockwise."""
    return lambda pixels: np.ascontiguousarray(np.rot90(pixels, -quarters))
