"""Groups pieces that stand side by side into rows, read from left to right."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gpu_worker.engines.layout.geometry import Rect, bounds


class Piece(Protocol):
    """Anything with a place on the page: a line, a table, a figure."""

    @property
    def rect(self) -> Rect: ...


P = TypeVar("P", bound=Piece)

SAME_ROW = 0.5
"""Two pieces are in one row where the lower of the two shares at least half of its height with the other."""


def group_rows(pieces: Sequence[P]) -> list[list[P]]:
    """Rows from top to bottom, each from left to right. Pieces of one row never overlap each other in width."""
    rows: list[list[P]] = []
    for piece in sorted(pieces, key=lambda piece: piece.rect.middle):
        row = next((row for row in reversed(rows[-3:]) if _belongs(piece, row)), None)
        if row is None:
            rows.append([piece])
        else:
            row.append(piece)
    for row in rows:
        row.sort(key=lambda piece: piece.rect.x0)
    return sorted(rows, key=lambda row: bounds(piece.rect for piece in row).middle)


def _belongs(piece: P, row: Sequence[P]) -> bool:
    return all(_beside(piece.rect, other.rect) for other in row)


def _beside(one: Rect, other: Rect) -> bool:
    lower = min(one.height, other.height)
    return one.shared_height(other) >= SAME_ROW * lower and one.shared_width(other) < lower
