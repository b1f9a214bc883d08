"""The one module that knows paddleocr's insides: layout detection, cutting a page up, and the format of its tables.

Written against paddleocr 3.7.0 and paddlex 3.7.2; tests_paddle/test_library.py says what moved when they change.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpu_worker.engines.vl.picture import Picture, Pixels, picture_of
from gpu_worker.engines.vl.preparation import in_one_step
from shared.config import Settings

log = logging.getLogger(__name__)

ORIENTATION = "PP-LCNet_x1_0_doc_ori"
UNWARPING = "UVDoc"

_NOWHERE = "http://127.0.0.1:9/v1"
"""The library wants a server's address when it is built, and connects when it asks; it is never let ask."""

_PIXELS = (112_896, 1_003_520)
"""To how many pixels vLLM scales a crop, at least and at most: the library's own default for every kind of block."""

MOST_CELLS = 10_000
"""A table of more is none: every cell is a token at least, and an answer has 8,192. The library's Python takes 25 us a
cell, and nobody else's gets on meanwhile.
"""
_CELL = re.compile("<[felux]cel>")

_PICTURES = ("image", "header_image", "footer_image")


class MalformedTable(Exception):
    """A table's answer that is no table; `limit` is the one that it is beyond, if it is that."""

    def __init__(self, *, limit: str = "") -> None:
        super().__init__(limit)
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the model is to be asked of a block."""

    picture: Picture
    prompt: str
    min_pixels: int
    max_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A block as it was cut out, in reading order.

    `asked` is None for a picture, and for a block whose pixels were joined to those of the block at `joined_to`, with
    whose question it is read. `figures` are those inside a table, by the token that was painted over each.
    """

    label: str
    box: tuple[int, int, int, int]
    asked: Asked | None = None
    joined_to: int | None = None
    figures: Mapping[str, int] = field(default_factory=dict)


class Library:
    """Takes pages apart, one at a time: not to be shared between threads."""

    def __init__(self, settings: Settings) -> None:
        """Takes seconds; fetches the models where the settings name no folder. Raises what the library raises."""
        os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"  # else every start asks all hosters for an answer
        os.environ["PADDLE_PDX_MODEL_SOURCE"] = settings.model_source
        from paddleocr import PaddleOCRVL  # noqa: PLC0415 - takes seconds, and only this engine's image has it

        logging.getLogger("paddlex").setLevel(logging.WARNING)
        on_gpu = settings.layout_device == "gpu"
        wrapper = PaddleOCRVL(
            pipeline_version=settings.vl_pipeline,
            layout_detection_model_dir=None if settings.layout_model is None else str(settings.layout_model),
            device="gpu" if on_gpu else "cpu",
            engine="paddle" if on_gpu else "onnxruntime",
            engine_config=None if on_gpu else {"intra_op_num_threads": threads_of(settings)},
            vl_rec_backend="vllm-server",
            vl_rec_server_url=_NOWHERE,
        )
        self._pipeline: Any = wrapper.paddlex_pipeline._pipeline
        self._pipeline.vl_rec_model = None
        in_one_step(self._pipeline.layout_det_model)
        self._models = None if settings.layout_model is None else settings.layout_model.parent
        self._orientation = self._model(ORIENTATION)
        self._unwarping = self._model(UNWARPING)

    @property
    def can_turn(self) -> bool:
        return self._orientation is not None

    @property
    def can_unwarp(self) -> bool:
        return self._unwarping is not None

    def rotation(self, page: Pixels) -> int:
        """By how many degrees, clockwise, the page is to be turned: 0, 90, 180 or 270."""
        assert self._orientation is not None
        (found,) = self._orientation([page])
        # The class is the angle that the page was turned by, clockwise.
        return -int(found["label_names"][0]) % 360

    def unwarped(self, page: Pixels) -> Pixels:
        """The page laid flat, in its own size."""
        assert self._unwarping is not None
        (found,) = self._unwarping([page])
        return np.ascontiguousarray(found["doctr_img"][:, :, ::-1])

    def cuts(self, page: Pixels, *, charts: bool, seals: bool) -> list[Cut]:
        """Find the page's blocks, in reading order, and what to ask of each. `page` is BGR, and is left as it was."""
        from paddlex.inference.pipelines.layout_parsing.utils import gather_imgs  # noqa: PLC0415 - as above

        (found,) = self._pipeline.layout_det_model(
            [page], threshold=None, layout_shape_mode="auto", filter_overlap_boxes=False
        )
        figures = gather_imgs(page, found["boxes"])
        payload = (0, page, found, figures, _preparation(charts=charts, seals=seals))
        _, blocks, entries, _, _ = self._pipeline._paddleocr_vl_prepare_page_core(payload)
        return _cuts(blocks, entries)

    def _model(self, name: str) -> Any:
        """A model that stands beside the layout model, or that the library fetches; None where it is not there."""
        folder = None if self._models is None else self._models / name
        if folder is not None and not folder.is_dir():
            log.warning("model not there", extra={"model": name, "folder": str(folder)})
            return None
        return self._pipeline.create_model({"model_name": name, "model_dir": None if folder is None else str(folder)})


