"""Layout in processes of its own: the library keeps a core busy, mostly under the interpreter's lock, and what it loads
may crash; neither must be the worker's.
"""

import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait

import cv2

from gpu_worker.engines.vl.library import Library, threads_of
from gpu_worker.engines.vl.page import Sheet, lay_out
from shared.config import Settings
from shared.domain.errors import EngineDied, EngineUnavailable
from shared.domain.options import Options
from shared.domain.page import PageImage
from shared.observe import observe

log = logging.getLogger(__name__)


class Layouts:
    """`settings.layout_processes` pages at a time. Whoever submits more at once has them wait."""

    def __init__(self, settings: Settings) -> None:
        """Takes seconds. Raises EngineUnavailable where the models cannot be loaded."""
        self._settings = settings
        self._lock = threading.Lock()
        self._pool = self._started()

    def submit(self, image: PageImage, options: Options) -> Future[Sheet]:
        """Lay one page out; the image may go once this returns.

        The future raises what the library raises, and EngineDied where it took its process with it.
        """
        sheet: Future[Sheet] = Future()
        pixels = bytes(image.rgb)
        work = partial(_lay_out, pixels, image.width, image.height, image.dpi, options)
        try:
            laid_out = self._of_pool(work)
        except EngineUnavailable as error:
            sheet.set_exception(error)
        else:
            laid_out.add_done_callback(partial(_settle, sheet))
        return sheet

    def close(self) -> None:
        """Wait for the pages in work, a second or less each."""
        self._pool.shutdown(wait=True)

    def _of_pool(self, work: "partial[Sheet]") -> Future[Sheet]:
        with self._lock:
            try:
                return self._pool.submit(work)
            except BrokenProcessPool:
                log.warning("layout starts anew")
                self._pool = self._started()
                return self._pool.submit(work)

    def _started(self) -> ProcessPoolExecutor:
        """Every process with its models loaded. They are spawned: a fork would take the worker's threads' locks."""
        count = self._settings.layout_processes
        pool = ProcessPoolExecutor(
            count, multiprocessing.get_context("spawn"), initializer=_load, initargs=(self._settings,)
        )
        try:
            for loaded in [pool.submit(_loaded) for _ in range(count)]:
                loaded.result()
        except BrokenProcessPool as error:
            raise EngineUnavailable("layout does not start") from error
        return pool


class _Process:
    """What a process of the pool has; there is one page at a time in it."""

    library: Library


def _load(settings: Settings) -> None:
    """In the process: Ctrl-C is the worker's to handle, and without the worker there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    observe(settings, service="layout")
    cv2.setNumThreads(threads_of(settings))
    _Process.library = Library(settings)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(0)


def _loaded() -> None:
    """Done once the process is."""


def _lay_out(rgb: bytes, width: int, height: int, dpi: int, options: Options) -> Sheet:
    image = PageImage(rgb=memoryview(rgb), width=width, height=height, dpi=dpi)
    return lay_out(_Process.library, image, options)


def _settle(sheet: Future[Sheet], done: Future[Sheet]) -> None:
    error = done.exception()
    if error is None:
        sheet.set_result(done.result())
    elif isinstance(error, BrokenProcessPool):
        died = EngineDied("the layout process ended while it had the page")
        died.__cause__ = error
        sheet.set_exception(died)
    else:
        sheet.set_exception(error)
