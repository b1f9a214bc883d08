"""Files without a name that hold pixels, shared between a child that writes and a parent that doesn't trust it."""

import fcntl
import mmap
import os
import sys
import tempfile


class Untrusted(Exception):
    """The memory that was handed over is not what was said."""


def nameless() -> int:
    """Return a descriptor of a file that no path leads to, gone with its last descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pagemill", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:  # macOS
        return os.dup(file.fileno())


def mapped(fd: int, size: int) -> mmap.mmap:
    """Map memory that came from a child, for reading; `size` is what the child said. Raises Untrusted.

    The file is sealed before it is measured: were it made shorter later, reading would kill this process (SIGBUS).
    """
    try:
        _seal(fd)
        actual = os.fstat(fd).st_size
        if actual != size:
            raise Untrusted(f"{actual} bytes instead of {size}")
        return mmap.mmap(fd, size, prot=mmap.PROT_READ)
    except OSError as error:
        raise Untrusted("not memory that can be sealed and mapped") from error


def _seal(fd: int) -> None:
    if sys.platform == "linux":  # elsewhere there are no seals, and a child that was taken over can end its parent
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
