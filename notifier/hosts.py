"""How many callbacks may be under way to one host at the same time: one broken receiver never delays another."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class HostCap:
    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()

    @contextmanager
    def place(self, host: str) -> Iterator[bool]:
        """Yield whether there was a place; it is given back at the end."""
        with self._lock:
            free = self._busy[host] < self._most
            if free:
                self._busy[host] += 1
        try:
            yield free
        finally:
            if free:
                self._give_back(host)

    def _give_back(self, host: str) -> None:
        with self._lock:
            self._busy[host] -= 1
            if not self._busy[host]:
                del self._busy[host]
