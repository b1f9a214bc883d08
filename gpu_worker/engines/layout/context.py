"""Labels that depend on what stands around a paragraph."""

from collections.abc import Sequence

from gpu_worker.engines.layout.labels import Style, is_entry, label
from gpu_worker.engines.layout.paragraphs import Paragraph
from gpu_worker.engines.layout.rows import Piece
from shared.domain.page import Label

RUNNING = 24
"""Characters: a shorter line over small letters may be a heading by design."""

LISTED = 2
"""So many of the four paragraphs around an entry of a table of contents are entries too."""


def labels_in_context(body: Sequence[Piece], style: Style) -> list[Label | None]:
    """A label a paragraph, None for the rest."""
    labels = [label(part, style) if isinstance(part, Paragraph) else None for part in body]
    for index, name in enumerate(labels):
        if name is Label.HEADING and (_runs_on(body, index) or _is_listed(body, index)):
            labels[index] = Label.TEXT
    for index, name in enumerate(labels):
        if name is Label.FOOTNOTE and _has_text_below(body, labels, index):
            labels[index] = Label.TEXT
    return labels


def _has_text_below(body: Sequence[Piece], labels: Sequence[Label | None], index: int) -> bool:
    """A footnote has none under it."""
    place = body[index].rect
    below = (
        name
        for part, name in zip(body, labels, strict=True)
        if part.rect.y0 > place.y0 and part.rect.shared_width(place) > 0
    )
    return any(name is not Label.FOOTNOTE for name in below)


def _runs_on(body: Sequence[Piece], index: int) -> bool:
    """Whether a sentence goes on under the line: then an initial made it large, and it is no heading."""
    part = body[index]
    under = (other for other in body[index + 1 : index + 4] if isinstance(other, Paragraph))
    close = [other for other in under if other.rect.shared_width(part.rect) > 0 and _gap(part, other) < other.height]
    long = isinstance(part, Paragraph) and len(part.text) >= RUNNING
    return long and any(other.text[:1].islower() for other in close)


def _gap(above: Piece, below: Piece) -> float:
    return below.rect.y0 - above.rect.y1


def _is_listed(body: Sequence[Piece], index: int) -> bool:
    """Whether a numbered line stands among others: in a table of contents, which has no text between its entries."""
    around = [*body[max(0, index - 2) : index], *body[index + 1 : index + 3]]
    return sum(is_entry(other) for other in around) >= LISTED and is_entry(body[index])
