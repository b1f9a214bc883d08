"""Images as documents: their pixels are kept, upright, on white, in eight bits of RGB."""

import mmap
import struct

import pytest
from PIL import Image

from shared.domain.errors import PageTooLarge, RenderCrashed
from shared.domain.page import Flag, FlagCode
from shared.pdf.images import fitting_size
from shared.pdf.sandbox import Limits, Sandbox
from shared.pdf.tiff import frames
from tests import samples
from tests.samples import BLUE, GREEN, RED, WHITE, Colour, encoded

GREY = (128, 128, 128)


def rendered(sandbox: Sandbox, data: bytes, number: int = 1) -> Image.Image:
    with samples.file(data) as file, sandbox.open(file) as document, document.render(number, dpi=300) as page:
        assert page.image.dpi == 72
        assert page.image.pictures == ()
        assert page.image.flags == ()
        return Image.frombytes("RGB", (page.image.width, page.image.height), bytes(page.image.rgb))


def assert_close(actual: object, expected: Colour, *, by: int = 2) -> None:
    assert isinstance(actual, tuple)
    assert all(abs(a - b) <= by for a, b in zip(actual, expected, strict=True)), (actual, expected)


@pytest.mark.parametrize(("data", "colour"), [(samples.png(), RED), (samples.webp(), GREEN)], ids=["png", "webp"])
def test_an_image_keeps_its_pixels_whatever_the_dpi(sandbox: Sandbox, data: bytes, colour: Colour) -> None:
    image = rendered(sandbox, data)

    assert image.size == (40, 30)
    assert image.getcolors() == [(1200, colour)]


def test_each_frame_of_a_tiff_is_a_page(sandbox: Sandbox) -> None:
    colours = [rendered(sandbox, samples.tiff(), number).getpixel((5, 5)) for number in (3, 1, 2)]

    assert colours == [BLUE, RED, GREEN]


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [
        (1, (120, 60), (30, 15)),
        (2, (120, 60), (90, 15)),
        (3, (120, 60), (90, 45)),
        (4, (120, 60), (30, 45)),
        (5, (60, 120), (15, 30)),
        (6, (60, 120), (45, 30)),
        (7, (60, 120), (45, 90)),
        (8, (60, 120), (15, 90)),
    ],
)
def test_a_photograph_stands_upright(
    sandbox: Sandbox, orientation: int, size: tuple[int, int], red: tuple[int, int]
) -> None:
    image = rendered(sandbox, samples.jpeg(orientation=orientation))

    opposite = (size[0] - red[0], size[1] - red[1])
    assert image.size == size
    assert_close(image.getpixel(red), RED, by=5)
    assert_close(image.getpixel(opposite), WHITE, by=5)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_a_rotated_image_of_any_kind_stands_upright(sandbox: Sandbox, image_format: str) -> None:
    source = samples.quartered()
    exif = source.getexif()
    exif[0x0112] = 6

    image = rendered(sandbox, encoded(source, image_format, exif=exif))

    assert image.size == (60, 120)
    assert_close(image.getpixel((45, 30)), RED, by=40)


