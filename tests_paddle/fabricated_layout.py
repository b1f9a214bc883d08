"""Models in the formats of the library's own, a few kilobytes each, that find what they were made to find.

They stand in for weights that cannot be fetched here: the library that runs them is the real one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import yaml
from onnx import ModelProto, TensorProto, helper, numpy_helper, parser

CLASSES = (
    "abstract",
    "algorithm",
    "aside_text",
    "chart",
    "content",
    "display_formula",
    "doc_title",
    "figure_title",
    "footer",
    "footer_image",
    "footnote",
    "formula_number",
    "header",
    "header_image",
    "image",
    "inline_formula",
    "number",
    "paragraph_title",
    "reference",
    "reference_content",
    "seal",
    "table",
    "text",
    "vertical_text",
    "vision_footnote",
)
"""Of PP-DocLayoutV2 and V3, in the order of their class numbers."""

Constant = npt.NDArray[Any] | np.generic

_OPSET, _IR = 17, 9
_NET = 800
_MATRIX = 512

_LAYOUT = """
layout (float[B,2] im_shape, float[B,3,800,800] image, float[B,2] scale_factor)
    => (float[N,W] boxes, int32[B] counts{masks_out}) {{
  mean = ReduceMean <axes = [1, 2, 3], keepdims = 1> (image)
  {burn}
  nothing = Mul (burnt, zero)
  zeros = Reshape (nothing, by_page)
  size = Div (im_shape, scale_factor)
  edges = Gather <axis = 1> (size, width_height)
  page = Unsqueeze (edges, one)
  places = Mul (fractions, page)
  heads = Add (zeros, found)
  tails = Add (zeros, orders)
  rows = Concat <axis = 2> (heads, places, tails)
  boxes = Reshape (rows, by_box)
  flat = Reshape (zeros, by_count)
  several = Add (flat, number)
  counts = Cast <to = 6> (several)
  {masks}
}}
"""
_MASKS = """
  first = Gather <axis = 1> (boxes, first_column)
  blank = Mul (first, zero)
  blanks = Cast <to = 6> (blank)
  each = Unsqueeze (blanks, one)
  masks = Add (each, full)
