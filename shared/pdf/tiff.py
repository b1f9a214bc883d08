"""Where the frames of a TIFF are: its chain of directories, after TIFF 6.0 section 2, and BigTIFF.

Pillow can count frames too, but reads each on the way, so that one broken frame would cost all.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_BIG = 43
"""The version of BigTIFF, in either byte order; TIFF itself is 42."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    first: int  # where the offset of the first directory stands
    offset: struct.Struct
    count: struct.Struct
    entry: int


def frames(data: mmap.mmap) -> tuple[int, ...]:
    """Return the offsets of the frames' directories, in order; a chain that bites its tail or leaves the file ends."""
    return tuple(_chain(data, _layout(data)))


def put_first(data: mmap.mmap, frame: int) -> None:
    """Change the header so that the file begins with a frame: to Pillow, its only image that matters."""
    layout = _layout(data)
    layout.offset.pack_into(data, layout.first, frame)


def _layout(data: mmap.mmap) -> _Layout:
    order = "<" if data[:2] == b"II" else ">"
    if _BIG in data[2:4]:
        return _Layout(first=8, offset=struct.Struct(order + "Q"), count=struct.Struct(order + "Q"), entry=20)
    return _Layout(first=4, offset=struct.Struct(order + "I"), count=struct.Struct(order + "H"), entry=12)


def _chain(data: mmap.mmap, layout: _Layout) -> Iterator[int]:
    seen = set()
    at = _number(data, layout.offset, layout.first)
    while at and at not in seen:
        entries = _number(data, layout.count, at)
        if not entries:
            return
        seen.add(at)
        yield at
        at = _number(data, layout.offset, at + layout.count.size + entries * layout.entry)


def _number(data: mmap.mmap, form: struct.Struct, at: int) -> int:
    """Return the number that stands somewhere; 0 outside the file."""
    return int(form.unpack_from(data, at)[0]) if at + form.size <= len(data) else 0
