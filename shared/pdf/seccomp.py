"""Take system calls away from this process and all that it forks, for good. Linux on x86-64 and ARM64 only.

A list of what is denied, not of what is allowed: which harmless calls Python, glibc and the decoders make differs from
version to version, and a reader that dies of an unlisted `rseq` reads nothing. A denied call fails with EPERM.
"""

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence

# name: (x86-64, ARM64), from the kernel's unistd_64.h and asm-generic/unistd.h; None where there is no such call.
FILES = {
    "open": (2, None),
    "creat": (85, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "truncate": (76, 45),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "mount": (165, 40),
}
NETWORK = {"socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "io_uring_setup": (425, 425)}
PROGRAMS = {"execve": (59, 221), "execveat": (322, 281)}
OTHERS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
}
KERNEL = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
PROCESSES = {"fork": (57, None), "vfork": (58, None), "clone": (56, 220), "clone3": (435, 435)}
SIGNALS = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}

Calls = Mapping[str, tuple[int, int | None]]

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Which of a call's two numbers counts, and AUDIT_ARCH_* of linux/audit.h."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ, JGE, BPF_RET
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.EPERM  # SECCOMP_RET_*
_X32 = 0x40000000  # the x86-64 kernel's second table of calls begins here; ARM64 has nothing that high
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER_MODE = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def deny(*tables: Calls) -> bool:
    """Deny the calls of `tables` to this process from now on; False where the system can't, and nothing has changed."""
    architecture = _ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or architecture is None:
        return False
    column, audit = architecture
    numbers = [number for table in tables for call in table.values() if (number := call[column]) is not None]
    code = _program(audit, numbers)
    libc = ctypes.CDLL(None)
    program = _Program(len(code) // 8, code)
    return bool(
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        and libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program), 0, 0) == 0
    )


def _program(audit: int, numbers: Sequence[int]) -> bytes:
    """Fail calls of another architecture, of the x32 table, and of `numbers`; allow the rest."""
    count = len(numbers)
    return b"".join(
        (
            _statement(_LOAD, _ARCHITECTURE),
            _statement(_JUMP_EQUAL, audit, if_false=count + 3),
            _statement(_LOAD, _NUMBER),
            _statement(_JUMP_AT_LEAST, _X32, if_true=count + 1),
            *_comparisons(numbers),
            _statement(_RETURN, _ALLOW),
            _statement(_RETURN, _FAIL),
        )
    )


def _comparisons(numbers: Sequence[int]) -> Iterable[bytes]:
    for index, number in enumerate(numbers):
        yield _statement(_JUMP_EQUAL, number, if_true=len(numbers) - index)


def _statement(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    """One struct sock_filter; jumps count the statements that are skipped."""
    return struct.pack("HBBI", code, if_true, if_false, value)
