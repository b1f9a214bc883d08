"""What the real library does, and which of its insides are relied on: an upgrade that moves one fails here, by name."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from paddleocr import PaddleOCRVL

from gpu_worker.engines.vl.labels import LABELS
from gpu_worker.engines.vl.library import Asked, Cut, Library, MalformedTable, table_html
from shared.config import ENGINES, VL_MODELS, Settings
from tests_paddle.fabricated_layout import CLASSES, Found, stacked, write_model, write_orientation_model

Page = npt.NDArray[np.uint8]
VERSIONS = {"v1.6": "PP-DocLayoutV3", "v1.5": "PP-DocLayoutV3", "v1": "PP-DocLayoutV2"}


def library(folder: Path, blocks: list[Found], version: str = "v1.6") -> Library:
    model = write_model(folder / "layout", blocks, name=VERSIONS[version])
    return Library(Settings(vl_pipeline=version, layout_model=model))


def a_page(width: int = 1190, height: int = 1684) -> Page:
    return np.full((height, width, 3), 255, dtype=np.uint8)


def pixels(asked: Asked) -> Page:
    decoded = cv2.imdecode(np.frombuffer(asked.picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def cut(folder: Path, *blocks: Found, charts: bool = False, seals: bool = False) -> list[Cut]:
    return library(folder, list(blocks)).cuts(a_page(), charts=charts, seals=seals)


@pytest.mark.parametrize("version", sorted(VL_MODELS))
def test_every_version_of_the_pipeline_takes_a_page_apart(tmp_path: Path, version: str) -> None:
    parts = library(tmp_path, stacked("doc_title", "text", "table", "display_formula", "image"), version)

    cuts = parts.cuts(a_page(), charts=False, seals=False)

    assert [(each.label, each.asked and each.asked.prompt) for each in cuts] == [
        ("doc_title", "OCR:"),
        ("text", "OCR:"),
        ("table", "Table Recognition:"),
        ("display_formula", "Formula Recognition:"),
        ("image", None),
    ]
    assert cuts[1].box == (119, 387, 1071, 630)
    assert cuts[1].asked is not None
    assert pixels(cuts[1].asked).shape == (243, 952, 3)


def test_all_that_is_between_fractions_and_pixels_is_the_librarys(tmp_path: Path) -> None:
    """Blocks come in the model's order, those of low score or a few pixels' size are left out."""
    sure, unsure = Found(label="text", y0=0.1, y1=0.2), Found(label="text", y0=0.3, y1=0.4, score=0.2)
    tiny = Found(label="text", y0=0.5, y1=0.502)

    cuts = cut(tmp_path, sure, unsure, tiny)

    assert [each.box for each in cuts] == [(119, 168, 1071, 337)]


def test_a_page_without_blocks_has_none(tmp_path: Path) -> None:
    assert cut(tmp_path) == []


@pytest.mark.parametrize(("label", "option"), [("chart", "charts"), ("seal", "seals")])
def test_what_is_read_on_demand_is_a_picture_otherwise(tmp_path: Path, label: str, option: str) -> None:
    parts = library(tmp_path, stacked(label))

    (read,) = parts.cuts(a_page(), **{"charts": False, "seals": False, option: True})
    (shown,) = parts.cuts(a_page(), charts=False, seals=False)

    assert read.asked is not None
    assert read.asked.prompt == f"{label.capitalize()} Recognition:"
    assert shown.asked is None


def test_a_figure_inside_a_table_keeps_its_place_and_its_token(tmp_path: Path) -> None:
    table = Found(label="table", y0=0.1, y1=0.6)
    figure = Found(label="image", x0=0.2, y0=0.2, x1=0.4, y1=0.4)
    dark = a_page()
    dark[336:673, 238:476] = 0

    cuts = library(tmp_path, [table, figure]).cuts(dark, charts=False, seals=False)

    assert [each.label for each in cuts] == ["table", "image"]
    assert list(cuts[0].figures.values()) == [1]
    assert next(iter(cuts[0].figures)).startswith("[F")
    assert cuts[0].asked is not None
    assert pixels(cuts[0].asked)[200, 130].min() > 100, "the token was painted over the figure"
    assert dark[400, 300].max() == 0, "in the crop only"


def test_columns_that_are_one_text_are_read_with_one_question(tmp_path: Path) -> None:
    left = Found(label="text", x0=0.1, y0=0.1, x1=0.45, y1=0.3)
    right = Found(label="text", x0=0.5, y0=0.1, x1=0.9, y1=0.3)

    first, second = cut(tmp_path, left, right)

    assert first.asked is not None
    assert pixels(first.asked).shape[0] > 2 * 330, "one below the other"
    assert second.asked is None
    assert (first.joined_to, second.joined_to) == (None, 0)


def test_tables_become_html_with_their_spans() -> None:
    assert table_html("<fcel>A<lcel><nl><fcel>1<fcel>a < b<nl>") == (
        '<table><tr><td colspan="2">A</td></tr><tr><td>1</td><td>a &lt; b</td></tr></table>'
    )


def test_a_text_without_cells_is_no_table() -> None:
    assert table_html(" ") == ""
    with pytest.raises(MalformedTable):
        table_html("no table")


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_turned_page_is_known(tmp_path: Path, angle: int) -> None:
    write_orientation_model(tmp_path / "PP-LCNet_x1_0_doc_ori")
    parts = library(tmp_path, stacked("text"))
    upright = a_page()
    upright[:600, :400] = 0

    rotation = parts.rotation(np.ascontiguousarray(np.rot90(upright, -angle // 90)))

    assert parts.can_turn
    assert (rotation + angle) % 360 == 0


def test_models_that_are_not_there_are_said_to_be_missing(tmp_path: Path) -> None:
    parts = library(tmp_path, stacked("text"))

    assert not parts.can_turn
    assert not parts.can_unwarp


def test_the_models_that_stand_in_have_the_real_ones_classes() -> None:
    meta = import_module("paddlex.modules.base.utils.pdparams2safetensors.inference_meta")

    assert list(CLASSES) == meta._LABEL_DOC_LAYOUT_V2V3


def test_every_class_of_the_layout_models_has_a_label() -> None:
    configs = import_module("paddlex.modules.base.utils.pdparams2safetensors.model_config")
    meta = import_module("paddlex.modules.base.utils.pdparams2safetensors.inference_meta")
    tables = [value for value in vars(configs).values() if isinstance(value, dict) and "doc_title" in str(value)]
    released = {name for table in tables for name in table.get("id2label", {}).values()}

    unknown = (released | set(meta._LABEL_DOC_LAYOUT_V2V3)) - set(LABELS)

    assert len(tables) >= 2
    assert unknown == set()


INSIDES = {
    "paddlex.inference.pipelines.layout_parsing.utils:gather_imgs": "(original_img, layout_det_objs)",
    "paddlex.inference.pipelines.layout_parsing.utils:construct_img_path": "(label, box)",
    "paddlex.inference.pipelines.paddleocr_vl.uilts:convert_otsl_to_html": "(otsl_content: str)",
    "paddlex.inference.pipelines.paddleocr_vl.pipeline:_PaddleOCRVLPipeline._paddleocr_vl_prepare_page_core": (
        "(self, payload)"
    ),
    "paddlex.inference.pipelines.base:BasePipeline.create_model": "(self, config: 'Dict', **kwargs) -> 'BasePredictor'",
}
"""What library.py calls that the library doesn't promise to keep."""


