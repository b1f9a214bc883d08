"""What the functions have in common as functions-framework runs them: their parts are built at start."""

import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import functions_framework.aio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from shared.wiring import Opened

T = TypeVar("T")

Handler = Callable[[Request], Awaitable[Response]]

target = cast("Callable[[Handler], Handler]", functions_framework.aio.http)
"""Marks a function as one that functions-framework serves; its own decorator has no types."""


class AtStart(Generic[T]):
    """Builds what one function needs, once, in the process that serves it.

    functions-framework imports every entry point and then forks the process that serves one of them. What holds
    connections must not cross that fork (gRPC does not survive it), and should be there before the first request: so it
    is built as soon as the process was forked, and a request that comes earlier waits.
    """

    def __init__(self, target: str, build: Callable[[], T]) -> None:
        self._target, self._build = target, build
        self._lock = threading.Lock()
        self._built: T | None = None
        os.register_at_fork(after_in_child=self._begin)

    def __call__(self) -> T:
        """Raises what building raises; the next call tries again."""
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built

    async def there(self) -> T:
        """As calling it, without waiting for a thread where it was built before."""
        return self._built if self._built is not None else await to_thread.run_sync(self)

    def _begin(self) -> None:
        if os.environ.get("FUNCTION_TARGET") == self._target:
            threading.Thread(target=self, name=f"start-{self._target}", daemon=True).start()


def opened_function(environment: Mapping[str, str], *, name: str, needs: Sequence[str] = ()) -> "Opened":
    """Read the settings, set up logs and spans, and open the platform that the settings name.

    `needs` are settings that Google's family leaves open and this function does not. Raises SettingsError.
    """
    # As all that is heavy, imported when the function starts.
    from shared.config import PREFIX, SettingsError, read_settings  # noqa: PLC0415
    from shared.observe import observe  # noqa: PLC0415
    from shared.wiring import opened  # noqa: PLC0415

    settings = read_settings(environment)
    missing = [need for need in needs if settings.platform == "google" and getattr(settings, need) is None]
    if missing:
        raise SettingsError([f"{name} needs {PREFIX}{need.upper()}." for need in missing])
    observe(settings, service=name)
    return opened(settings, base_url=settings.public_url or f"http://{settings.host}:{settings.port}")
