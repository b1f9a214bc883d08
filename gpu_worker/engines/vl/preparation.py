"""What the library does to a page before layout, without a copy of the page for each step: to the bit the same."""

from typing import Any

import cv2
import numpy as np

_STEPS = ("ReadImage", "Resize", "Normalize", "ToCHWImage", "ToBatch")


def in_one_step(model: Any) -> None:
    """Have the layout model's page scaled and normalised straight into the tensor that it wants.

    Where the library prepares pages in other steps than those known here, it is left as it is.
    """
    names = tuple(type(step).__name__ for step in model.pre_ops)
    if names == _STEPS:
        read, resize, normalize, _, batch = model.pre_ops
        model.pre_ops = [read, resize, _Tensor(normalize), _Batch(batch)]


class _Tensor:
    """Channels first, as the library's `Normalize` computes them: a factor, then a summand."""

    def __init__(self, normalize: Any) -> None:
        self._factors, self._summands = normalize.alpha, normalize.beta

    def __call__(self, pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for page in pages:
            page["img"] = self._planes(page["img"])
        return pages

    def _planes(self, image: Any) -> Any:
        planes = np.empty((image.shape[2], *image.shape[:2]), dtype=np.float32)
        steps = zip(planes, cv2.split(image), self._factors, self._summands, strict=True)
        for plane, channel, factor, summand in steps:
            np.multiply(channel, np.float32(factor), out=plane, dtype=np.float32)
            if summand:
                np.add(plane, np.float32(summand), out=plane)
        return planes


class _Batch:
    """One page is a batch as it is; the library would copy it."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __call__(self, pages: list[dict[str, Any]]) -> list[Any]:
        if len(pages) != 1:
            return list(self._batch(pages))
        keys = self._batch.ordered_required_keys
        return [pages[0]["img"][None] if key == "img" else self._batch.apply(pages, key) for key in keys]