@pytest.mark.parametrize(
    ("mode", "image_format"), [("RGBA", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGBA", "TIFF"), ("LA", "TIFF")]
)
def test_what_is_transparent_is_white(sandbox: Sandbox, mode: str, image_format: str) -> None:
    source = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    source.paste((0, 0, 0, 255), (0, 0, 20, 30))
    source.paste((0, 0, 0, 127), (20, 0, 30, 30))

    image = rendered(sandbox, encoded(source.convert(mode), image_format))

    assert image.getpixel((5, 5)) == (0, 0, 0)
    assert image.getpixel((35, 5)) == WHITE
    if mode != "P":
        assert_close(image.getpixel((25, 5)), GREY)


def test_one_colour_may_be_declared_transparent(sandbox: Sandbox) -> None:
    image = rendered(sandbox, encoded(Image.new("RGB", (4, 4), RED), "PNG", transparency=RED))

    assert image.getpixel((0, 0)) == WHITE


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_keep_their_brightness(sandbox: Sandbox, image_format: str) -> None:
    source = Image.new("I;16", (4, 1))
    for x, level in enumerate((0, 32768, 65535, 257)):
        source.putpixel((x, 0), level)

    image = rendered(sandbox, encoded(source, image_format))

    levels = [image.getpixel((x, 0)) for x in range(4)]
    assert levels == [(0, 0, 0), GREY, WHITE, (1, 1, 1)]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_of_32_bits_are_stretched_from_black_to_white(sandbox: Sandbox, mode: str) -> None:
    source = Image.new(mode, (3, 1))
    for x, level in enumerate((-1000, 1000, 3000)):
        source.putpixel((x, 0), level)

    image = rendered(sandbox, encoded(source, "TIFF"))

    assert image.getpixel((0, 0)) == (0, 0, 0)
    assert_close(image.getpixel((1, 0)), GREY)
    assert image.getpixel((2, 0)) == WHITE


def test_a_blank_sheet_of_32_bits_has_one_colour(sandbox: Sandbox) -> None:
    image = rendered(sandbox, encoded(Image.new("I", (3, 3), 70_000), "TIFF"))

    assert image.getcolors() == [(9, (0, 0, 0))]


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_inks_become_light(sandbox: Sandbox, image_format: str) -> None:
    image = rendered(sandbox, encoded(Image.new("CMYK", (40, 30), (0, 255, 255, 0)), image_format))

    assert_close(image.getpixel((5, 5)), RED, by=5)


def test_a_fax_is_black_on_white(sandbox: Sandbox) -> None:
    source = Image.new("1", (40, 30), 1)
    source.paste(0, (0, 0, 20, 30))

    image = rendered(sandbox, encoded(source, "TIFF", compression="group4"))

    assert (image.getpixel((5, 5)), image.getpixel((35, 5))) == ((0, 0, 0), WHITE)


def test_an_image_beyond_the_limit_is_reduced_and_says_so() -> None:
    with (
        Sandbox(Limits(max_pixels=1800)) as sandbox,
        samples.file(samples.jpeg(orientation=6)) as file,
        sandbox.open(file) as document,
        document.render(1, dpi=72) as page,
    ):
        assert (page.image.width, page.image.height) == (30, 60)
        assert page.image.flags == (Flag(code=FlagCode.DPI_REDUCED, value="60x120->30x60, at most 1800 pixels"),)
        image = Image.frombytes("RGB", (30, 60), bytes(page.image.rgb))
    assert_close(image.getpixel((22, 15)), RED, by=8)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1, 100_000), (100_000, 1), (3, 99_999), (5000, 5000)])
def test_a_reduced_image_never_has_more_pixels_than_allowed_nor_none(size: tuple[int, int]) -> None:
    width, height = fitting_size(*size, 1000)

    assert width >= 1
    assert height >= 1
    assert width * height <= 1000


def test_a_bomb_is_too_large_and_is_not_decoded(sandbox: Sandbox) -> None:
    with samples.file(samples.bomb_png()) as file, sandbox.open(file) as document, pytest.raises(PageTooLarge):
        document.render(1, dpi=72)


def test_an_image_that_takes_too_much_memory_is_too_large() -> None:
    data = samples.png((2500, 2500))

    with (
        Sandbox(Limits(memory_bytes=30_000_000)) as sandbox,
        samples.file(data) as file,
        sandbox.open(file) as document,
        pytest.raises(PageTooLarge),
    ):
        document.render(1, dpi=72)


@pytest.mark.parametrize("broken", [1, 2, 3])
@pytest.mark.parametrize("big", [False, True])
def test_a_broken_frame_costs_that_page_only(sandbox: Sandbox, broken: int, big: bool) -> None:
    first, *others = (Image.new("RGB", (40, 30), colour) for colour in (RED, GREEN, BLUE))
    data = mapped(encoded(first, "TIFF", save_all=True, append_images=others, big_tiff=big))
    compression = data.find(struct.pack("<HH", 259, 3), frames(data)[broken - 1])
    struct.pack_into("<H", data, compression + (12 if big else 8), 9999)

    with samples.file(data[:]) as file, sandbox.open(file) as document:
        assert document.page_count == 3
        with pytest.raises(RenderCrashed):
            document.render(broken, dpi=72)
        for number in {1, 2, 3} - {broken}:
            document.render(number, dpi=72).close()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"II*\x00" + struct.pack("<I", 8) + struct.pack("<H12xI", 1, 8), (8,)),
        (b"MM\x00*" + struct.pack(">I", 8) + struct.pack(">H12xI", 1, 9000), (8,)),
        (b"II*\x00" + struct.pack("<I", 9000), ()),
        (b"II*\x00" + struct.pack("<I", 8) + struct.pack("<H", 0), ()),
        (b"II+\x00\x08\x00\x00\x00" + struct.pack("<Q", 2**64 - 1), ()),
    ],
)
def test_a_chain_of_frames_ends_where_it_repeats_or_leaves_the_file(data: bytes, expected: tuple[int, ...]) -> None:
    assert frames(mapped(data)) == expected


def mapped(data: bytes) -> mmap.mmap:
    memory = mmap.mmap(-1, len(data))
    memory[:] = data
    return memory
