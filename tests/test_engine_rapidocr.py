"""The real engine on pages rendered here: slow (seconds a page), so each test reads little."""

from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import pymupdf
import pytest

from gpu_worker.engines.rapidocr import RapidOcrEngine
from shared.config import ENGINES
from shared.domain.errors import EngineUnavailable
from shared.domain.options import Lane, Options
from shared.domain.page import Box, FlagCode, Label, PageImage, PageRead

WIDTH, HEIGHT, DPI = 420, 300, 150
LEFT = "Rags came up the river in flat boats. Women sorted them by colour and laid the heaps to rot."
RIGHT = "A vatman dipped his mould, shook it once and passed it on to the man beside the felt."


@pytest.fixture(scope="module")
def engine() -> Iterator[RapidOcrEngine]:
    engine = RapidOcrEngine(2)
    yield engine
    engine.close()


class Paper:
    """A small page to write on, in points."""

    def __init__(self) -> None:
        self._document = pymupdf.open()
        self.page = self._document.new_page(width=WIDTH, height=HEIGHT)

    def column(self, x: float, y: float, text: str, width: float = 170) -> None:
        self.page.insert_textbox(pymupdf.Rect(x, y, x + width, HEIGHT), text, fontsize=10, fontname="tiro")

    def write(self, x: float, y: float, text: str, size: float = 10, font: str = "helv") -> None:
        self.page.insert_text((x, y), text, fontsize=size, fontname=font)

    def pixels(self) -> npt.NDArray[np.uint8]:
        picture = self.page.get_pixmap(dpi=DPI, alpha=False)
        return np.frombuffer(picture.samples, dtype=np.uint8).reshape(picture.h, picture.w, 3).copy()


def read(
    engine: RapidOcrEngine,
    pixels: npt.NDArray[np.uint8],
    options: Options | None = None,
    pictures: tuple[Box, ...] = (),
) -> PageRead:
    height, width = pixels.shape[:2]
    image = PageImage(rgb=memoryview(pixels.tobytes()), width=width, height=height, dpi=DPI, pictures=pictures)
    return engine.submit(image, options or Options(), Lane.BULK).result(timeout=60)


def text(read: PageRead) -> str:
    return "\n\n".join(block.content for block in read.blocks)


def test_the_revision_is_the_installed_librarys_for_it_carries_the_models() -> None:
    assert ENGINES["rapidocr"].revision.split("-")[0] == version("rapidocr")


