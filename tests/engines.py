"""Engines that do what a test tells them: real implementations of the port, on the null engine."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future

from gpu_worker.engines.null import NullEngine
from shared.domain.options import EngineSettings, Lane, Options
from shared.domain.page import PageImage, PageRead


class SteadyEngine:
    """The half of the port in which an engine on the CPU never says no."""

    def check(self) -> None: ...

    def has_room(self, lane: Lane) -> bool:
        return lane in Lane

    def on_room(self, wake: Callable[[], None]) -> None: ...


class ScriptedEngine(SteadyEngine):
    """Calls `script` with each page image before it is read; what it raises is the page's future's. Counts readings."""

    def __init__(self, script: Callable[[PageImage], None] | None = None, *, capacity: int = 4) -> None:
        self._null = NullEngine()
        self.script = script
        self.capacity = capacity
        self.readings = 0
        self._lock = threading.Lock()

    @property
    def settings(self) -> EngineSettings:
        return self._null.settings

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        with self._lock:
            self.readings += 1
        if self.script is not None:
            try:
                self.script(image)
            except Exception as error:  # noqa: BLE001 - handed on, as the port says
                future: Future[PageRead] = Future()
                future.set_exception(error)
                return future
        return self._null.submit(image, options, lane)

    def close(self) -> None:
        self._null.close()


def killing(width: int) -> Callable[[PageImage], None]:
    """A script that kills its own process at a page of this width: what a page that crashes the engine does."""

    def kill(image: PageImage) -> None:
        if image.width == width:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill
