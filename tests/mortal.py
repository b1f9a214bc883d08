"""A platform whose process is killed between two of its effects: real adapters, and no handler that lives to tell."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from shared.ports.batches import BatchStore
from shared.ports.bus import Bus
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore
from shared.wiring import Platform

_STORED = frozenset({"add", "update", "plan", "update_page", "update_range", "log_attempt", "forget"})
_WRITTEN = frozenset({"create", "copy", "erase"})
_SENT = frozenset({"publish"})


class Killed(BaseException):
    """As by kill -9: no `except Exception` sees it, and no `finally` has an effect any more."""


class Life:
    """Ends before the effect after so many."""

    def __init__(self, effects: int) -> None:
        self.left = effects
        self.is_over = False

    def spend(self) -> None:
        if self.left == 0:
            self.is_over = True
            raise Killed
        self.left -= 1


class _Mortal:
    def __init__(self, port: object, effects: frozenset[str], life: Life) -> None:
        self._port, self._effects, self._life = port, effects, life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return self._counted(method) if name in self._effects else method

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            self._life.spend()
            return method(*args, **named)

        return call


def mortal(platform: Platform, life: Life) -> Platform:
    return replace(
        platform,
        store=cast("JobStore", _Mortal(platform.store, _STORED, life)),
        batches=cast("BatchStore", _Mortal(platform.batches, _STORED, life)),
        objects=cast("ObjectStore", _Mortal(platform.objects, _WRITTEN, life)),
        bus=cast("Bus", _Mortal(platform.bus, _SENT, life)),
    )