"""
_ORIENTATION = """
orientation (float[B,3,224,224] x) => (float[B,4] scores) {
  gray = ReduceMean <axes = [1], keepdims = 1> (x)
  quarters = AveragePool <kernel_shape = [112, 112], strides = [112, 112]> (gray)
  four = Reshape (quarters, by_quarter)
  turned = Gather <axis = 1> (four, clockwise)
  dark = Neg (turned)
  scores = Softmax <axis = 1> (dark)
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One block that the layout model finds: the place in parts of the page's width and height."""

    label: str
    x0: float = 0.1
    y0: float
    x1: float = 0.9
    y1: float
    score: float = 0.9


def stacked(*labels: str) -> list[Found]:
    """Blocks of one column, each as high as the others."""
    height = 0.9 / max(1, len(labels))
    tops = (0.05 + height * place for place in range(len(labels)))
    return [Found(label=label, y0=top, y1=top + 0.8 * height) for label, top in zip(labels, tops, strict=True)]


def blocks_of(count: int) -> list[Found]:
    """So many blocks of text, for which so many requests are made."""
    return stacked(*["text"] * count)


def write_model(
    folder: Path, blocks: Sequence[Found], *, name: str = "PP-DocLayoutV3", cost_seconds: float = 0.0
) -> Path:
    """Write a layout model that finds these blocks, in this order, on every page.

    Each page costs so much of the processors' time, beside what the library takes itself: spent outside Python, on
    products of matrices, as a real model's is.
    """
    matmuls = round(cost_seconds / _seconds_a_product()) if cost_seconds else 0
    # Without a row, the shape of the result could not be told: one that no threshold lets through.
    rows = list(blocks) or [Found(label="text", y0=0.4, y1=0.6, score=0.0)]
    has_masks = name == "PP-DocLayoutV3"
    config = {
        "mode": "paddle",
        "arch": "DETR",
        "metric": "COCO",
        "draw_threshold": 0.5,
        "min_subgraph_size": 3,
        "use_dynamic_shape": False,
        "Global": {"model_name": name},
        "Preprocess": [
            {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [_NET, _NET]},
            {"type": "NormalizeImage", "mean": [0.0] * 3, "std": [1.0] * 3, "norm_type": "none"},
            {"type": "Permute"},
        ],
        "label_list": list(CLASSES),
    }
    return _written(folder, _layout(rows, masks=has_masks, matmuls=matmuls), config)


def write_orientation_model(folder: Path) -> Path:
    """Write a classifier that takes the darkest quarter of the page for its upper left one."""
    model = _model(_ORIENTATION, by_quarter=np.array([-1, 4]), clockwise=np.array([0, 1, 3, 2]))
    normalise = {"channel_num": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "scale": 1 / 255, "order": ""}
    config = {
        "Global": {"model_name": "PP-LCNet_x1_0_doc_ori"},
        "PreProcess": {
            "transform_ops": [
                {"ResizeImage": {"size": [224, 224]}},
                {"NormalizeImage": normalise},
                {"ToCHWImage": None},
            ]
        },
        "PostProcess": {"Topk": {"topk": 1, "label_list": ["0", "90", "180", "270"]}},
    }
    return _written(folder, model, config)


def _layout(rows: Sequence[Found], *, masks: bool, matmuls: int) -> ModelProto:
    order = np.arange(len(rows), dtype=np.float32)[None, :, None]
    # V2 gives the order twice, V3 once, with a mask for each block.
    orders = order if masks else np.concatenate([order, order], axis=2)
    text = _LAYOUT.format(
        burn=_burn(matmuls), masks=_MASKS if masks else "", masks_out=", int32[N,200,200] masks" if masks else ""
    )
    constants: dict[str, Constant] = {
        "zero": np.float32(0),
        "one": np.array([1]),
        "by_page": np.array([-1, 1, 1]),
        "by_box": np.array([-1, 6 + orders.shape[2]]),
        "by_count": np.array([-1]),
        "width_height": np.array([1, 0, 1, 0]),
        "number": np.float32(len(rows)),
        "fractions": np.array([[(row.x0, row.y0, row.x1, row.y1) for row in rows]], dtype=np.float32),
        "found": np.array([[(CLASSES.index(row.label), row.score) for row in rows]], dtype=np.float32),
        "orders": orders,
    }
    if masks:
        constants |= {"first_column": np.array([0]), "full": np.ones((1, 200, 200), dtype=np.int32)}
    if matmuls:
        # Its powers neither grow nor vanish.
        constants["matrix"] = np.full((_MATRIX, _MATRIX), 1 / _MATRIX, dtype=np.float32)
    return _model(text, **constants)


@lru_cache(maxsize=1)
def _seconds_a_product() -> float:
    """Of the processors' time, whichever of them: measured here and now."""
    products = 60
    model = _layout(blocks_of(1), masks=False, matmuls=products)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    page = {
        "im_shape": np.full((1, 2), _NET, dtype=np.float32),
        "image": np.zeros((1, 3, _NET, _NET), dtype=np.float32),
        "scale_factor": np.ones((1, 2), dtype=np.float32),
    }
    session.run(None, page)
    began = process_time()
    session.run(None, page)
    return (process_time() - began) / products


def _burn(matmuls: int) -> str:
    if not matmuls:
        return "burnt = Identity (mean)"
    steps = ["m0 = Add (mean, matrix)"]
    steps += [f"m{step + 1} = MatMul (m{step}, matrix)" for step in range(matmuls)]
    return "\n".join([*steps, f"burnt = ReduceMean <axes = [2, 3], keepdims = 1> (m{matmuls})"])


def _model(text: str, **constants: Constant) -> ModelProto:
    graph = parser.parse_graph(text)
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR
    onnx.checker.check_model(model)
    assert all(constant.data_type != TensorProto.DOUBLE for constant in graph.initializer)
    return model


def _written(folder: Path, model: ModelProto, config: dict[str, object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "inference.onnx")
    (folder / "inference.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder
