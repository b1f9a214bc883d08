"""The whole of layout: lines and pixels in, blocks in reading order out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.aligned import Aligned, split_aligned
from gpu_worker.engines.layout.figures import Figure, figure_text, find_figures, is_picture, is_surface, join_pictures
from gpu_worker.engines.layout.furniture import set_apart
from gpu_worker.engines.layout.geometry import Line, Rect, bounds, letter_width, line_height
from gpu_worker.engines.layout.labels import Style, heading_levels, is_entry, label
from gpu_worker.engines.layout.order import reading_order
from gpu_worker.engines.layout.paragraphs import Paragraph, gather, make_rows, normal_item
from gpu_worker.engines.layout.rows import group_rows
from gpu_worker.engines.layout.rules import find_grids, find_rules
from gpu_worker.engines.layout.tables import Table, ruled_table
from shared.domain.page import Label

Solid = Table | Figure

RUNNING = 24
"""Characters: a shorter line over small letters may be a heading by design."""

LISTED = 2
"""So many of the four paragraphs around an entry of a table of contents are entries too."""

IN_PICTURE = 0.8
"""A grid of which so much lies in an embedded picture is part of it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A block before it has its id and its place on the page image."""

    label: Label
    rect: Rect
    content: str = ""
    raw: str = ""
    level: int | None = None
    confidence: float | None = None


def arrange(lines: Sequence[Line], gray: npt.NDArray[np.uint8], pictures: Sequence[Rect]) -> list[Draft]:
    """Blocks in reading order. `gray` is the straightened page, `pictures` what the document embeds on it."""
    page = Rect(0.0, 0.0, float(gray.shape[1]), float(gray.shape[0]))
    lines = [line for line in lines if not is_surface(line, pictures)]
    style = Style(line_height(lines), page, letter_width(lines))
    framed = join_pictures([rect for rect in pictures if is_picture(rect, page, lines)], style.line_height)
    tables = _tables(lines, gray, framed, style)
    free = _without(lines, (line for table in tables for line in table.lines))
    figures = find_figures(gray, framed, free, [table.rect for table in tables], style.line_height)
    free = _without(free, (line for figure in figures for line in figure.lines))
    solid: list[Solid] = [*tables, *figures]
    furniture = set_apart(free, [piece.rect for piece in solid], style.page, style.line_height)
    body: list[Paragraph | Solid] = []
    for run in reading_order([*furniture.text, *solid], style.line_height):
        body.extend(_paragraphs(run, style))
    return [
        *(_furniture_draft(name, line) for name, line in furniture.top),
        *_drafts(body, style),
        *(_furniture_draft(name, line) for name, line in furniture.bottom),
    ]


def _tables(lines: Sequence[Line], gray: npt.NDArray[np.uint8], pictures: Sequence[Rect], style: Style) -> list[Table]:
    """The ruled tables; what is drawn in a picture is none. A line that an inner grid has taken is not the outer's."""
    rules = find_rules(gray, [line.rect for line in lines], style.line_height)
    tables: list[Table] = []
    for grid in find_grids(rules, style.line_height):
        free = _without(lines, (line for table in tables for line in table.lines))
        table = ruled_table(grid, free)
        if table is not None and not any(grid.rect.inside(picture) > IN_PICTURE for picture in pictures):
            tables.append(table)
    return tables


def _without(lines: Sequence[Line], taken: Iterable[Line]) -> list[Line]:
    known = {id(line) for line in taken}
    return [line for line in lines if id(line) not in known]


def _paragraphs(run: Sequence[Line | Solid], style: Style) -> list[Paragraph | Solid]:
    """One run's paragraphs, with its tables and figures where they stand among them."""
    solids = sorted((piece for piece in run if not isinstance(piece, Line)), key=lambda piece: piece.rect.y0)
    lines = sorted((piece for piece in run if isinstance(piece, Line)), key=lambda line: line.rect.middle)
    found: list[Paragraph | Solid] = []
    for solid in solids:
        above = [line for line in lines if line.rect.middle < solid.rect.y0]
        found += [*_text(above, style), solid]
        lines = lines[len(above) :]
    return found + _text(lines, style)


