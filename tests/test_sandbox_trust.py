"""What a parent believes of a child that a document has taken over: nothing that it can't check."""

import fcntl
import json
import mmap
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.page import Box
from shared.pdf import wire
from shared.pdf.kind import Kind
from shared.pdf.memory import Untrusted, mapped, nameless
from shared.pdf.rendered import RenderedPage, received

WIDTH, HEIGHT = 4, 2
SIZE = WIDTH * HEIGHT * 3

linux = pytest.mark.skipif(sys.platform != "linux", reason="there are no seals elsewhere")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def pixels() -> Iterator[int]:
    fd = nameless()
    os.write(fd, bytes(range(SIZE)))
    yield fd
    os.close(fd)


def descriptors() -> set[Path]:
    return set(Path("/dev/fd").iterdir())


def reply(**changes: object) -> dict[str, Any]:
    honest = {"width": WIDTH, "height": HEIGHT, "dpi": 72, "pictures": [], "source": [WIDTH, HEIGHT]}
    return honest | changes


def believed(answer: dict[str, Any], *fds: int, kind: Kind = Kind.PDF) -> RenderedPage:
    return received(answer, list(fds), kind=kind, dpi=72, max_pixels=100)


def test_an_honest_page_is_believed(pixels: int) -> None:
    with believed(reply(pictures=[[0, 0, 2, 1]]), pixels) as page:
        assert bytes(page.image.rgb) == bytes(range(SIZE))
        assert page.image.pictures == (Box(x0=0, y0=0, x1=2, y1=1),)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 5},
        {"height": 1},
        {"width": 0},
        {"width": -4, "height": -2},
        {"width": 4.0},
        {"width": True},
        {"width": "4"},
        {"width": None},
        {"width": 2**62, "height": 2**62},
        {"width": 11, "height": 10},
        {"dpi": 73},
        {"dpi": 0},
        {"pictures": None},
        {"pictures": [[0, 0, 5, 1]]},
        {"pictures": [[1, 0, 1, 1]]},
        {"pictures": [[0, 0, 1]]},
        {"pictures": ["0011"]},
        {"pictures": [[0, 0, 1, 1]] * 1001},
    ],
)
def test_a_page_that_is_not_what_it_says_is_not_believed(pixels: int, changes: dict[str, object]) -> None:
    with pytest.raises(Untrusted):
        believed(reply(**changes), pixels)


@pytest.mark.parametrize("source", [None, [3, 2], [4, 1], [4], ["4", "2"]])
def test_an_image_cannot_have_been_smaller_than_it_is(pixels: int, source: object) -> None:
    with pytest.raises(Untrusted):
        believed(reply(source=source), pixels, kind=Kind.PNG)


def test_a_page_without_pixels_is_not_believed() -> None:
    with pytest.raises(Untrusted):
        believed(reply())


@linux
def test_memory_cannot_change_its_size_once_it_is_mapped(pixels: int) -> None:
    with mapped(pixels, SIZE):
        for size in (0, SIZE - 1, SIZE + 1):
            with pytest.raises(PermissionError):
                os.ftruncate(pixels, size)


@linux
def test_memory_that_cannot_be_sealed_is_not_mapped(pixels: int) -> None:
    fcntl.fcntl(pixels, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)

    with pytest.raises(Untrusted):
        mapped(pixels, SIZE)


@linux
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/proc/self/status", "/"])
def test_what_is_no_memory_is_not_mapped(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)

    with pytest.raises(Untrusted):
        mapped(fd, 10)
    os.close(fd)


def test_a_message_arrives_with_its_descriptors(pair: tuple[socket.socket, socket.socket], pixels: int) -> None:
    ours, theirs = pair

    wire.send(theirs, {"page": "größer"}, [pixels])
    message, (fd,) = wire.receive(ours, max_fds=1)

    assert message == {"page": "größer"}
    assert os.fstat(fd).st_ino == os.fstat(pixels).st_ino
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!I", 4) + b"\xff\xfe{}",
        struct.pack("!I", 2) + b"[]",
        struct.pack("!I", 4) + b"null",
        struct.pack("!I", 5000) + b"9" * 5000,
        struct.pack("!I", 60_000) + b"[" * 60_000,
        struct.pack("!I", wire.MAX_BYTES + 1),
        struct.pack("!I", 2**32 - 1),
    ],
)
def test_gibberish_is_garbled(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(data)

    with pytest.raises(wire.Garbled):
        wire.receive(ours, seconds=1)


@pytest.mark.parametrize("data", [b"", b"\x00", struct.pack("!I", 10) + b"{"])
def test_a_message_that_breaks_off_is_an_end(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(data)
    theirs.close()

    with pytest.raises(EOFError):
        wire.receive(ours, seconds=1)


@pytest.mark.parametrize("data", [b"", b"\x00", struct.pack("!I", 10) + b"{"])
def test_a_message_that_does_not_come_to_an_end_is_late(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(data)

    with pytest.raises(TimeoutError):
        wire.receive(ours, seconds=0.05)


def test_descriptors_that_nobody_asked_for_are_closed(pair: tuple[socket.socket, socket.socket], pixels: int) -> None:
    ours, theirs = pair
    before = descriptors()

    wire.send(theirs, {}, [pixels] * 50)
    _, fds = wire.receive(ours, max_fds=1)
    wire.close(fds)
    wire.send(theirs, {}, [pixels] * 50)
    assert wire.receive(ours) == ({}, [])

    assert descriptors() == before


def test_a_message_that_is_too_long_is_not_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(ValueError, match="too long"):
        wire.send(pair[0], {"page": "x" * wire.MAX_BYTES})


def test_the_shared_pixels_are_no_copy(pixels: int) -> None:
    with believed(reply(), pixels) as page, mmap.mmap(pixels, SIZE) as memory:
        memory[0] = 255

        assert page.image.rgb[0] == 255


def test_what_is_sent_is_json(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    wire.send(theirs, {"dpi": 72})

    assert json.loads(ours.recv(100)[4:]) == {"dpi": 72}
