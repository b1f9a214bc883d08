"""The whole of layout: lines and pixels in, blocks in reading order out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_worker.engines.layout.aligned import Aligned, split_aligned
from gpu_worker.engines.layout.context import labels_in_context
from gpu_worker.engines.layout.figures import Figure, figure_text, find_figures, is_picture, is_surface, join_pictures
from gpu_worker.engines.layout.furniture import set_apart
from gpu_worker.engines.layout.geometry import Line, Rect, bounds, letter_width, line_height
from gpu_worker.engines.layout.labels import Style, heading_levels
from gpu_worker.engines.layout.order import reading_order
from gpu_worker.engines.layout.panels import find_panels
from gpu_worker.engines.layout.paragraphs import Paragraph, gather, make_rows, normal_item
from gpu_worker.engines.layout.rows import group_rows
from gpu_worker.engines.layout.rules import Grid, find_grids, find_rules
from gpu_worker.engines.layout.tables import Table, ruled_table
from shared.domain.page import Label

Solid = Table | Figure

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
    solid = _solids(lines, gray, framed, style)
    free = _without(lines, (line for piece in solid for line in piece.lines))
    furniture = set_apart(free, [piece.rect for piece in solid], style.page, style.line_height)
    body: list[Paragraph | Solid] = []
    for run in reading_order([*furniture.text, *solid], style.line_height):
        body.extend(_paragraphs(run, style))
    return [
        *(_furniture_draft(name, line) for name, line in furniture.top),
        *_drafts(body, style),
        *(_furniture_draft(name, line) for name, line in furniture.bottom),
    ]


def _solids(lines: Sequence[Line], gray: npt.NDArray[np.uint8], pictures: Sequence[Rect], style: Style) -> list[Solid]:
    """Tables, panels and figures, each with its lines."""
    height = style.line_height
    grids = find_grids(find_rules(gray, [line.rect for line in lines], height), height)
    grids = [grid for grid in grids if not any(grid.rect.inside(picture) > IN_PICTURE for picture in pictures)]
    tables = _tables(lines, grids)
    taken = [table.rect for table in tables]
    free = _without(lines, (line for table in tables for line in table.lines))
    drawn = [grid.rect for grid in grids if grid.rect not in taken]
    panels = find_panels(drawn, free, [*taken, *pictures], height)
    free = _without(free, (line for panel in panels for line in panel.lines))
    figures = find_figures(gray, pictures, free, [*taken, *(panel.rect for panel in panels)], height)
    return [*tables, *panels, *figures]


def _tables(lines: Sequence[Line], grids: Sequence[Grid]) -> list[Table]:
    """The ruled tables. A line that an inner grid has taken is not the outer's."""
    tables: list[Table] = []
    for grid in grids:
        table = ruled_table(grid, _without(lines, (line for table in tables for line in table.lines)))
        if table is not None:
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
    labels = labels_in_context(body, style)
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
