"""What a page of a PDF looks like once it is rendered."""

import pymupdf
import pytest

from shared.domain.errors import PageTooLarge
from shared.domain.page import Box, Flag, FlagCode, PageImage
from shared.pdf.pictures import pictures
from shared.pdf.sandbox import Limits, Sandbox
from tests import samples
from tests.samples import BLUE, GREEN, RED, WHITE


def pixel(image: PageImage, x: int, y: int) -> tuple[int, ...]:
    start = (y * image.width + x) * 3
    return tuple(image.rgb[start : start + 3])


def corners(image: PageImage) -> list[tuple[int, ...]]:
    """Top left, top right, bottom right, bottom left."""
    right, bottom = image.width - 5, image.height - 5
    return [pixel(image, 4, 4), pixel(image, right, 4), pixel(image, right, bottom), pixel(image, 4, bottom)]


@pytest.mark.parametrize(("dpi", "size"), [(36, (100, 50)), (72, (200, 100)), (144, (400, 200)), (600, (1667, 834))])
def test_a_page_has_the_pixels_that_its_dpi_asks_for(sandbox: Sandbox, dpi: int, size: tuple[int, int]) -> None:
    with (
        samples.file(samples.corners_pdf()) as file,
        sandbox.open(file) as document,
        document.render(1, dpi=dpi) as page,
    ):
        assert (page.image.width, page.image.height, page.image.dpi) == (*size, dpi)
        assert len(page.image.rgb) == size[0] * size[1] * 3
        assert page.image.flags == ()


@pytest.mark.parametrize(
    ("rotate", "size", "expected"),
    [
        (0, (200, 100), [RED, GREEN, WHITE, BLUE]),
        (90, (100, 200), [BLUE, RED, GREEN, WHITE]),
        (180, (200, 100), [WHITE, BLUE, RED, GREEN]),
        (270, (100, 200), [GREEN, WHITE, BLUE, RED]),
    ],
)
def test_a_page_is_turned_as_the_document_says(
    sandbox: Sandbox, rotate: int, size: tuple[int, int], expected: list[tuple[int, ...]]
) -> None:
    data = samples.corners_pdf(rotate=rotate)

    with samples.file(data) as file, sandbox.open(file) as document, document.render(1, dpi=72) as page:
        assert (page.image.width, page.image.height) == size
        assert corners(page.image) == expected


@pytest.mark.parametrize(
    "data", [samples.pdf(["Lorem ipsum"]), samples.scanned_pdf(["Lorem"]), samples.annotated_pdf()]
)
def test_a_page_has_the_very_pixels_that_pymupdf_gives(sandbox: Sandbox, data: bytes) -> None:
    with pymupdf.open(stream=data, filetype="pdf") as direct:
        expected = direct[0].get_pixmap(dpi=100)

    with samples.file(data) as file, sandbox.open(file) as document, document.render(1, dpi=100) as page:
        assert (page.image.width, page.image.height) == (expected.width, expected.height)
        assert bytes(page.image.rgb) == expected.samples


def test_annotations_and_form_fields_are_seen(sandbox: Sandbox) -> None:
    data = samples.annotated_pdf()

    with samples.file(data) as file, sandbox.open(file) as document, document.render(1, dpi=72) as page:
        assert pixel(page.image, 50, 50) == RED
        assert pixel(page.image, 180, 80) == BLUE


def test_pages_come_in_any_order_and_as_often_as_asked_for(sandbox: Sandbox) -> None:
    with samples.file(samples.pdf(["One", "Two", "Three"])) as file, sandbox.open(file) as document:
        rendered = [document.render(number, dpi=50) for number in (3, 1, 2, 3)]

    third, first, second, again = (bytes(page.image.rgb) for page in rendered)
    for page in rendered:
        page.close()
    assert third == again
    assert len({first, second, third}) == 3


@pytest.mark.parametrize(("number", "dpi"), [(0, 72), (2, 72), (-1, 72), (1, 0)])
def test_a_page_that_is_not_there_is_the_callers_mistake(sandbox: Sandbox, number: int, dpi: int) -> None:
    with (
        samples.file(samples.pdf(["Only"])) as file,
        sandbox.open(file) as document,
        pytest.raises(ValueError, match="of 1"),
    ):
        document.render(number, dpi=dpi)


def test_pixels_are_read_only(sandbox: Sandbox) -> None:
    with (
        samples.file(samples.pdf(["Only"])) as file,
        sandbox.open(file) as document,
        document.render(1, dpi=36) as page,
    ):
        assert page.image.rgb.readonly


