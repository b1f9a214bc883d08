"""Messages between the processes of the sandbox: a length, then JSON, with file descriptors beside the length.

Both ends treat the other's message as untrusted: it has a size limit, and it is an object or it is nothing.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

MAX_BYTES = 64 * 1024
"""The largest message is a page's list of pictures: 1,000 boxes of 30 bytes."""

STATUS = struct.Struct("!i")
"""The one message that is no JSON: how a child ended, as `os.waitstatus_to_exitcode` has it, or why it was never
forked (an errno). Sent over the leash."""

_LENGTH = struct.Struct("!I")


class Garbled(Exception):
    """The other end doesn't speak this language."""


def send(sock: socket.socket, message: Mapping[str, object], fds: Sequence[int] = ()) -> None:
    """Send one message. Raises TimeoutError by the socket's own timeout, OSError where the other end is gone."""
    body = json.dumps(message).encode()
    if len(body) > MAX_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is too long")
    head = _LENGTH.pack(len(body))
    if fds:
        socket.send_fds(sock, [head], list(fds))
        head = b""
    sock.sendall(head + body)


def receive(sock: socket.socket, *, seconds: float | None = None, max_fds: int = 0) -> tuple[dict[str, Any], list[int]]:
    """Return the next message and the descriptors that came with it, which are the caller's to close.

    `seconds` limits the whole message; None waits for ever. Raises TimeoutError, EOFError, Garbled, OSError.
    """
    end = None if seconds is None else time.monotonic() + seconds
    _set_timeout(sock, end)
    head, fds, _, _ = socket.recv_fds(sock, _LENGTH.size, max_fds)
    try:
        for fd in fds:
            os.set_inheritable(fd, False)
        head += _exactly(sock, _LENGTH.size - len(head), end) if head else b""
        return _body(sock, head, end), fds
    except BaseException:
        close(fds)
        raise


def close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


def _body(sock: socket.socket, head: bytes, end: float | None) -> dict[str, Any]:
    if not head:
        raise EOFError("the other end has closed")
    (length,) = _LENGTH.unpack(head)
    if length > MAX_BYTES:
        raise Garbled(f"a message of {length} bytes is too long")
    try:
        message = json.loads(_exactly(sock, length, end))
    except (ValueError, RecursionError) as error:
        raise Garbled("not JSON") from error
    if not isinstance(message, dict):
        raise Garbled("not an object")
    return message


def _exactly(sock: socket.socket, size: int, end: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        _set_timeout(sock, end)
        part = sock.recv(size - len(data))
        if not part:
            raise EOFError("the other end closed within a message")
        data += part
    return bytes(data)


def _set_timeout(sock: socket.socket, end: float | None) -> None:
    if end is None:
        sock.settimeout(None)
        return
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole message in time")
    sock.settimeout(left)
