"""What is read when an engine behind a server is measured: the same pages, as one document or as many."""

from dataclasses import dataclass
from itertools import cycle

import pymupdf

_SMALL = (1, 2, 3)
"""Pages of the small documents, in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """`lengths` are the pages of its documents, in the order in which they are sent."""

    name: str
    lengths: tuple[int, ...]

    @property
    def pages(self) -> int:
        return sum(self.lengths)


def one_long(pages: int) -> Mix:
    return Mix(name="long", lengths=(pages,))


def many_small(pages: int) -> Mix:
    return Mix(name="small", lengths=_small(pages))


def both(pages: int) -> Mix:
    """Half of the pages are one document, which is sent first; the rest are small ones behind it."""
    return Mix(name="mixed", lengths=(pages - pages // 2, *_small(pages // 2)))


def document(pages: int, *, number: int = 0) -> bytes:
    """A PDF of so many pages, each a letter of forty lines; no two pages are alike, in or between documents."""
    with pymupdf.open() as made:
        for page_number in range(pages):
            page = made.new_page()
            for line in range(40):
                text = f"Document {number}, page {page_number + 1}, line {line + 1}: nothing has to be decoded here."
                page.insert_text((72, 72 + 16 * line), text)
        return bytes(made.tobytes(deflate=True))


def _small(pages: int) -> tuple[int, ...]:
    lengths: list[int] = []
    for length in cycle(_SMALL):
        left = pages - sum(lengths)
        if left <= 0:
            return tuple(lengths)
        lengths.append(min(length, left))
    raise AssertionError("a cycle has no end")
