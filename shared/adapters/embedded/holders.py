"""Which processes on this data folder still live: each holds a lock on a file of its own, which the system releases
when the process ends, however it ends.
"""

import fcntl
import os
import uuid
from collections.abc import Iterable
from pathlib import Path


class Holders:
    def __init__(self, root: Path) -> None:
        self._folder = root / "holders"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.me = uuid.uuid4().hex
        self._lock: int | None = os.open(self._folder / self.me, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def is_dead(self, holder: str) -> bool:
        try:
            descriptor = os.open(self._folder / holder, os.O_RDWR)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # nothing is known of it; its leases run out by themselves
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def bury(self, holders: Iterable[str]) -> None:
        for holder in holders:
            (self._folder / holder).unlink(missing_ok=True)

    def close(self) -> None:
        if self._lock is not None:
            (self._folder / self.me).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
