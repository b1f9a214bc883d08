"""One page: laid out, turned into questions, and put together again from the answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np

from gpu_worker.engines.vl.content import shown, without_tokens
from gpu_worker.engines.vl.labels import label_of
from gpu_worker.engines.vl.library import Cut, Library, MalformedTable, table_html
from gpu_worker.engines.vl.picture import INK, Pixels
from gpu_worker.engines.vl.question import Answer, Question
from gpu_worker.engines.vl.repetition import collapsed
from shared.domain.options import Lane, Options
from shared.domain.page import Block, Box, Flag, FlagCode, Label, PageImage, PageRead

LEAST_INK = 2e-5
"""The share of a page's pixels that makes it no blank page: one short word on a letter page has four times that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page as it was laid out. `flags` are the page's own, `seconds` what layout took."""

    cuts: tuple[Cut, ...]
    width: int
    height: int
    dpi: int
    rotation: int
    flags: tuple[Flag, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a block's question. `answer` is None where the server refused it; `flags` name no block yet."""

    answer: Answer | None
    flags: tuple[Flag, ...] = ()


def lay_out(library: Library, image: PageImage, options: Options) -> Sheet:
    """Raises what the library raises. The image may go once this returns: every picture is a copy."""
    started = perf_counter()
    rgb = np.frombuffer(image.rgb, dtype=np.uint8).reshape(image.height, image.width, 3)
    page: Pixels = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), dtype=np.uint8)
    page, rotation = _prepared(library, page, options)
    cuts = tuple(library.cuts(page, charts=options.charts, seals=options.seals))
    return Sheet(
        cuts=cuts,
        width=page.shape[1],
        height=page.shape[0],
        dpi=image.dpi,
        rotation=rotation,
        flags=(*_unsupported(library, options), *(() if cuts else _why_empty(page))),
        seconds=perf_counter() - started,
    )


def questions(sheet: Sheet, options: Options, lane: Lane, *, most_tokens: int) -> dict[int, Question]:
    """What to ask, by the cut's place. The number of a formula is asked for only where it will be shown."""
    return {
        place: Question(
            picture=cut.asked.picture,
            prompt=cut.asked.prompt,
            lane=lane,
            min_pixels=cut.asked.min_pixels,
            max_pixels=cut.asked.max_pixels,
            most_tokens=most_tokens,
        )
        for place, cut in enumerate(sheet.cuts)
        if cut.asked is not None and (options.formula_numbers or label_of(cut.label) is not Label.FORMULA_NUMBER)
    }


def put_together(sheet: Sheet, told: Mapping[int, Told], usage: Mapping[str, float]) -> PageRead:
    blocks: list[Block] = []
    flags = list(sheet.flags)
    for place, cut in enumerate(sheet.cuts):
        block, doubts = _block(place, cut, told.get(place), sheet)
        blocks.append(block)
        flags.extend(Flag(code=flag.code, value=flag.value, block=block.id) for flag in doubts)
    return PageRead(
        blocks=tuple(blocks),
        width=sheet.width,
        height=sheet.height,
        dpi=sheet.dpi,
        rotation=sheet.rotation,
        flags=tuple(flags),
        usage={**usage, "layout_seconds": sheet.seconds},
    )


def _block(place: int, cut: Cut, told: Told | None, sheet: Sheet) -> tuple[Block, Iterable[Flag]]:
    block = Block(id=_id(place), label=label_of(cut.label), bbox=_within(cut.box, sheet))
    if told is None:
        return block, ()
    if told.answer is None:
        return block, (Flag(code=FlagCode.UNREAD_BLOCK), *told.flags)
    raw, confidence = told.answer.text, told.answer.confidence
    content, malformed = _content(_once(told, block.label), block.label)
    read = Block(
        id=block.id,
        label=block.label,
        bbox=block.bbox,
        content=without_tokens(content, cut.figures),
        raw=raw,
        confidence=None if confidence is None else round(confidence, 4),
    )
    return read, (*(_naming(flag, cut) for flag in told.flags), *malformed)


def _content(text: str, label: Label) -> tuple[str, tuple[Flag, ...]]:
    """A table that cannot be made out stands as the model wrote it, with a flag."""
    try:
        return shown(text, label, table_html), ()
    except MalformedTable as malformed:
        return text.strip(), (Flag(code=FlagCode.MALFORMED_TABLE, value=malformed.limit),)


def _naming(flag: Flag, cut: Cut) -> Flag:
    """A figure that a table's answer lacks is known by its token to the model, and by its block to a reader."""
    if flag.code is not FlagCode.DROPPED_FIGURE:
        return flag
    return Flag(code=flag.code, value=_id(cut.figures[flag.value]))


def _once(told: Told, label: Label) -> str:
    """The answer, without what it says again and again where that is flagged; `raw` keeps it."""
    assert told.answer is not None
    if all(flag.code is not FlagCode.REPETITION for flag in told.flags):
        return told.answer.text
    return collapsed(told.answer.text, is_table=label is Label.TABLE, was_cut=told.answer.was_cut)


def _id(place: int) -> str:
    return f"b{place + 1}"


def _within(box: tuple[int, int, int, int], sheet: Sheet) -> Box:
    """The box, cut to the page and at least a pixel large."""
    x0, y0 = min(max(0, box[0]), sheet.width - 1), min(max(0, box[1]), sheet.height - 1)
    x1, y1 = min(sheet.width, box[2]), min(sheet.height, box[3])
    return Box(x0=x0, y0=y0, x1=max(x1, x0 + 1), y1=max(y1, y0 + 1))


def _prepared(library: Library, page: Pixels, options: Options) -> tuple[Pixels, int]:
    rotation = library.rotation(page) if options.orientation and library.can_turn else 0
    if rotation:
        page = np.ascontiguousarray(np.rot90(page, -rotation // 90))
    if options.unwarp and library.can_unwarp:
        page = library.unwarped(page)
    return page, rotation


def _unsupported(library: Library, options: Options) -> list[Flag]:
    wanted = {"orientation": options.orientation, "unwarp": options.unwarp}
    missing = {"orientation": not library.can_turn, "unwarp": not library.can_unwarp}
    return [Flag(code=FlagCode.UNSUPPORTED_OPTION, value=name) for name in wanted if wanted[name] and missing[name]]


def _why_empty(page: Pixels) -> tuple[Flag, ...]:
    """A page on which layout finds nothing is blank, or was not understood; which of them must be told."""
    gray = cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    ink = np.abs(cv2.medianBlur(gray, 3).astype(np.int16) - float(np.median(gray))) > INK
    if float(ink.mean()) > LEAST_INK:
        return (Flag(code=FlagCode.UNREAD_BLOCK, value="layout found no block"),)
    return (Flag(code=FlagCode.BLANK),)
