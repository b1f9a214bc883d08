"""Pages on which layout goes wrong more easily than on running text: a chart, a table of contents, a panel, a plate."""

from collections.abc import Sequence

import pymupdf

from bench.prose import ENGLISH, HEADINGS
from bench.sheet import BOLD, MARGIN, SANS, SERIF, Setting, Sheet, draw_wheel

_MILLS = ("Weidenbach", "Obertal", "Steg", "Lower Mill", "Neubruck", "Saint-Pierre", "Zell")
_SERIES = (("Writing paper", (52, 47, 30, 41, 22, 35, 12)), ("Wrapping paper", (10, 16, 24, 20, 38, 31, 55)))


def chart(sheet: Sheet) -> None:
    """Curves over a grid, slanted names under its axis, a legend beside it."""
    y = sheet.column(MARGIN, 90, 484, ENGLISH[2:4], 11)
    _draw_chart(sheet, pymupdf.Rect(MARGIN + 30, y + 20, 430, y + 200))
    sheet.line(MARGIN, y + 290, "Figure 2: Sheets a year, in thousands of reams.", 9)
    sheet.column(MARGIN, y + 320, 484, ENGLISH[5:6], 11)


def _draw_chart(sheet: Sheet, place: pymupdf.Rect) -> None:
    for number in range(7):
        y = place.y0 + place.height * number / 6
        sheet.page.draw_line((place.x0, y), (place.x1, y), color=(0.5, 0.5, 0.5), width=0.8)
        sheet.line(place.x0 - 20, y + 3, str(60 - 10 * number), 9, SANS)
    step = place.width / len(_MILLS)
    for number, name in enumerate(_MILLS):
        _slanted(sheet, pymupdf.Point(place.x0 + step * (number + 0.5), place.y1 + 12), name)
    for number, (name, values) in enumerate(_SERIES):
        color = ((0.2, 0.3, 0.6), (0.7, 0.2, 0.2))[number]
        points = [(place.x0 + step * (i + 0.5), place.y1 - place.height * v / 60) for i, v in enumerate(values)]
        sheet.page.draw_polyline(points, color=color, width=2)
        y = place.y0 + 60 + number * 20
        sheet.page.draw_line((place.x1 + 12, y), (place.x1 + 30, y), color=color, width=2)
        sheet.line(place.x1 + 34, y + 3, name, 9, SANS)


def _slanted(sheet: Sheet, end: pymupdf.Point, text: str) -> None:
    """Text that rises to the right and ends at a point."""
    start = pymupdf.Point(end.x - pymupdf.Font(SANS).text_length(text, 9), end.y)
    sheet.page.insert_text(start, text, fontsize=9, fontname=SANS, morph=(end, pymupdf.Matrix(45)))
    sheet.truth.append(text)


_CONTENTS = (
    ("1 The river", 3),
    ("1.1 Weirs and sluices", 4),
    ("1.2 Dry summers", 9),
    ("2 The work", 14),
    ("2.1 Rags", 15),
    ("2.2 The vat", 21),
    ("2.3 Felts, presses and the loft", 27),
    ("3 The machine", 33),
    ("3.1 An endless web", 34),
    ("4 The archive", 52),
)


def contents(sheet: Sheet) -> None:
    """Entries with leaders of dots, the sections set further in."""
    sheet.line(MARGIN, 90, "Contents", 18, BOLD)
    for number, (entry, page) in enumerate(_CONTENTS):
        x, y = MARGIN + (18 if "." in entry.split()[0] else 0), 130 + number * 20
        sheet.line(x, y, entry, 11)
        start = x + pymupdf.Font(SERIF).text_length(entry, 11) + 6
        dots = "." * int((520 - start) / pymupdf.Font(SERIF).text_length(".", 11))
        sheet.page.insert_text((start, y), dots, fontsize=11, fontname=SERIF)
        sheet.line(530, y, str(page), 11)
    sheet.column(MARGIN, 380, 484, ENGLISH[6:7], 11)


_PANEL = (
    "CREATE ARCHIVE <name of the mill>",
    "ON <shelf>",
    "WITH INDEX BY YEAR",
    "ENABLE;",
)
_NOTES = (
    "Names the archive that is made",
    "Says on which shelf its boxes stand",
    "Asks for an index of the day books",
    "Opens it to readers from the first day",
)


def panel(sheet: Sheet) -> None:
    """A screen in a frame: lines of a program, and beside them boxes that overlap an inner frame."""
    y = sheet.column(MARGIN, 90, 484, ENGLISH[6:7], 11)
    sheet.page.draw_rect(pymupdf.Rect(MARGIN, y + 10, 548, y + 190), color=(0.6, 0.6, 0.6))
    sheet.page.draw_rect(pymupdf.Rect(MARGIN + 8, y + 18, 440, y + 182), color=(0.4, 0.4, 0.5))
    for number, line in enumerate(_PANEL):
        sheet.line(MARGIN + 14, y + 36 + number * 40, line, 10, SANS)
    for number, note in enumerate(_NOTES):
        top = y + 40 + number * 40
        sheet.page.draw_rect(pymupdf.Rect(310, top, 540, top + 18), color=(0.2, 0.3, 0.5), width=1.2)
        sheet.line(318, top + 12, note, 9, SANS)
    sheet.line(MARGIN, y + 206, "Figure 3-1   CREATE ARCHIVE, line by line", 9)
    sheet.line(MARGIN, y + 240, HEADINGS[3], 14, BOLD)
    sheet.column(MARGIN, y + 262, 484, ENGLISH[7:], 11)


def plate(sheet: Sheet) -> None:
    """An old book's page: a drawing with its words under it, a narrow column beside it, the full width below."""
    draw_wheel(sheet.page, pymupdf.Rect(MARGIN, 90, 290, 330))
    sheet.line(MARGIN + 60, 350, "THE WHEEL AND ITS RACE.", 7)
    sheet.column(310, 96, 238, ENGLISH[:3], 11)
    sheet.column(MARGIN, 385, 484, ENGLISH[3:6], 11)


HARD: Sequence[Setting] = (chart, contents, panel, plate)
