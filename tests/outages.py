"""Services of ours that are away: real adapters of which the calls that a test names fail while it says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from shared.domain.errors import Unavailable
from shared.ports.bus import Bus
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore
from shared.wiring import Platform
from tests.pipeline import Pipeline

OutOf = Callable[..., bool]
"""Whether the call with these arguments fails."""


class _Away:
    def __init__(self, port: object, failing: dict[str, OutOf]) -> None:
        self._port, self._failing = port, failing

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return self._guarded(name, method) if name in self._failing else method

    def _guarded(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if self._failing[name](*args):
                raise Unavailable(f"{name}: told to be away")
            return method(*args, **named)

        return call


def away(platform: Platform, **failing: OutOf) -> Platform:
    """Of the store, the objects and the bus, the calls named `failing` fail where it says so of their arguments."""
    return replace(
        platform,
        store=cast("JobStore", _Away(platform.store, failing)),
        objects=cast("ObjectStore", _Away(platform.objects, failing)),
        bus=cast("Bus", _Away(platform.bus, failing)),
    )


@contextmanager
def outage(pipe: Pipeline, **failing: OutOf) -> Iterator[None]:
    """While the context is open, the pipeline's parts work on a platform of which these calls fail."""
    whole = pipe.platform
    pipe._build(away(whole, **failing))
    try:
        yield
    finally:
        pipe.reading.close()
        pipe._build(whole)
