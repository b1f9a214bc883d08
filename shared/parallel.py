"""Several calls at once: each is a round trip, and none needs to wait for another's."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def at_once(act: Callable[[T], R], items: Sequence[T], *, most: int) -> list[R]:
    """Return what `act` makes of each, in their order, at most so many at a time. Raises what it raises.

    What is alone is called here: a thread would only cost.
    """
    if len(items) <= 1:
        return [act(item) for item in items]
    with ThreadPoolExecutor(min(len(items), most)) as threads:
        return list(threads.map(act, items))
