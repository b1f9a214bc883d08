"""What the sandbox's own processes give up before they look at a document.

The limits are a must on Linux: a process that can't take them on ends. All else is taken away where the system lets it.
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from pathlib import Path

from shared.pdf import seccomp
from shared.pdf.limits import Limits

_NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 16
_SAVING_ROOM = 1024 * 1024


def confine_zygote() -> bool:
    """Give up root, files, network and programs, here and in every child. Everything must be imported by now.

    False where this system filters no calls, so that a document that takes a child over may open files and sockets.
    """
    _go_first_when_memory_runs_out()
    os.chdir("/")
    with contextlib.suppress(OSError):  # not root, or a container whose users end below `nobody`
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    _give_up_capabilities()
    return seccomp.deny(seccomp.FILES, seccomp.NETWORK, seccomp.PROGRAMS, seccomp.OTHERS, seccomp.KERNEL)


def confine_child(zygote: int) -> None:
    """Die with the zygote, make no processes and send no signals."""
    _die_with(zygote)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_NPROC, 0)
    seccomp.deny(seccomp.PROCESSES, seccomp.SIGNALS)


def limit_memory(limits: Limits, *, document_bytes: int, shared_bytes: int) -> None:
    """Take on, for good, what a document of this size may use; called before the first of its bytes is looked at.

    `shared_bytes` is the address space that the zygote maps and each child with it.
    """
    _limit(resource.RLIMIT_FSIZE, max(limits.max_pixels * 3, document_bytes * 2 + _SAVING_ROOM))
    if sys.platform == "linux":  # macOS doesn't keep to it
        _limit(resource.RLIMIT_AS, shared_bytes + document_bytes + limits.memory_bytes)


def limit_cpu(seconds: float) -> None:
    """End this process (SIGXCPU) after so much more work; the parent's deadline comes first, if there is a parent."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (_lower(soft, hard), hard))


def address_space() -> int:
    """Bytes of address space that this process maps; 0 where nothing is limited by it."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = _lower(value, hard)
    resource.setrlimit(kind, (value, value))


def _lower(value: int, hard: int) -> int:
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _go_first_when_memory_runs_out() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _give_up_capabilities() -> None:
    """Root loses them with its name, where it loses that; others may have been given some."""
    if sys.platform == "linux":
        header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
        ctypes.CDLL(None).capset(header, bytes(24))


def _die_with(zygote: int) -> None:
    """Let the kernel kill this process with its parent.

    That works here since the parent has one thread: the signal comes with the end of the thread that forked.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != zygote:
        os._exit(0)
