"""Documents that were closed a moment ago and may be wanted again: by the worker after `prepare`, by the next range.

Opening one costs a process; going on with one costs nothing. It is the same document, byte for byte, so one document's
process still never sees another's.
"""

import os
import threading
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.pdf.document import Document

MOST_USES = 4
"""How often a process is gone on with: what MuPDF keeps of each page adds up against its memory limit."""


def identity(source: int, password: str | None) -> Hashable:
    """Name the file behind a descriptor, and the password that opened it."""
    stat = os.fstat(source)
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, password


class Parking:
    """`places` documents at most, the newest ones, for so many `seconds`; with no place, one ends when it is closed.

    A thread of its own ends those whose time is up and those that had to make room: it takes milliseconds each, and
    nobody who closes a document should wait for its end.
    """

    def __init__(self, places: int, *, seconds: float) -> None:
        self._places, self._seconds = places, seconds
        self._changed = threading.Condition()
        self._parked: dict[Hashable, tuple[float, Document]] = {}
        self._closed = False
        self._ender: threading.Thread | None = None

    def take(self, key: Hashable) -> "Document | None":
        with self._changed:
            found = self._parked.pop(key, None)
        return found[1] if found else None

    def put(self, key: Hashable, document: "Document") -> bool:
        """Keep the document for its time; False where there is no place at all, or it was used often enough."""
        with self._changed:
            if self._closed or not self._places or key in self._parked or document.uses >= MOST_USES:
                return False
            self._parked[key] = time.monotonic() + self._seconds, document
            if self._ender is None:
                self._ender = threading.Thread(target=self._end_old_ones, name="parking", daemon=True)
                self._ender.start()
            self._changed.notify()
        return True

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
            parked, self._parked = self._parked, {}
        for _, document in parked.values():
            document.end()
        if self._ender:
            self._ender.join()

    def _end_old_ones(self) -> None:
        while (document := self._next_to_end()) is not None:
            document.end()

    def _next_to_end(self) -> "Document | None":
        """Wait for a document whose time is up, or that is one too many; None once this is closed."""
        with self._changed:
            while not self._closed:
                oldest = next(iter(self._parked), None)
                if oldest is None:
                    self._changed.wait()
                    continue
                until, document = self._parked[oldest]
                left = until - time.monotonic()
                if left <= 0 or len(self._parked) > self._places:
                    del self._parked[oldest]
                    return document
                self._changed.wait(left)
        return None
