"""Documents made for tests, as bytes: small, the same at every call (unless encrypted), and none of them anybody's.

The malicious ones come with an honest page behind the bad one, so that a test can see the document go on.
"""

import struct
import tempfile
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO

import pymupdf
from PIL import Image, ImageDraw

A4 = (595, 842)
"""Width and height of a page in points."""

Colour = tuple[int, int, int]
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def file(data: bytes) -> BinaryIO:
    """Return an open file with these bytes and no name."""
    opened = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    opened.write(data)
    opened.seek(0)
    return opened


def pdf(pages: Sequence[str], *, size: tuple[int, int] = A4, rotate: int = 0) -> bytes:
    """Pages with real text, Helvetica 12 from an inch below the top left."""
    with pymupdf.open() as document:
        for text in pages:
            page = document.new_page(width=size[0], height=size[1])
            page.insert_text((72, 84), text, fontsize=12)
            page.set_rotation(rotate)
        return _saved(document)


def quick_pdf(pages: Sequence[str]) -> bytes:
    """As `pdf`, on squares: the CPU engine enlarges the shorter side to 736 pixels, so those are what it reads fastest.

    A third of a second each, beside a whole one of a page of 300 x 120 points.
    """
    return pdf(pages, size=(300, 300))


def scanned_pdf(pages: Sequence[str], *, dpi: int = 100) -> bytes:
    """Pages of one JPEG each, which shows the text, and no text to select."""
    with pymupdf.open() as document, pymupdf.open(stream=pdf(pages), filetype="pdf") as source:
        for original in source:
            scan = original.get_pixmap(dpi=dpi).tobytes("jpeg")
            document.new_page(width=A4[0], height=A4[1]).insert_image((0, 0, *A4), stream=scan)
        return _saved(document)


def corners_pdf(*, rotate: int = 0) -> bytes:
    """One page of 200 x 100 points, white; squares of 20 points: red top left, green top right, blue bottom left."""
    content = b"1 0 0 rg 0 80 20 20 re f 0 1 0 rg 180 80 20 20 re f 0 0 1 rg 0 0 20 20 re f"
    return written_pdf([_page(content, extra=b"/Rotate %d" % rotate, size=(200, 100))])


def illustrated_pdf(*boxes: tuple[float, float, float, float], rotate: int = 0) -> bytes:
    """One A4 page with an image in each box: x0, y0, x1, y1 in points from the top left, before it is turned."""
    with pymupdf.open() as document:
        page = document.new_page(width=A4[0], height=A4[1])
        for box in boxes:
            page.insert_image(box, stream=png((8, 8)), keep_proportion=False)
        page.set_rotation(rotate)
        return _saved(document)


def figure_pdf() -> bytes:
    """A small page with two lines of text around a picture with something to see."""
    picture = Image.linear_gradient("L").resize((400, 300)).convert("RGB")
    ImageDraw.Draw(picture).ellipse((60, 40, 300, 260), fill=(180, 40, 40))
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=400)
        page.insert_text((40, 50), "The mill stands beside the river.")
        page.insert_image((40, 80, 340, 305), stream=encoded(picture, "PNG"))
        page.insert_text((40, 350), "Its wheel turns by day and by night.")
        return _saved(document)


def annotated_pdf() -> bytes:
    """One page of 200 x 100 points with a filled red square annotation on its left and a filled-in text field right."""
    with pymupdf.open() as document:
        page = document.new_page(width=200, height=100)
        square = page.add_rect_annot((10, 10, 90, 90))
        square.set_colors(stroke=(1, 0, 0), fill=(1, 0, 0))
        square.update()
        field = pymupdf.Widget()
        field.field_type, field.field_name = pymupdf.PDF_WIDGET_TYPE_TEXT, "name"
        field.rect, field.field_value, field.fill_color = pymupdf.Rect(110, 10, 190, 90), "Ada", (0, 0, 1)
        page.add_widget(field)
        return _saved(document)


def encrypted_pdf(password: str, pages: Sequence[str] = ("Secret",), *, owner: str = "owner") -> bytes:
    """AES-256, so other bytes at every call; with an empty `password` anybody may open it and `owner` may change it."""
    with pymupdf.open(stream=pdf(pages), filetype="pdf") as document:
        return bytes(
            document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=password, owner_pw=owner, no_new_id=True)
        )


def certificate_pdf() -> bytes:
    """Encrypted for the holder of a certificate, so that no password opens it."""
    handler = b"<</Filter/Adobe.PubSec/V 4/Length 128/SubFilter/adbe.pkcs7.s5>>"
    return written_pdf([_page(b"")], [handler], trailer=b"/Encrypt 4 0 R/ID[(a)(b)]")


def empty_pdf() -> bytes:
    """Whole and valid, but for the pages that it hasn't."""
    return written_pdf([])


def corrupt_pdf() -> bytes:
    """Begins as a PDF; MuPDF finds nothing in it to repair."""
    return b"%PDF-1.7\n" + b"\x00\xff rubbish " * 50


