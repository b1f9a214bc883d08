"""Lengths on a page, relative to its width: the same for every resolution and page size."""

from math import sqrt
from unicodedata import east_asian_width, name

from shared.domain.page import Block, PageRead

_NARROW = 0.5
"""A Latin letter's mean width in ems; a Chinese character takes the whole em."""

_LINE_PITCH = 1.2
"""The usual distance of two lines, in ems."""

_SPACELESS = (
    "CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH", "IDEOGRAPHIC", "HALFWIDTH", "BOPOMOFO", "THAI", "LAO", "KHMER",
    "MYANMAR",
)  # fmt: skip


def left(block: Block, read: PageRead) -> float:
    return block.bbox.x0 / max(1, read.width)


def breadth(block: Block, read: PageRead) -> float:
    return block.bbox.width / max(1, read.width)


def line_count(block: Block) -> int:
    """As the content says where it has line breaks; else as many as its letters fill, the box being what it is."""
    content = block.content.strip()
    if "\n" in content:
        return content.count("\n") + 1
    ems = sum(1.0 if east_asian_width(letter) in "WF" else _NARROW for letter in content)
    return max(1, round(sqrt(block.bbox.height * ems / (_LINE_PITCH * max(1, block.bbox.width)))))


def text_height(block: Block, read: PageRead) -> float:
    """The height of one line's letters: between lines there is leading as well."""
    return block.bbox.height / (1 + _LINE_PITCH * (line_count(block) - 1)) / max(1, read.width)


def is_spaceless(character: str) -> bool:
    """Whether the character belongs to a script written without spaces between words."""
    return name(character, "").startswith(_SPACELESS)
