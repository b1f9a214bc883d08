"""What a child knows of its document: pages that it can draw into shared memory."""

import os
from dataclasses import dataclass
from typing import Protocol

from shared.domain.page import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A page in shared memory: RGB rows without padding behind `fd`, which whoever holds this closes.

    `source_width` and `source_height` are what an image had before it was reduced; a PDF page has none of its own.
    """

    fd: int
    width: int
    height: int
    dpi: int
    pictures: tuple[Box, ...] = ()
    source_width: int | None = None
    source_height: int | None = None


class Pages(Protocol):
    @property
    def count(self) -> int: ...

    @property
    def encrypted(self) -> bool:
        """Whether a password was needed."""

    def draw(self, number: int, *, dpi: int) -> Drawn:
        """Draw one page, counted from 1. Raises PageTooLarge, or whatever the decoder raises."""


def write(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data`; one write moves 2 GB at most, or less."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
