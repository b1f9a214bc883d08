"""The production engine: layout by the paddleocr library, blocks read by PaddleOCR-VL behind vLLM, page by page."""

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from gpu_worker.engines.vl.client import VllmClient
from gpu_worker.engines.vl.layouts import Layouts
from gpu_worker.engines.vl.page import Sheet, questions
from gpu_worker.engines.vl.reading import Reading
from gpu_worker.engines.vl.room import Room
from shared.config import Settings
from shared.domain.errors import EngineUnavailable, PagemillError, PageRefused
from shared.domain.options import EngineSettings, Lane, Options
from shared.domain.page import PageImage, PageRead

_JUDGES = 2
"""Threads that judge answers and put pages together: some milliseconds a page, and none of them the client's."""


@dataclass(order=True, slots=True)
class _Job:
    rank: tuple[bool, int]
    image: PageImage = field(compare=False)
    options: Options = field(compare=False)
    lane: Lane = field(compare=False)
    future: Future[PageRead] = field(compare=False)


class PaddleOcrVlEngine:
    """A page waits for layout by lane; its blocks are then all asked at once, and the client orders those by lane.

    Owns the client from here on, and closes it.
    """

    def __init__(self, settings: Settings, client: VllmClient) -> None:
        """Takes seconds. Raises EngineUnavailable where layout does not start; its processes' log says why."""
        self._settings = settings
        self._client = client
        self._layouts = Layouts(settings)
        self._judges = ThreadPoolExecutor(_JUDGES, thread_name_prefix="judge")
        self._room = Room(settings.vl_requests)
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._waiting: list[_Job] = []
        self._in_layout = 0
        self._in_hand = 0
        self._closed = False

    @property
    def settings(self) -> EngineSettings:
        return self._settings.engine_settings

    @property
    def capacity(self) -> int:
        return self._settings.vl_pages

    def check(self) -> None:
        self._client.check()

    def has_room(self, lane: Lane) -> bool:
        return self._room.has(lane)

    def on_room(self, wake: Callable[[], None]) -> None:
        self._room.on_room(wake)

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        future: Future[PageRead] = Future()
        job = _Job((lane is not Lane.EXPRESS, next(self._numbers)), image, options, lane, future)
        with self._changed:
            if self._closed:
                future.set_exception(EngineUnavailable("the engine is closed"))
                return future
            heapq.heappush(self._waiting, job)
            self._room.page_came()
        self._start_next()
        return future

    def close(self) -> None:
        """Waits for the layouts in hand, a second or less each; what is asked of vLLM is left."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._room.page_left()
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(EngineUnavailable("the engine was closed"))
        self._layouts.close()
        self._client.close()
        with self._changed:
            self._changed.wait_for(lambda: self._in_hand == 0)
        self._judges.shutdown(wait=True)

    def _start_next(self) -> None:
        with self._changed:
            cancelled, job = self._next_job()
            laid_out = None if job is None else self._layouts.submit(job.image, job.options)
        for _ in range(cancelled):
            self._room.page_left()
        if job is not None and laid_out is not None:
            laid_out.add_done_callback(partial(self._laid_out, job))

    def _next_job(self) -> tuple[int, _Job | None]:
        """How many pages were found cancelled, and the most urgent of the others; None where none may start."""
        cancelled = 0
        while not self._closed and self._in_layout < self._settings.layout_processes and self._waiting:
            job = heapq.heappop(self._waiting)
            if job.future.set_running_or_notify_cancel():
                self._in_layout += 1
                self._in_hand += 1
                return cancelled, job
            cancelled += 1
        return cancelled, None

    def _laid_out(self, job: _Job, done: Future[Sheet]) -> None:
        with self._changed:
            self._in_layout -= 1
        self._start_next()
        error = done.exception()
        if error is not None:
            self._room.page_left()
            self._fail(job, error)
            return
        asked = questions(done.result(), job.options, job.lane, most_tokens=self._settings.vl_tokens)
        self._room.laid_out(len(asked))
        reading = Reading(done.result(), asked, self._client, self._room)
        reading.begin(partial(self._judge, job, reading))

    def _judge(self, job: _Job, reading: Reading) -> None:
        """Away from the thread that called: the client's has the next answer to take."""
        judged = self._judges.submit(reading.judge, partial(self._judge, job, reading))
        judged.add_done_callback(partial(self._judged, job))

    def _judged(self, job: _Job, done: Future[PageRead | None]) -> None:
        error = done.exception()
        if error is not None:
            self._fail(job, error)
        elif (read := done.result()) is not None:
            job.future.set_result(read)
            self._left()

    def _fail(self, job: _Job, error: BaseException) -> None:
        """Whatever else goes wrong in reading a page is that page's end, not the engine's."""
        if not isinstance(error, PagemillError):
            refused = PageRefused(f"{type(error).__name__} while reading the page")
            refused.__cause__ = error
            error = refused
        job.future.set_exception(error)
        self._left()

    def _left(self) -> None:
        with self._changed:
            self._in_hand -= 1
            self._changed.notify_all()
