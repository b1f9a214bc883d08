"""What is known of one page: its blocks as an engine read them, its flags, and its place in a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SCHEMA = 1


class Label(StrEnum):
    """The closed set of what a block can be; engines map their own classes onto it.

    The names follow PP-DocLayout's categories, merged where Markdown cannot tell them apart.
    """

    TITLE = "title"
    HEADING = "heading"
    TEXT = "text"
    LIST = "list"
    TABLE = "table"
    FIGURE = "figure"
    CHART = "chart"
    CAPTION = "caption"
    FORMULA = "formula"
    FORMULA_NUMBER = "formula_number"
    CODE = "code"
    SEAL = "seal"
    HEADER = "header"
    FOOTER = "footer"
    FOOTNOTE = "footnote"
    PAGE_NUMBER = "page_number"
    ASIDE = "aside"


PICTURES = frozenset({Label.FIGURE, Label.CHART, Label.SEAL})
"""Blocks whose pixels are cropped and linked; they may have text as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in pixels of the page image as it was read: origin top left, x1 and y1 exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block in reading order.

    `raw` is the engine's own answer; `content` is what is shown: plain text with a newline where a line break means
    something (a list, code), HTML `<table>` for a table, LaTeX for a formula, empty for a picture without text.
    `level` is the heading's depth, 1 to 6. `confidence` is 0 to 1, None where the engine gives none. `image` is the
    name of the cropped picture, filled in by the worker.
    """

    id: str
    label: Label
    bbox: Box
    content: str = ""
    raw: str = ""
    level: int | None = None
    confidence: float | None = None
    image: str | None = None


class FlagCode(StrEnum):
    """What a reader of the result should know about a page. Nothing is dropped without one of these."""

    BLANK = "blank"
    LOW_CONFIDENCE = "low_confidence"
    UNREADABLE_SCRIPT = "unreadable_script"
    UNSUPPORTED_OPTION = "unsupported_option"
    DPI_REDUCED = "dpi_reduced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """`value` is the figure or name behind the flag (a confidence, a limit that was hit, an option's name)."""

    code: FlagCode
    value: str = ""
    block: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageImage:
    """A rendered page: `rgb` holds `height` rows of `width` pixels of 3 bytes each, top row first, without padding.

    `dpi` is the resolution it was rendered at; for an input that is itself an image, 72 by convention of PDF units.
    `pictures` are the boxes of the images that the document embeds on this page, in pixels of this image.
    """

    rgb: memoryview
    width: int
    height: int
    dpi: int
    pictures: tuple[Box, ...] = ()
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRead:
    """What an engine returns for one page, and what the page object stores.

    `rotation` is the number of degrees, clockwise, by which the rendered image was turned before it was read (0, 90,
    180, 270); `width`, `height` and every bbox are in pixels of the turned image. `usage` counts what the reading cost,
    under the engine's own names (`seconds` is everybody's).
    """

    blocks: tuple[Block, ...]
    width: int
    height: int
    dpi: int
    rotation: int = 0
    flags: tuple[Flag, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    schema: int = SCHEMA