def truncated_pdf() -> bytes:
    """A PDF of three pages that lost its end, and with it the table that says where all is; MuPDF repairs it."""
    return written_pdf([_page(_text("One")), _page(_text("Two")), _page(_text("Three"))]).partition(b"xref")[0]


def slow_to_open_pdf() -> bytes:
    """Damaged, with 200,000 pieces to look through for a repair: a second or so."""
    return b"%PDF-1.7\n" + b"1 0 obj<</Length 9>>endobj\n" * 200_000


def opening_bomb_pdf() -> bytes:
    """Under 1 kB; its table has an entry for object 8,388,000, so that opening takes more than 30 MB."""
    return written_pdf([_page(b"")]).replace(b"trailer", b"8388000 1\n0000000000 00000 n \ntrailer")


def huge_page_pdf(points: int = 14_400) -> bytes:
    """One square page with a side of 200 inches, the most that a PDF may have."""
    return written_pdf([_page(_text("Huge"), size=(points, points))])


def hanging_pdf() -> bytes:
    """2.7 kB. Page 1 draws a form that draws a form ten times, nine levels deep: a billion; page 2 is honest."""
    first = 3 + 4
    calls = [_form(b"/F Do " * 10, resources=b"/XObject<</F %d 0 R>>" % (first + level + 1)) for level in range(9)]
    bad = _page(b"/F Do", resources=b"/XObject<</F %d 0 R>>" % first)
    return written_pdf([bad, _page(_text("Honest"))], [*calls, _form(b"")])


def crashing_pdf() -> bytes:
    """1 kB. Page 1 is shaded by a mesh that claims 27 GB of vertices; page 2 is honest."""
    mesh = _stream(
        b"/ShadingType 5/VerticesPerRow 200000000/ColorSpace/DeviceRGB/BitsPerCoordinate 8/BitsPerComponent 8"
        b"/Decode[0 200 0 200 0 1 0 1 0 1]",
        bytes(100),
    )
    bad = _page(b"/S sh", resources=b"/Shading<</S 7 0 R>>")
    return written_pdf([bad, _page(_text("Honest"))], [mesh])


def png(size: tuple[int, int] = (40, 30), colour: Colour = RED) -> bytes:
    return encoded(Image.new("RGB", size, colour), "PNG")


def jpeg(*, orientation: int = 1, text: str = "") -> bytes:
    """120 x 60 pixels, white with a red top left quarter; `orientation` is EXIF's, for a viewer to turn it upright."""
    image = quartered()
    ImageDraw.Draw(image).text((65, 40), text, fill="black")
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif, quality=95, subsampling=0)


def tiff(frames: Sequence[Colour] = (RED, GREEN, BLUE)) -> bytes:
    """One frame of 40 x 30 pixels a colour."""
    first, *rest = (Image.new("RGB", (40, 30), colour) for colour in frames)
    return encoded(first, "TIFF", save_all=True, append_images=rest, compression="tiff_lzw")


def webp(colour: Colour = GREEN) -> bytes:
    return encoded(Image.new("RGB", (40, 30), colour), "WEBP", lossless=True)


def bomb_png() -> bytes:
    """100 bytes that say that they are 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def quartered() -> Image.Image:
    """120 x 60 pixels, white with a red top left quarter."""
    image = Image.new("RGB", (120, 60), WHITE)
    image.paste(RED, (0, 0, 60, 30))
    return image


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    target = BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def written_pdf(pages: Sequence[tuple[bytes, bytes]], others: Sequence[bytes] = (), *, trailer: bytes = b"") -> bytes:
    """A PDF by hand: 1 is the catalogue, 2 the tree; each page takes two objects from 3 on, then come `others`."""
    kids = b" ".join(b"%d 0 R" % (3 + 2 * index) for index in range(len(pages)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages))]
    for index, (page, content) in enumerate(pages):
        objects += [b"<</Type/Page/Parent 2 0 R/Contents %d 0 R%s>>" % (4 + 2 * index, page), content]
    data, offsets = b"%PDF-1.7\n", []
    for number, each in enumerate([*objects, *others], start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(offsets) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, entries)
    return data + table + b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (size, trailer, len(data))


def _page(
    content: bytes, *, resources: bytes = b"", extra: bytes = b"", size: tuple[int, int] = A4
) -> tuple[bytes, bytes]:
    font = b"/Font<</H<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    return b"/MediaBox[0 0 %d %d]/Resources<<%s%s>>%s" % (*size, font, resources, extra), _stream(b"", content)


def _text(text: str) -> bytes:
    return b"BT /H 24 Tf 72 720 Td (%s) Tj ET" % text.encode("ascii")


def _form(content: bytes, *, resources: bytes = b"") -> bytes:
    return _stream(b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<<%s>>" % resources, content)


def _stream(dictionary: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (dictionary, len(data), data)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _saved(document: "pymupdf.Document") -> bytes:
    return bytes(document.tobytes(deflate=True, no_new_id=True))
