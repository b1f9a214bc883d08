"""Makes the pages that reading is measured on, with the text that is truly on them, in reading order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pymupdf

from bench.damage import Damage, coarse, scanned, turned
from bench.hard_pages import HARD, chart, panel
from bench.prose import CHINESE, ENGLISH, FRENCH, GERMAN, HEADINGS
from bench.sheet import BOLD, CJK, MARGIN, SANS, SERIF, Pixels, Setting, Sheet, draw_table, draw_wheel, render


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPage:
    """`pixels` are RGB; `truth` is the page's text in reading order."""

    name: str
    pixels: Pixels
    truth: str


def one_column(sheet: Sheet) -> None:
    sheet.centred(96, "The Paper Mill at Weidenbach", 22, BOLD)
    y = sheet.column(MARGIN, 140, 484, ENGLISH[:3], 11)
    sheet.line(MARGIN, y + 16, HEADINGS[1], 15, BOLD)
    sheet.column(MARGIN, y + 42, 484, ENGLISH[3:6], 11)
    sheet.centred(752, "7", 10)


def two_columns(sheet: Sheet) -> None:
    sheet.centred(90, "A Short History of One Mill", 20, BOLD)
    sheet.centred(114, "Told from its day books", 11)
    y = sheet.column(MARGIN, 150, 232, ENGLISH[:2])
    sheet.line(MARGIN, y + 14, HEADINGS[1], 13, BOLD)
    sheet.column(MARGIN, y + 36, 232, ENGLISH[2:4])
    y = sheet.column(316, 150, 232, ENGLISH[4:6])
    sheet.line(316, y + 14, HEADINGS[3], 13, BOLD)
    sheet.column(316, y + 36, 232, ENGLISH[6:])


def narrow_gutter(sheet: Sheet) -> None:
    """Columns 11 points apart, set at the same heights: what detection runs together."""
    sheet.column(MARGIN, 90, 236, ENGLISH[:5])
    sheet.column(MARGIN + 247, 90, 236, (*ENGLISH[5:], *FRENCH))


def newspaper(sheet: Sheet) -> None:
    sheet.centred(80, "THE VALLEY COURIER", 30, BOLD)
    sheet.centred(108, "Flood carries off the sluice and the year's stock", 14, BOLD)
    for number in range(3):
        x = 48 + number * 177
        sheet.column(x, 140, 162, ENGLISH[number * 2 : number * 2 + 2], 9)
    sheet.centred(430, "Librarians count the cost of brown paper", 16, BOLD)
    for number, paragraphs in enumerate((ENGLISH[6:7], ENGLISH[7:8], GERMAN + FRENCH)):
        sheet.column(48 + number * 177, 460, 162, paragraphs, 9)


def with_figure(sheet: Sheet) -> None:
    sheet.column(MARGIN, 90, 232, ENGLISH[:2])
    draw_wheel(sheet.page, pymupdf.Rect(MARGIN, 330, 296, 500))
    sheet.line(MARGIN, 520, "Figure 1: The wheel in 1720.", 9)
    sheet.column(MARGIN, 548, 232, ENGLISH[5:6])
    sheet.column(316, 90, 232, ENGLISH[2:5])


def book_page(sheet: Sheet) -> None:
    sheet.line(MARGIN, 60, "42", 10)
    sheet.line(250, 60, "THE RIVER AND THE MILL", 10)
    y = sheet.column(MARGIN, 100, 484, (*ENGLISH[3:8], *GERMAN), 11.5)
    sheet.page.draw_line((MARGIN, y + 20), (MARGIN + 120, y + 20), width=0.5)
    sheet.line(MARGIN, y + 34, "1 The ledger is kept in the archive, shelf 14.", 8)
    sheet.line(MARGIN, y + 46, "2 Nothing is known of the widow after 1702.", 8)


def ruled_table(sheet: Sheet) -> None:
    y = sheet.column(MARGIN, 90, 484, ENGLISH[:2], 11)
    sheet.line(MARGIN, y + 20, "Table 1. What the mill made", 10, BOLD)
    draw_table(sheet, y + 34, ruled=True)
    sheet.column(MARGIN, y + 190, 484, ENGLISH[4:6], 11)


def open_table(sheet: Sheet) -> None:
    y = sheet.column(MARGIN, 90, 484, ENGLISH[2:4], 11)
    draw_table(sheet, y + 34, ruled=False)
    sheet.column(MARGIN, y + 190, 484, ENGLISH[5:7], 11)


