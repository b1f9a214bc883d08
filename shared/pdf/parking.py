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

SECONDS = 5.0
"""How long a document stays: the way from `prepare` to a worker that is free takes milliseconds."""
MOST_USES = 4
"""How often a process is gone on with: what MuPDF keeps of each page adds up against its memory limit."""


def identity(source: int, password: str | None) -> Hashable:
    """Name the file behind a descriptor, and the password that opened it."""
    stat = os.fstat(source)
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, password


class Parking:
    """`places` documents at most; with none, every document ends when it is closed."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._parked: dict[Hashable, tuple[float, Document]] = {}
        self._closed = False

    def take(self, key: Hashable) -> "Document | None":
        with self._lock:
            found = self._parked.pop(key, None)
        return found[1] if found else None

    def put(self, key: Hashable, document: "Document") -> bool:
        """Keep the document for `SECONDS`; False where there is no place, or it was used often enough."""
        with self._lock:
            full = len(self._parked) >= self._places or key in self._parked
            if self._closed or full or document.uses >= MOST_USES:
                return False
            self._parked[key] = time.monotonic() + SECONDS, document
        timer = threading.Timer(SECONDS, self._end_overdue)
        timer.daemon = True
        timer.start()
        return True

    def close(self) -> None:
        with self._lock:
            self._closed = True
            parked, self._parked = self._parked, {}
        for _, document in parked.values():
            document.end()

    def _end_overdue(self) -> None:
        now = time.monotonic()
        with self._lock:
            overdue = [key for key, (until, _) in self._parked.items() if until <= now]
            documents = [self._parked.pop(key)[1] for key in overdue]
        for document in documents:
            document.end()
