"""What is known of one page: its blocks as an engine read them, its flags, and its place in a job."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.errors import Failure
from shared.domain.options import Lane

SCHEMA = 1

KILLS_ALONE = 2
"""A page that ended its worker this often while nothing else was in flight is not tried again."""


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
    TRUNCATED = "truncated"
    REPETITION = "repetition"
    EMPTY_BLOCK = "empty_block"
    UNREAD_BLOCK = "unread_block"
    DROPPED_FIGURE = "dropped_figure"
    MALFORMED_TABLE = "malformed_table"
    """The model's answer is no table, and stands as it was given; `value` is the limit of cells where it has more."""


MAY_BE_MENDED = frozenset(
    {
        FlagCode.TRUNCATED,
        FlagCode.REPETITION,
        FlagCode.EMPTY_BLOCK,
        FlagCode.UNREAD_BLOCK,
        FlagCode.MALFORMED_TABLE,
    }
)
"""Troubles of one reading: another of the same pixels may do better."""


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

    @property
    def may_be_kept(self) -> bool:
        """Whether the same pixels may be answered with this reading from now on."""
        return MAY_BE_MENDED.isdisjoint(flag.code for flag in self.flags)


_SPAN = re.compile(r"(?P<first>r?[1-9]\d{0,5})(-(?P<last>r?[1-9]\d{0,5}))?", re.ASCII)


class PageStatus(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The record of one page of a job: where it stands in which round, and how often its reading was begun.

    `tries` is raised before a reading and taken back by a planned hand-back, so a pending page with a try left over is
    one whose worker died: a suspect, to be read alone. `tries_alone` counts those readings. A page that is done stays
    as it is for ever; one that failed stays so until a new round.

    `cache_key` names the entry of the page cache that this reading came from or may be kept as; None where there is
    none.
    """

    number: int
    round: int = 1
    status: PageStatus = PageStatus.PENDING
    tries: int = 0
    tries_alone: int = 0
    failure: Failure | None = None
    flags: tuple[Flag, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    updated_at: datetime | None = None
    cache_key: str | None = None
    schema: int = SCHEMA

    @property
    def is_suspect(self) -> bool:
        return self.tries > 0

    @property
    def may_have_been_read(self) -> bool:
        """Whether somebody began to read it, and stopped before the record said more: its object may be there.

        A try that was taken back leaves that open as well, so this asks whether the record was ever changed.
        """
        return self.updated_at is not None

    @property
    def killed_its_worker(self) -> bool:
        return self.tries_alone >= KILLS_ALONE

    def is_open(self, round_: int) -> bool:
        return self.status is PageStatus.PENDING and self.round == round_

    def started(self, *, round_: int, now: datetime) -> "Page":
        if not self.is_open(round_):
            return self
        alone = self.tries_alone + (1 if self.is_suspect else 0)
        return replace(self, tries=self.tries + 1, tries_alone=alone, updated_at=now)

    def handed_back(self, *, round_: int, now: datetime) -> "Page":
        if not self.is_open(round_):
            return self
        tries = max(0, self.tries - 1)
        return replace(self, tries=tries, tries_alone=max(0, self.tries_alone - (1 if tries else 0)), updated_at=now)

    def done(self, read: "PageRead", *, round_: int, now: datetime, cache_key: str | None = None) -> "Page":
        if not self.is_open(round_):
            return self
        read_now = replace(self, status=PageStatus.DONE, flags=read.flags, usage=read.usage, updated_at=now)
        return replace(read_now, cache_key=cache_key if read.may_be_kept else None)

    def failed(self, failure: Failure, *, round_: int, now: datetime) -> "Page":
        if not self.is_open(round_):
            return self
        return replace(self, status=PageStatus.FAILED, failure=failure, updated_at=now)

    def retried(self, *, round_: int, now: datetime) -> "Page":
        """Open the page again for a new round; one that is done stands."""
        if self.status is PageStatus.DONE or self.round >= round_:
            return self
        return Page(number=self.number, round=round_, updated_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRange:
    """Some pages of a job that travel as one message.

    A claim says which worker has them, until when unless it says so again; it is advice, not a lock.
    """

    id: str
    round: int
    pages: tuple[int, ...]
    lane: Lane
    recipe: str
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    schema: int = SCHEMA

    def is_claimed(self, *, now: datetime) -> bool:
        return self.claimed_until is not None and self.claimed_until > now

    def claimed(self, *, by: str, now: datetime, until: datetime) -> "PageRange":
        """Claim the range, unless a living claim is on it."""
        return self if self.is_claimed(now=now) else replace(self, claimed_by=by, claimed_until=until)

    def kept(self, *, by: str, until: datetime) -> "PageRange":
        """Prolong one's own claim."""
        return replace(self, claimed_until=until) if self.claimed_by == by else self

    def given_up(self, *, by: str) -> "PageRange":
        return replace(self, claimed_by=None, claimed_until=None) if self.claimed_by == by else self


def cut(numbers: Sequence[int], *, size: int, round_: int, lane: Lane, recipe: str) -> tuple[PageRange, ...]:
    """Cut page numbers into ranges of at most `size`, as even as they come: 9 pages become 5 and 4, not 8 and 1."""
    count = -(-len(numbers) // size)
    base, longer = divmod(len(numbers), count) if count else (0, 0)
    ranges, start = [], 0
    for index in range(count):
        end = start + base + (1 if index < longer else 0)
        ranges.append(
            PageRange(
                id=f"{round_}-{index + 1:04d}", round=round_, pages=tuple(numbers[start:end]), lane=lane, recipe=recipe
            )
        )
        start = end
    return tuple(ranges)


def select(selection: str | None, count: int) -> tuple[int, ...]:
    """Return the 1-based page numbers that `selection` names in a document of `count` pages, ascending, each once.

    The syntax is "1-5,8,r3-r1": comma-separated pages or ranges, r counting from the end (r1 is the last page). Raises
    ValueError where the syntax is wrong or a page is outside the document: a page asked for is never left out silently.
    """
    if selection is None:
        return tuple(range(1, count + 1))
    return tuple(sorted({number for part in selection.split(",") for number in _span(part.strip(), count)}))


def check_selection(selection: str) -> None:
    """Raise ValueError where the syntax is wrong, before anybody knows how many pages there are."""
    for part in selection.split(","):
        if not _SPAN.fullmatch(part.strip()):
            raise ValueError(f"{part.strip()!r} is not a page or a range of pages")


def _span(part: str, count: int) -> range:
    match = _SPAN.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is not a page or a range of pages")
    first = _number(match["first"], count)
    last = _number(match["last"], count) if match["last"] else first
    if not 1 <= first <= last <= count:
        raise ValueError(f"{part!r} is not within the {count} pages of the document")
    return range(first, last + 1)


def _number(text: str, count: int) -> int:
    return count + 1 - int(text[1:]) if text.startswith("r") else int(text)