def form(sheet: Sheet) -> None:
    sheet.line(MARGIN, 90, "Application for access to the archive", 18, BOLD)
    fields = (
        ("Name", "Margarete Lindqvist"),
        ("Street", "Uferweg 14"),
        ("Town", "Weidenbach"),
        ("Born", "3 March 1971"),
        ("Institution", "University of Basel"),
        ("Shelf mark", "W 1745/3"),
        ("Purpose", "Watermarks of the 1740s"),
    )
    for number, (name, value) in enumerate(fields):
        y = 140 + number * 30
        sheet.line(MARGIN, y, f"{name}:", 11, SANS)
        sheet.line(MARGIN + 130, y, value, 11, SERIF)
        sheet.page.draw_line((MARGIN + 128, y + 4), (548, y + 4), width=0.5)
    sheet.column(MARGIN, 380, 484, ENGLISH[6:7], 10)


def receipt(sheet: Sheet) -> None:
    sheet.centred(80, "WEIDENBACH PAPER SHOP", 14, BOLD)
    sheet.centred(98, "Mill Lane 2, open daily 9 to 17", 9, SANS)
    goods = (
        ("Writing paper A4", "12.50"),
        ("Blotting paper", "3.20"),
        ("Envelopes, 25", "8.75"),
        ("Ink, black", "6.00"),
    )
    for number, (name, price) in enumerate((*goods, ("TOTAL", "30.45"))):
        sheet.line(200, 140 + number * 18, name, 10, "cour")
        sheet.line(360, 140 + number * 18, price, 10, "cour")
    sheet.centred(250, "Thank you for your visit", 9, SANS)


def listed(sheet: Sheet) -> None:
    sheet.line(MARGIN, 90, "How a page is read", 18, BOLD)
    items = (
        "It is rendered in a sandbox.",
        "It is turned upright.",
        "Its lines are found and read.",
        "Lines become text.",
    )
    for number, item in enumerate(items):
        sheet.line(
            MARGIN + 10, 130 + number * 18, f"\u2022 {item}" if number % 2 else f"{number + 1}. {item}", 11, SANS
        )
    sheet.column(MARGIN, 230, 484, (*ENGLISH[6:], *FRENCH, *GERMAN), 11, SANS)


def chinese(sheet: Sheet) -> None:
    sheet.centred(96, "纸的历史", 22, CJK)
    sheet.column(MARGIN, 140, 484, CHINESE, 12, CJK)


def chinese_columns(sheet: Sheet) -> None:
    sheet.centred(96, "老作坊的新生活", 20, CJK)
    sheet.column(MARGIN, 140, 228, CHINESE[:2], 11, CJK)
    sheet.column(320, 140, 228, CHINESE[2:], 11, CJK)


SETTINGS: Sequence[Setting] = (
    one_column,
    two_columns,
    narrow_gutter,
    newspaper,
    with_figure,
    book_page,
    ruled_table,
    open_table,
    form,
    receipt,
    listed,
    chinese,
    chinese_columns,
    *HARD,
)


DAMAGED: Sequence[tuple[Setting, str, Damage]] = (
    (one_column, "scanned", scanned),
    (two_columns, "scanned", lambda pixels: scanned(pixels, -2.0)),
    (book_page, "scanned", lambda pixels: scanned(pixels, 0.8, 14.0, 40)),
    (newspaper, "scanned", lambda pixels: scanned(pixels, 1.0)),
    (with_figure, "scanned", lambda pixels: scanned(pixels, -1.0)),
    (ruled_table, "scanned", lambda pixels: scanned(pixels, 1.5)),
    (chinese_columns, "scanned", lambda pixels: scanned(pixels, 1.5)),
    (two_columns, "coarse", coarse),
    (one_column, "turned 90", turned(1)),
    (two_columns, "turned 180", turned(2)),
    (chinese, "turned 270", turned(3)),
    (chart, "scanned", lambda pixels: scanned(pixels, 0.8)),
    (ruled_table, "steep", lambda pixels: scanned(pixels, -3.0)),
    (panel, "turned 90", turned(1)),
)


def quality_pages() -> Iterable[QualityPage]:
    """Seventeen clean pages and fourteen damaged ones, one at a time."""
    for setting in SETTINGS:
        yield make_page(setting)
    for setting, how, damage in DAMAGED:
        clean = make_page(setting)
        yield QualityPage(name=f"{clean.name}, {how}", pixels=damage(clean.pixels), truth=clean.truth)


def make_page(setting: Setting) -> QualityPage:
    truth: list[str] = []
    pixels = render(setting, truth)
    return QualityPage(name=setting.__name__.replace("_", " "), pixels=pixels, truth="\n\n".join(truth))