def test_two_columns_are_read_in_order_with_ids_boxes_and_confidence(engine: RapidOcrEngine) -> None:
    paper = Paper()
    paper.write(100, 40, "The Mill at Weidenbach", 20, "hebo")
    paper.column(20, 70, LEFT)
    paper.column(225, 70, RIGHT)

    page = read(engine, paper.pixels())

    assert [(block.label, block.content) for block in page.blocks] == [
        (Label.TITLE, "The Mill at Weidenbach"),
        (Label.TEXT, LEFT),
        (Label.TEXT, RIGHT),
    ]
    assert [block.id for block in page.blocks] == ["b1", "b2", "b3"]
    assert all(block.bbox.x1 <= page.width and block.bbox.y1 <= page.height for block in page.blocks)
    assert all((block.confidence or 0) > 0.9 for block in page.blocks)
    assert page.flags == ()
    assert page.usage["seconds"] > 0


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_page_that_was_scanned_turned_is_turned_back(engine: RapidOcrEngine, rotation: int) -> None:
    paper = Paper()
    paper.column(20, 40, LEFT, 300)
    pixels = paper.pixels()

    page = read(engine, np.ascontiguousarray(np.rot90(pixels, rotation // 90)))

    assert page.rotation == rotation
    assert (page.height, page.width) == pixels.shape[:2]
    assert text(page) == LEFT
    assert page.blocks[0].bbox.y1 < page.height / 2


def test_a_turned_page_stays_as_it_is_where_that_was_asked(engine: RapidOcrEngine) -> None:
    paper = Paper()
    paper.column(20, 40, LEFT, 300)

    page = read(engine, np.ascontiguousarray(np.rot90(paper.pixels(), 2)), Options(orientation=False))

    assert page.rotation == 0


def test_chinese_is_joined_without_spaces(engine: RapidOcrEngine) -> None:
    paper = Paper()
    paper.write(20, 50, "造纸术是中国古代的重要发明之一", 12, "china-s")
    paper.write(20, 70, "早期的纸用树皮和破布制成", 12, "china-s")

    assert text(read(engine, paper.pixels())) == "造纸术是中国古代的重要发明之一早期的纸用树皮和破布制成"


def test_a_script_that_the_models_do_not_know_is_flagged_and_not_guessed(engine: RapidOcrEngine) -> None:
    paper = Paper()
    for number in range(4):
        paper.write(20, 50 + number * 20, "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에", 12, "korea")

    page = read(engine, paper.pixels())

    assert FlagCode.UNREADABLE_SCRIPT in {flag.code for flag in page.flags}
    assert text(page) == ""


def test_a_ruled_table_is_read_into_cells(engine: RapidOcrEngine) -> None:
    paper = Paper()
    for row, cells in enumerate((("Year", "Sheets"), ("1690", "310,000"), ("1745", "520,500"))):
        for column, cell in enumerate(cells):
            x, y = 40 + column * 120, 40 + row * 24
            paper.page.draw_rect(pymupdf.Rect(x, y, x + 120, y + 24))
            paper.write(x + 6, y + 16, cell)

    (table,) = read(engine, paper.pixels()).blocks

    assert table.label is Label.TABLE
    assert table.content == (
        "<table><tr><td>Year</td><td>Sheets</td></tr><tr><td>1690</td><td>310,000</td></tr>"
        "<tr><td>1745</td><td>520,500</td></tr></table>"
    )


def test_a_picture_of_the_document_is_a_figure_between_its_texts(engine: RapidOcrEngine) -> None:
    paper = Paper()
    paper.column(20, 30, LEFT, 360)
    paper.page.draw_rect(pymupdf.Rect(60, 90, 300, 200), fill=(0.4, 0.5, 0.6))
    paper.column(20, 220, RIGHT, 360)
    box = Box(x0=125, y0=188, x1=625, y1=417)

    page = read(engine, paper.pixels(), pictures=(box,))

    assert [block.label for block in page.blocks] == [Label.TEXT, Label.FIGURE, Label.TEXT]
    figure = page.blocks[1].bbox
    assert abs(figure.x0 - box.x0) < 8
    assert abs(figure.y1 - box.y1) < 8


def test_an_empty_page_is_flagged_blank(engine: RapidOcrEngine) -> None:
    page = read(engine, Paper().pixels())

    assert page.blocks == ()
    assert [flag.code for flag in page.flags] == [FlagCode.BLANK]


def test_options_that_this_engine_lacks_are_flagged_by_name(engine: RapidOcrEngine) -> None:
    page = read(engine, Paper().pixels(), Options(charts=True, unwarp=True))

    unsupported = [flag.value for flag in page.flags if flag.code is FlagCode.UNSUPPORTED_OPTION]
    assert unsupported == ["unwarp", "charts"]


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (700, 5)])
def test_an_image_of_any_shape_comes_to_an_end(engine: RapidOcrEngine, shape: tuple[int, int]) -> None:
    assert read(engine, np.full((*shape, 3), 255, dtype=np.uint8)).blocks == ()


def test_a_closed_engine_is_unavailable_and_can_be_closed_again() -> None:
    engine = RapidOcrEngine(1)
    paper = Paper()
    paper.column(20, 40, LEFT, 300)
    pixels = paper.pixels()
    image = PageImage(rgb=memoryview(pixels.tobytes()), width=pixels.shape[1], height=pixels.shape[0], dpi=DPI)
    waiting = [engine.submit(image, Options(), Lane.BULK) for _ in range(3)]

    engine.close()
    engine.close()

    with pytest.raises(EngineUnavailable):
        engine.submit(image, Options(), Lane.BULK).result(timeout=1)
    with pytest.raises(EngineUnavailable):
        waiting[-1].result(timeout=1)