def _text(lines: Sequence[Line], style: Style) -> list[Paragraph | Solid]:
    found: list[Paragraph | Solid] = []
    for part in split_aligned(group_rows(lines), style.line_height):
        if isinstance(part, Aligned):
            found.append(part.table)
        else:
            found.extend(gather(make_rows(part)))
    return found


def _drafts(body: Sequence[Paragraph | Solid], style: Style) -> list[Draft]:
    labels = _labels(body, style)
    headings = [part for part, name in zip(body, labels, strict=True) if name is Label.HEADING]
    levels = iter(heading_levels([part for part in headings if isinstance(part, Paragraph)], style).values())
    drafts: list[Draft] = []
    for part, name in zip(body, labels, strict=True):
        if not isinstance(part, Paragraph):
            drafts.append(_solid_draft(part))
        elif name is Label.HEADING:
            drafts.append(_heading_draft(next(levels), part))
        elif name is Label.LIST:
            _add_item(drafts, part)
        else:
            drafts.append(_text_draft(name or Label.TEXT, part))
    return drafts


def _labels(body: Sequence[Paragraph | Solid], style: Style) -> list[Label | None]:
    """A label a paragraph, None for the rest. A footnote has no text under it, or it is text."""
    labels = [label(part, style) if isinstance(part, Paragraph) else None for part in body]
    for index, (part, following) in enumerate(pairwise(body)):
        if labels[index] is Label.HEADING and (_runs_on(part, following) or _is_listed(body, index)):
            labels[index] = Label.TEXT
    for index, part in enumerate(body):
        below = [
            name
            for other, name in zip(body, labels, strict=True)
            if other.rect.y0 > part.rect.y0 and other.rect.shared_width(part.rect) > 0
        ]
        if labels[index] is Label.FOOTNOTE and set(below) - {Label.FOOTNOTE}:
            labels[index] = Label.TEXT
    return labels


def _runs_on(part: Paragraph | Solid, following: Paragraph | Solid) -> bool:
    """Whether a sentence goes on under the line: then an initial made it large, and it is no heading."""
    if not isinstance(part, Paragraph) or not isinstance(following, Paragraph):
        return False
    gap = following.rect.y0 - part.rect.y1
    under = following.rect.shared_width(part.rect) > 0 and gap < part.height
    return under and following.text[:1].islower() and len(part.text) >= RUNNING


def _is_listed(body: Sequence[Paragraph | Solid], index: int) -> bool:
    """Whether a numbered line stands among others: in a table of contents, which has no text between its entries."""
    around = [*body[max(0, index - 2) : index], *body[index + 1 : index + 3]]
    return sum(is_entry(other) for other in around) >= LISTED and is_entry(body[index])


def _heading_draft(kind: tuple[Label, int], part: Paragraph) -> Draft:
    name, level = kind
    return Draft(name, part.rect, part.text, part.text, level, part.confidence)


def _text_draft(name: Label, part: Paragraph) -> Draft:
    return Draft(name, part.rect, part.text, part.text, None, part.confidence)


def _add_item(drafts: list[Draft], part: Paragraph) -> None:
    """Items that follow each other are one list."""
    item = normal_item(part.text)
    if not drafts or drafts[-1].label is not Label.LIST:
        drafts.append(Draft(Label.LIST, part.rect, item, part.text, None, part.confidence))
        return
    last = drafts.pop()
    confidence = min(last.confidence or 0.0, part.confidence)
    rect = bounds([last.rect, part.rect])
    drafts.append(Draft(Label.LIST, rect, f"{last.content}\n{item}", f"{last.raw}\n{part.text}", None, confidence))


def _solid_draft(piece: Solid) -> Draft:
    if isinstance(piece, Table):
        return Draft(Label.TABLE, piece.rect, piece.html, piece.html, None, piece.confidence)
    text = figure_text(piece.lines)
    return Draft(Label.FIGURE, piece.crop, text, text, None, None)


def _furniture_draft(name: Label, line: Line) -> Draft:
    return Draft(name, line.rect, line.text, line.text, None, line.confidence)
