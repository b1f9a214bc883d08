"""A real job store that tells of one of its methods each time before it is called."""

from collections.abc import Callable
from typing import Any, cast

from shared.ports.jobs import JobStore


class _WatchedStore:
    """The real store, whose `name` does `first` before it does what it does."""

    def __init__(self, store: JobStore, name: str, first: Callable[[Any], object]) -> None:
        self._store, self._name, self._first = store, name, first

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return self._watched(method) if name == self._name else method

    def _watched(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *args: Any, **named: Any) -> Any:
            self._first(first)
            return method(first, *args, **named)

        return call


def watched(store: JobStore, name: str, first: Callable[[Any], object]) -> JobStore:
    """`first`, which is given the method's first argument, may wait, note or raise."""
    return cast("JobStore", _WatchedStore(store, name, first))