def threads_of(settings: Settings) -> int:
    """How many threads of its own a layout process has: the cores, shared out, for such threads spin when they wait."""
    return max(1, (os.cpu_count() or 1) // settings.layout_processes)


def table_html(otsl: str) -> str:
    """The table as HTML; an empty string where nothing is said. Raises MalformedTable."""
    from paddlex.inference.pipelines.paddleocr_vl.uilts import convert_otsl_to_html  # noqa: PLC0415 - as above

    if _cells(otsl) > MOST_CELLS:
        raise MalformedTable(limit=str(MOST_CELLS))
    try:
        html = str(convert_otsl_to_html(otsl))
    except (LookupError, ValueError) as error:  # of spans that lead out of the table
        raise MalformedTable from error
    if otsl.strip() and not html:
        raise MalformedTable
    return html


def _cells(otsl: str) -> int:
    """How many the library would make: it fills every row up to the longest."""
    rows = [len(_CELL.findall(row)) for row in otsl.split("<nl>") if row]
    return len(rows) * max(rows, default=0)


def _preparation(*, charts: bool, seals: bool) -> dict[str, Any]:
    """As the library's own `get_layout_parsing_results` puts it together."""
    kinds = ("ocr", "table", "chart", "formula", "seal")
    pictures = [*_PICTURES, *(() if charts else ("chart",)), *(() if seals else ("seal",))]
    return {
        "layout_shape_mode": "auto",
        "merge_layout_blocks": True,
        "image_labels": pictures,
        "use_chart_recognition": charts,
        "use_seal_recognition": seals,
        **{f"{kind}_min_pixels": _PIXELS[0] for kind in kinds},
        **{f"{kind}_max_pixels": _PIXELS[1] for kind in kinds},
    }


def _cuts(blocks: list[dict[str, Any]], entries: list[Any]) -> list[Cut]:
    from paddlex.inference.pipelines.layout_parsing.utils import construct_img_path  # noqa: PLC0415 - as above

    asked: dict[int, Asked] = {}
    tokens: dict[int, Mapping[str, str]] = {}
    for _, index, crop, prompt, (min_pixels, max_pixels), figures in entries:
        asked[index] = Asked(picture=picture_of(crop), prompt=prompt, min_pixels=min_pixels, max_pixels=max_pixels)
        tokens[index] = figures
    paths = {construct_img_path(block["label"], block["box"]): index for index, block in enumerate(blocks)}
    heads: dict[int, int] = {}
    return [
        Cut(
            label=str(block["label"]),
            box=_box(block["box"]),
            asked=asked.get(index),
            joined_to=_head(index, block, heads),
            figures={token: paths[path] for token, path in tokens.get(index, {}).items() if path in paths},
        )
        for index, block in enumerate(blocks)
    ]


def _head(index: int, block: Mapping[str, Any], heads: dict[int, int]) -> int | None:
    """Of the blocks that were joined, the first holds the pixels; None for it, and for one that stands alone."""
    group = block.get("group_id")
    if group is None or block["img"] is not None:
        if group is not None:
            heads[group] = index
        return None
    return heads[group]


def _box(box: Any) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (int(edge) for edge in box)
    return x0, y0, x1, y1
