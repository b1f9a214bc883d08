"""Makes docs/samples/scan.pdf, two pages that look as if they came from a scanner: no text layer, skew, grain, JPEG.

python -m docs.samples.make_scan
"""

from pathlib import Path

import cv2
import numpy as np
import pymupdf

from bench.damage import scanned
from bench.prose import ENGLISH, HEADINGS
from bench.sheet import BOLD, LETTER, MARGIN, Pixels, Sheet, draw_table, draw_wheel, render

TARGET = Path(__file__).parent / "scan.pdf"

QUALITY = 30
"""Keeps the file under 250 kB; the letters stay legible at 150 dpi."""


def main() -> None:
    document = pymupdf.open()
    for setting, degrees in ((first_page, 0.7), (second_page, -0.5)):
        page = document.new_page(width=LETTER[0], height=LETTER[1])
        page.insert_image(page.rect, stream=_jpeg(scanned(render(setting), degrees, grain=3.0)))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    document.save(TARGET, deflate=True, garbage=4, no_new_id=True)


def first_page(sheet: Sheet) -> None:
    _header(sheet)
    sheet.centred(110, "The Paper Mill at Weidenbach", 22, BOLD)
    y = sheet.column(MARGIN, 150, 484, ENGLISH[:3], 11)
    sheet.line(MARGIN, y + 18, "Table 1. What the mill made", 10, BOLD)
    draw_table(sheet, y + 30, ruled=True)
    sheet.line(MARGIN, y + 190, HEADINGS[1], 15, BOLD)
    sheet.column(MARGIN, y + 216, 484, ENGLISH[3:4], 11)
    sheet.centred(756, "12")


def second_page(sheet: Sheet) -> None:
    _header(sheet)
    sheet.line(MARGIN, 106, HEADINGS[2], 15, BOLD)
    sheet.column(MARGIN, 134, 232, ENGLISH[4:5])
    draw_wheel(sheet.page, pymupdf.Rect(MARGIN, 290, 296, 450))
    sheet.line(MARGIN, 468, "Figure 1: The wheel in 1720.", 9)
    sheet.column(MARGIN, 498, 232, ENGLISH[5:6])
    sheet.line(316, 106, HEADINGS[3], 15, BOLD)
    sheet.column(316, 134, 232, ENGLISH[6:8])
    sheet.centred(756, "13")


def _header(sheet: Sheet) -> None:
    sheet.line(MARGIN, 56, "LETTERS FROM THE VALLEY", 9)


def _jpeg(pixels: Pixels) -> bytes:
    _, packed = cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(packed)


if __name__ == "__main__":
    main()
