"""Threads that begin at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def race(count: int, action: Callable[[int], T]) -> list[T]:
    """Call `action` with 0, 1, … from `count` threads at once; return what each returned, raise what one raised."""
    start = threading.Barrier(count)

    def run(index: int) -> T:
        start.wait()
        return action(index)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
