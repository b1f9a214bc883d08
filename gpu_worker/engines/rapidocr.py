"""The CPU engine: PP-OCR's small models on onnxruntime, several pages and lines at a time in one process."""

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.config import ENGINES
from shared.domain.errors import EngineUnavailable, PagemillError, PageRefused
from shared.domain.options import EngineSettings, Lane, Options
from shared.domain.page import PageImage, PageRead

if TYPE_CHECKING:
    from gpu_worker.engines.ppocr.detect import Quads
    from gpu_worker.engines.ppocr.models import Models, Pixels
    from gpu_worker.engines.ppocr.recognise import Reading


@dataclass(order=True, slots=True)
class _Job:
    rank: tuple[bool, int]
    image: PageImage = field(compare=False)
    options: Options = field(compare=False)
    future: Future[PageRead] = field(compare=False)


class RapidOcrEngine:
    """Reads pages on `threads` CPU cores.

    A page keeps one thread for detection and layout; its lines are spread over all of them, so that a lone page is
    read on every core and several pages keep every core busy.
    """

    def __init__(self, threads: int) -> None:
        """Loads the models: about two seconds, 200 MB. A page in work takes up to 500 MB more."""
        from gpu_worker.engines.ppocr.models import load_models  # noqa: PLC0415 - costs a second where it isn't used

        self._models: Models = load_models()
        self._threads = threads
        self._pages = ThreadPoolExecutor(threads, thread_name_prefix="ocr-page")
        self._lines = ThreadPoolExecutor(threads, thread_name_prefix="ocr-line")
        self._lock = threading.Lock()
        self._waiting: list[_Job] = []
        self._running: set[Future[PageRead]] = set()
        self._numbers = itertools.count()
        self._closed = threading.Event()

    @property
    def settings(self) -> EngineSettings:
        return ENGINES["rapidocr"]

    @property
    def capacity(self) -> int:
        """One page more than threads: the next is there when one ends."""
        return self._threads + 1

    def check(self) -> None:
        """Always there."""

    def has_room(self, lane: Lane) -> bool:
        """Every page costs much the same here: `capacity` says all."""
        del lane
        return True

    def on_room(self, wake: Callable[[], None]) -> None:
        """There always is."""

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        future: Future[PageRead] = Future()
        job = _Job((lane is not Lane.EXPRESS, next(self._numbers)), image, options, future)
        with self._lock:
            if self._closed.is_set():
                future.set_exception(EngineUnavailable("the engine is closed"))
                return future
            heapq.heappush(self._waiting, job)
        self._start_next()
        return future

    def close(self) -> None:
        """Waits for the lines in hand, a second or two; nothing after them is begun."""
        with self._lock:
            self._closed.set()
            waiting, self._waiting = self._waiting, []
        for job in waiting:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(EngineUnavailable("the engine was closed"))
        self._pages.shutdown(wait=True)
        self._lines.shutdown(wait=True)

    def _start_next(self) -> None:
        with self._lock:
            job = self._next_job()
            if job is None:
                return
            reading = self._pages.submit(self._read, job.image, job.options)
        reading.add_done_callback(lambda done: self._finish(job.future, done))

    def _next_job(self) -> _Job | None:
        """The most urgent page that nobody has cancelled, now counted as running; None where none may start."""
        while not self._closed.is_set() and len(self._running) < self._threads and self._waiting:
            job = heapq.heappop(self._waiting)
            if job.future.set_running_or_notify_cancel():
                self._running.add(job.future)
                return job
        return None

    def _finish(self, future: Future[PageRead], done: Future[PageRead]) -> None:
        """Whatever else goes wrong in reading a page is that page's end, not the engine's."""
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        elif isinstance(error, PagemillError):
            future.set_exception(error)
        else:
            refused = PageRefused(f"{type(error).__name__} while reading the page")
            refused.__cause__ = error
            future.set_exception(refused)
        with self._lock:
            self._running.discard(future)
        self._start_next()

    def _read(self, image: PageImage, options: Options) -> PageRead:
        from gpu_worker.engines.ppocr.page import read_page  # noqa: PLC0415 - as above

        return read_page(self._models, self._read_lines, image, options)

    def _read_lines(self, page: "Pixels", quads: "Sequence[Quads]") -> "list[Reading]":
        return list(self._lines.map(lambda quad: self._read_line(page, quad), quads))

    def _read_line(self, page: "Pixels", quad: "Quads") -> "Reading":
        from gpu_worker.engines.ppocr.recognise import cut_line, read_line  # noqa: PLC0415 - as above

        if self._closed.is_set():
            raise EngineUnavailable("the engine was closed")
        return read_line(self._models, cut_line(page, quad))
