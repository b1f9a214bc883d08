"""Several calls at once: each is a round trip, and none needs to wait for another's."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def at_once(act: Callable[[T], R], items: Sequence[T], *, most: int) -> list[R]:
    """Return what `act` makes of each, in their order, at most so many at a time. Raises what it raises.

    The last is called here: a thread for it would only cost.
    """
    if len(items) <= 1 or most <= 1:
        return [act(item) for item in items]
    with ThreadPoolExecutor(min(len(items), most) - 1) as threads:
        others = threads.map(act, items[:-1])
        last = act(items[-1])
        return [*others, last]