def test_pixels_outlive_their_document_and_end_with_their_page(sandbox: Sandbox) -> None:
    with samples.file(samples.corners_pdf()) as file, sandbox.open(file) as document:
        page = document.render(1, dpi=72)

    assert pixel(page.image, 4, 4) == RED
    page.close()
    with pytest.raises(ValueError, match="released"):
        pixel(page.image, 4, 4)


def test_a_view_that_outlives_its_page_stays_readable(sandbox: Sandbox) -> None:
    with (
        samples.file(samples.corners_pdf()) as file,
        sandbox.open(file) as document,
        document.render(1, dpi=72) as page,
    ):
        view = memoryview(page.image.rgb)

    assert tuple(view[:3]) == RED
    view.release()
    page.close()


def test_a_page_beyond_the_limit_is_drawn_at_the_largest_dpi_that_fits_and_says_so() -> None:
    with (
        Sandbox(Limits(max_pixels=50_000)) as sandbox,
        samples.file(samples.corners_pdf()) as file,
        sandbox.open(file) as document,
        document.render(1, dpi=144) as page,
    ):
        assert page.image.flags == (Flag(code=FlagCode.DPI_REDUCED, value="144->113, at most 50000 pixels"),)
        assert (page.image.width, page.image.height, page.image.dpi) == (314, 157, 113)
        assert corners(page.image) == [RED, GREEN, WHITE, BLUE]
    assert 314 * 157 <= 50_000 < 317 * 159  # the size at 114 dpi


@pytest.mark.parametrize("dpi", [600, 144, 36])
def test_a_page_that_does_not_fit_at_the_lowest_dpi_is_too_large(sandbox: Sandbox, dpi: int) -> None:
    with samples.file(samples.huge_page_pdf()) as file, sandbox.open(file) as document, pytest.raises(PageTooLarge):
        document.render(1, dpi=dpi)


def test_a_large_page_that_fits_at_a_low_dpi_is_drawn(sandbox: Sandbox) -> None:
    data = samples.huge_page_pdf(7200)

    with samples.file(data) as file, sandbox.open(file) as document, document.render(1, dpi=300) as page:
        assert page.image.dpi == 63
        assert page.image.flags[0].value == "300->63, at most 40000000 pixels"


@pytest.mark.parametrize("rotate", [0, 90])
def test_pictures_are_where_they_are_seen(sandbox: Sandbox, rotate: int) -> None:
    data = samples.illustrated_pdf((50, 100, 150, 300), (200, 400, 500, 600), rotate=rotate)
    upright = (Box(x0=400, y0=800, x1=1000, y1=1200), Box(x0=100, y0=200, x1=300, y1=600))
    turned = (Box(x0=484, y0=400, x1=884, y1=1000), Box(x0=1084, y0=100, x1=1484, y1=300))

    with samples.file(data) as file, sandbox.open(file) as document, document.render(1, dpi=144) as page:
        assert page.image.pictures == (turned if rotate else upright)


def test_the_scan_of_the_page_itself_is_no_picture(sandbox: Sandbox) -> None:
    data = samples.scanned_pdf(["A scan"])

    with samples.file(data) as file, sandbox.open(file) as document, document.render(1, dpi=72) as page:
        assert page.image.pictures == ()


def test_pictures_are_clipped_to_the_page_and_tiny_ones_are_none() -> None:
    found = [(-50.0, 10.0, 50.0, 60.0), (80.0, 80.0, 85.0, 95.0), (90.0, 200.0, 190.0, 300.0)]

    assert pictures(found, width=100, height=100, dpi=72) == (Box(x0=0, y0=10, x1=50, y1=60),)


def test_strips_of_one_picture_are_one_picture() -> None:
    strips = [(10.0, 10.0 + 8 * k, 90.2, 18.1 + 8 * k) for k in range(5)]

    assert pictures(strips, width=100, height=100, dpi=72) == (Box(x0=10, y0=10, x1=90, y1=50),)


def test_tiles_of_one_scan_are_no_pictures() -> None:
    tiles = [(50.0 * x, 50.0 * y, 50.0 * x + 50, 50.0 * y + 50) for x in range(2) for y in range(2)]

    assert pictures(tiles, width=100, height=100, dpi=72) == ()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_a_place_that_is_no_number_is_no_picture(number: float) -> None:
    assert pictures([(0.0, 0.0, number, 50.0), (number, 0.0, number, 50.0)], width=100, height=40, dpi=72) == ()
