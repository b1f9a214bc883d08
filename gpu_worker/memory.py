"""How much memory this process and all below it take, as Linux counts it, and giving back what is no longer used."""

import ctypes
import os
from pathlib import Path

_PROC = Path("/proc")
_COUNTED = ("Pss_Anon:", "Pss_Shmem:")
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""glibc's alone."""


def used_mb(root: int | None = None) -> float:
    """Return MB (10^6 bytes) of the process and its descendants, this one's by default; 0 where there is no /proc.

    What they share is counted once (the sandbox's processes are forks of each other), and files that are mapped not at
    all: the system drops those where memory is wanted.
    """
    if not _PROC.joinpath("self/smaps_rollup").exists():
        return 0.0
    return sum(_used(pid) for pid in _tree(root or os.getpid())) / 1e6


def give_back_freed() -> None:
    """Return to the system the memory that this process has freed; nothing where it isn't glibc's.

    Left alone, glibc keeps free memory below whatever is still used, in an arena for every few threads: pages of some
    megabytes pass through hundreds of threads here, and what lies free grows for thousands of pages.
    """
    if _trim is not None:
        _trim(0)


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(stat.parent.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _used(pid: int) -> int:
    """Bytes; a process that ended meanwhile has none."""
    try:
        lines = _PROC.joinpath(str(pid), "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(_COUNTED))
