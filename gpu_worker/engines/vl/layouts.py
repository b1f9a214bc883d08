"""Layout in processes of its own: the library keeps a core busy, mostly under the interpreter's lock, and what it loads
may crash or hang. Neither must be the worker's.
"""

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from gpu_worker.engines.vl.layout_process import PAGE_SECONDS, LayoutProcess
from gpu_worker.engines.vl.page import Sheet
from gpu_worker.lanes import Lanes
from shared.config import Settings
from shared.domain.errors import EngineUnavailable, PagemillError
from shared.domain.options import Lane, Options
from shared.domain.page import PageImage

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 5.0
"""Before a process that would not start is started again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiting:
    image: PageImage
    options: Options
    sheet: Future[Sheet] = field(default_factory=Future)


class Layouts:
    """As many pages at a time as there are processes, each with a thread that owns it; others wait, by lane.

    A page that takes its process with it takes nothing else.
    """

    def __init__(self, settings: Settings, *, page_seconds: float = PAGE_SECONDS) -> None:
        """Takes seconds. Raises EngineUnavailable where the models cannot be loaded; the processes' log says why."""
        self._processes = [LayoutProcess(settings, page_seconds=page_seconds) for _ in range(settings.layout_processes)]
        self._lanes: Lanes[_Waiting] = Lanes()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(process,), name=f"layout-{number}", daemon=True)
            for number, process in enumerate(self._processes)
        ]
        self._start_all()

    def check(self) -> None:
        """Raise EngineUnavailable where no process is there, nor was when it was last started."""
        if all(process.would_not_start for process in self._processes):
            raise EngineUnavailable("layout does not start")

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[Sheet]:
        """Have one page laid out; the image must stay until the future is done.

        The future raises PageRefused where the library stumbles, EngineDied where the page took its process with it,
        and EngineUnavailable where there is none.
        """
        waiting = _Waiting(image=image, options=options)
        self._lanes.put(waiting, lane)
        if self._stopping.is_set():
            self._give_up_waiting()  # it came while the doors closed
        return waiting.sheet

    def close(self) -> None:
        """Wait for the pages in work, a second or less each; those that wait raise EngineUnavailable. Idempotent."""
        self._stopping.set()
        self._lanes.close()
        self._give_up_waiting()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.end()

    def _start_all(self) -> None:
        """Side by side, for each takes seconds."""
        errors: list[EngineUnavailable] = []

        def start(process: LayoutProcess) -> None:
            try:
                process.start()
            except EngineUnavailable as error:
                errors.append(error)

        starting = [threading.Thread(target=start, args=(process,)) for process in self._processes]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        if errors:
            for process in self._processes:
                process.end()
            raise errors[0]
        for thread in self._threads:
            thread.start()

    def _work(self, process: LayoutProcess) -> None:
        while (waiting := self._lanes.take()) is not None:
            self._settle(waiting, process)

    def _settle(self, waiting: _Waiting, process: LayoutProcess) -> None:
        if not waiting.sheet.set_running_or_notify_cancel():
            return
        try:
            if not process.is_there:
                self._start_again(process)
            sheet = process.lay_out(waiting.image, waiting.options)
        except PagemillError as error:
            waiting.sheet.set_exception(error)
        else:
            waiting.sheet.set_result(sheet)

    def _start_again(self, process: LayoutProcess) -> None:
        """Raises EngineUnavailable; then after a pause, for the next page would only find the same."""
        if self._stopping.is_set():
            raise EngineUnavailable("layout was closed")
        log.warning("a layout process starts anew")
        try:
            process.start()
        except EngineUnavailable:
            self._stopping.wait(_PAUSE_SECONDS)
            raise

    def _give_up_waiting(self) -> None:
        for waiting in self._lanes.drain():
            if waiting.sheet.set_running_or_notify_cancel():
                waiting.sheet.set_exception(EngineUnavailable("layout was closed"))