@pytest.mark.parametrize("inside", sorted(INSIDES))
def test_an_inside_of_the_library_is_where_it_was_and_takes_what_it_took(inside: str) -> None:
    module, _, path = inside.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name, None)
        assert found is not None, f"{inside} has moved"

    assert str(inspect.signature(found)) == INSIDES[inside], f"{inside} takes other arguments"


def test_the_settings_of_cutting_up_are_those_that_the_library_reads(tmp_path: Path) -> None:
    """`_preparation` is what `get_layout_parsing_results` makes: none more, none fewer, the same values."""
    parts = library(tmp_path, stacked("text"))
    pipeline, seen = parts._pipeline, []

    class Seen(Exception): ...

    def look(payload: tuple[object, ...]) -> None:
        seen.append(payload[-1])
        raise Seen

    pipeline._paddleocr_vl_prepare_page_serial_benchmarked = look
    for charts, seals in ((False, False), (True, False), (False, True)):
        with pytest.raises(Seen):
            pipeline.get_layout_parsing_results(
                [a_page()], [{"boxes": []}], [[]], use_chart_recognition=charts, use_seal_recognition=seals
            )

    from gpu_worker.engines.vl.library import _preparation

    assert seen == [_preparation(charts=c, seals=s) for c, s in ((False, False), (True, False), (False, True))]


def test_the_recipe_names_the_version_that_is_installed() -> None:
    from importlib.metadata import version

    assert ENGINES["paddleocr-vl"].revision.split("-")[0] == version("paddleocr")


def test_the_versions_and_their_models_are_the_librarys() -> None:
    wrapper = import_module("paddleocr._pipelines.paddleocr_vl")
    configs = import_module("paddlex.inference").load_pipeline_config
    named = {
        version: configs(name)["SubModules"]["VLRecognition"]["model_name"]
        for version, name in (("v1", "PaddleOCR-VL"), ("v1.5", "PaddleOCR-VL-1.5"), ("v1.6", "PaddleOCR-VL-1.6"))
    }

    assert set(wrapper._AVAILABLE_PIPELINE_VERSIONS) == set(VL_MODELS)
    assert named == VL_MODELS


def test_preparing_a_page_in_one_step_changes_no_bit_of_it(tmp_path: Path) -> None:
    write_model(tmp_path / "layout", stacked("text"))
    ours = library(tmp_path, [])._pipeline.layout_det_model
    theirs = PaddleOCRVL(
        layout_detection_model_dir=str(tmp_path / "layout"),
        device="cpu",
        engine="onnxruntime",
        vl_rec_backend="vllm-server",
        vl_rec_server_url="http://127.0.0.1:9/v1",
    ).paddlex_pipeline._pipeline.layout_det_model
    page = np.random.default_rng(1).integers(0, 255, (1684, 1190, 3), dtype=np.uint8)

    assert [type(step).__name__ for step in theirs.pre_ops] == [
        "ReadImage",
        "Resize",
        "Normalize",
        "ToCHWImage",
        "ToBatch",
    ]
    assert len(ours.pre_ops) < len(theirs.pre_ops)
    for one, other in zip(_through(ours.pre_ops, page), _through(theirs.pre_ops, page), strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype


def _through(steps: list[Any], page: Page) -> list[Page]:
    data: Any = [page]
    for step in steps:
        data = step(data)
    return list(data)
