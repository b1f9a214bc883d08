"""The production engine: layout by the paddleocr library, blocks read by PaddleOCR-VL behind vLLM, page by page."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
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
        self._changed = threading.Condition()
        self._in_hand = 0
        self._closed = False

    @property
    def settings(self) -> EngineSettings:
        return self._settings.engine_settings

    @property
    def capacity(self) -> int:
        return self._settings.vl_pages

    def check(self) -> None:
        self._layouts.check()
        self._client.check()

    def has_room(self, lane: Lane) -> bool:
        return self._room.has(lane)

    def on_room(self, wake: Callable[[], None]) -> None:
        self._room.on_room(wake)

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        future: Future[PageRead] = Future()
        with self._changed:
            if self._closed:
                future.set_exception(EngineUnavailable("the engine is closed"))
                return future
            self._in_hand += 1
        self._room.page_came()
        future.set_running_or_notify_cancel()  # what is asked of vLLM cannot be called back
        page = _InHand(options=options, lane=lane, future=future)
        self._layouts.submit(image, options, lane).add_done_callback(partial(self._laid_out, page))
        return future

    def close(self) -> None:
        """Waits for the layouts in hand, a second or less each; what is asked of vLLM is left. Idempotent."""
        with self._changed:
            self._closed = True
        self._layouts.close()
        self._client.close()
        with self._changed:
            self._changed.wait_for(lambda: self._in_hand == 0)
        self._judges.shutdown(wait=True)

    def _laid_out(self, page: "_InHand", done: Future[Sheet]) -> None:
        error = done.exception()
        if error is not None:
            self._room.page_left()
            self._fail(page, error)
            return
        asked = questions(done.result(), page.options, page.lane, most_tokens=self._settings.vl_tokens)
        self._room.laid_out(len(asked))
        reading = Reading(done.result(), asked, self._client, self._room)
        reading.begin(partial(self._judge, page, reading))

    def _judge(self, page: "_InHand", reading: Reading) -> None:
        """Away from the thread that called: the client's has the next answer to take."""
        judged = self._judges.submit(reading.judge, partial(self._judge, page, reading))
        judged.add_done_callback(partial(self._judged, page))

    def _judged(self, page: "_InHand", done: Future[PageRead | None]) -> None:
        error = done.exception()
        if error is not None:
            self._fail(page, error)
        elif (read := done.result()) is not None:
            page.future.set_result(read)
            self._left()

    def _fail(self, page: "_InHand", error: BaseException) -> None:
        """Whatever else goes wrong in reading a page is that page's end, not the engine's."""
        if not isinstance(error, PagemillError):
            refused = PageRefused(f"{type(error).__name__} while reading the page")
            refused.__cause__ = error
            error = refused
        page.future.set_exception(error)
        self._left()

    def _left(self) -> None:
        with self._changed:
            self._in_hand -= 1
            self._changed.notify_all()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _InHand:
    """A page from its coming to its end."""

    options: Options
    lane: Lane
    future: Future[PageRead]
