"""A page being set: text in columns with true margins and indents, a drawing, a table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import pymupdf

Pixels = npt.NDArray[np.uint8]

DPI = 150
LETTER = (612.0, 792.0)
MARGIN = 64.0
SERIF, SANS, BOLD, CJK = "tiro", "helv", "hebo", "china-s"


@dataclass(slots=True)
class Sheet:
    """A page being set; `truth` grows in the order in which a person would read it."""

    page: pymupdf.Page
    truth: list[str] = field(default_factory=list)

    def line(self, x: float, y: float, text: str, size: float = 10, font: str = SERIF) -> None:
        self.page.insert_text((x, y), text, fontsize=size, fontname=font)
        self.truth.append(text)

    def centred(self, y: float, text: str, size: float = 10, font: str = SERIF) -> None:
        width = _length(text, size, font)
        self.line((LETTER[0] - width) / 2, y, text, size, font)

    def column(  # noqa: PLR0917
        self, x: float, y: float, width: float, paragraphs: Iterable[str], size: float = 10, font: str = SERIF
    ) -> float:
        """Sets paragraphs with first-line indents and returns where the next line would stand."""
        for paragraph in paragraphs:
            y = self._paragraph(x, y, width, paragraph, size, font)
            self.truth.append(paragraph)
        return y

    def _paragraph(  # noqa: PLR0917
        self, x: float, y: float, width: float, text: str, size: float, font: str
    ) -> float:
        lines = _wrapped(text, width, size, font)
        for number, line in enumerate(lines):
            indent = size * 1.4 if number == 0 else 0.0
            last = number == len(lines) - 1
            self._justified(x + indent, y, width - indent, line, size, font, ragged=last)
            y += size * (1.6 if font == CJK else 1.25)
        return y

    def _justified(  # noqa: PLR0917
        self, x: float, y: float, width: float, line: str, size: float, font: str, *, ragged: bool
    ) -> None:
        words = line.split(" ")
        natural = _length(line, size, font)
        extra = 0.0 if ragged or len(words) < 2 else (width - natural) / (len(words) - 1)
        for word in words:
            self.page.insert_text((x, y), word, fontsize=size, fontname=font)
            x += _length(word + " ", size, font) + extra


@cache
def _font(name: str) -> pymupdf.Font:
    return pymupdf.Font(name)


def _length(text: str, size: float, font: str) -> float:
    """PyMuPDF's own get_text_length counts accented letters as narrow."""
    return float(_font(font).text_length(text, size))


def _wrapped(text: str, width: float, size: float, font: str) -> list[str]:
    """Lines that fit, the first one an indent shorter; Chinese breaks anywhere."""
    pieces = list(text) if font == CJK else text.split(" ")
    joint = "" if font == CJK else " "
    lines = [""]
    for piece in pieces:
        longer = lines[-1] + joint + piece if lines[-1] else piece
        room = width - (size * 1.4 if len(lines) == 1 else 0)
        if _length(longer, size, font) > room:
            lines.append(piece)
        else:
            lines[-1] = longer
    return lines


Setting = Callable[[Sheet], None]


def render(setting: Setting, truth: list[str] | None = None) -> Pixels:
    """The page as it is set, before any damage; what is written on it is added to `truth`."""
    document = pymupdf.open()
    sheet = Sheet(document.new_page(width=LETTER[0], height=LETTER[1]), truth if truth is not None else [])
    setting(sheet)
    picture = sheet.page.get_pixmap(dpi=DPI, alpha=False)
    pixels = np.frombuffer(picture.samples, dtype=np.uint8).reshape(picture.h, picture.w, 3).copy()
    document.close()
    return pixels


def draw_wheel(page: pymupdf.Page, rect: pymupdf.Rect) -> None:
    page.draw_rect(rect, fill=(0.74, 0.71, 0.64), color=(0.3, 0.3, 0.3))
    middle, radius = (rect.tl + rect.br) / 2, rect.height * 0.4
    page.draw_circle(middle, radius, color=(0.2, 0.2, 0.2), width=4)
    for angle in np.linspace(0, np.pi, 6, endpoint=False):
        spoke = pymupdf.Point(np.cos(angle), np.sin(angle)) * radius
        page.draw_line(middle - spoke, middle + spoke, color=(0.2, 0.2, 0.2), width=3)


TABLE = (
    ("Year", "Vats", "Sheets", "Price"),
    ("1690", "2", "310,000", "4 fl. 12 kr."),
    ("1745", "3", "520,500", "5 fl. 40 kr."),
    ("1801", "4", "795,250", "6 fl. 3 kr."),
    ("1832", "1 machine", "9,400,000", "2 fl. 55 kr."),
)


def draw_table(sheet: Sheet, top: float, *, ruled: bool) -> None:
    for number, row in enumerate(TABLE):
        y = top + number * 24
        for column, text in enumerate(row):
            x = MARGIN + column * 120
            sheet.line(x + 6, y + 16, text, 10, BOLD if number == 0 else SANS)
            if ruled:
                sheet.page.draw_rect(pymupdf.Rect(x, y, x + 120, y + 24), width=0.7)
