"""Engines that do what a test tells them: real implementations of the port, on the null engine."""

import heapq
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from gpu_worker.engines.null import NullEngine
from shared.domain.errors import EngineUnavailable
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


@dataclass(frozen=True, slots=True)
class InHand:
    image: PageImage
    lane: Lane
    future: Future[PageRead]


class HeldEngine:
    """Keeps every page until the test ends it, or says that the engine is away; `script` sees each as it comes."""

    def __init__(self, *, capacity: int, script: Callable[["HeldEngine", InHand], None] | None = None) -> None:
        self._null = NullEngine()
        self.capacity = capacity
        self._script = script or (lambda _engine, _page: None)
        self._changed = threading.Condition()
        self.in_hand: list[InHand] = []
        self.readings = 0
        self.trouble: str | None = None

    @property
    def settings(self) -> EngineSettings:
        return self._null.settings

    def check(self) -> None:
        if self.trouble is not None:
            raise EngineUnavailable(self.trouble)

    def has_room(self, lane: Lane) -> bool:
        return lane in Lane

    def on_room(self, wake: Callable[[], None]) -> None: ...

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        del options
        page = InHand(image, lane, Future())
        with self._changed:
            self.readings += 1
            self.in_hand.append(page)
            self._changed.notify_all()
        if self.trouble is not None:
            self.end(page, EngineUnavailable(self.trouble))
        else:
            self._script(self, page)
        return page.future

    def end(self, page: InHand, error: Exception | None = None) -> None:
        with self._changed:
            if page not in self.in_hand:
                return
            self.in_hand.remove(page)
        if error is None:
            page.future.set_result(self._null.submit(page.image, Options(), page.lane).result())
        else:
            page.future.set_exception(error)

    def end_all(self, error: Callable[[], Exception] | None = None) -> None:
        for page in self.in_hand.copy():
            self.end(page, error() if error is not None else None)

    def wait_for(self, count: int, *, lane: Lane | None = None, seconds: float = 30.0) -> None:
        """Until so many pages are in hand, of one lane where it is named."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: sum(lane in {None, page.lane} for page in self.in_hand) >= count, seconds
            ), f"{len(self.in_hand)} pages in hand"

    def close(self) -> None:
        self.trouble = "the engine is closed"
        self.end_all(lambda: EngineUnavailable("the engine was closed"))


class RequestsEngine:
    """Takes pages apart into `blocks` requests each; `slots` of those run at a time, for `seconds` each.

    As an engine behind a server does: it has room by requests, half as many again as there are slots for, so that
    each that ends is followed at once. Remembers how many were waiting or running, and when.
    """

    def __init__(self, blocks: int, *, slots: int, seconds: float, capacity: int) -> None:
        self._null = NullEngine()
        self.capacity = capacity
        self._blocks, self._slots, self._seconds = blocks, slots, seconds
        self._limits = {Lane.BULK: slots * 3 // 2, Lane.EXPRESS: slots * 2}
        self._wake: Callable[[], None] = lambda: None
        self._changed = threading.Condition()
        self._queued: dict[Lane, deque[_OpenPage]] = {lane: deque() for lane in (Lane.EXPRESS, Lane.BULK)}
        self._running: list[tuple[float, int, _OpenPage]] = []
        self._is_closed = False
        self.began = 0
        self.pages: list[tuple[float, Lane]] = []
        self.asked: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._run, name="requests", daemon=True)
        self._thread.start()

    @property
    def settings(self) -> EngineSettings:
        return self._null.settings

    def check(self) -> None: ...

    def has_room(self, lane: Lane) -> bool:
        with self._changed:
            return self._in_hand() < self._limits[lane]

    def on_room(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        page = _OpenPage(self._null.submit(image, options, lane).result(), self._blocks)
        with self._changed:
            if self._is_closed:
                page.future.set_exception(EngineUnavailable("the engine is closed"))
                return page.future
            self.pages.append((time.monotonic(), lane))
            self._queued[lane].extend([page] * self._blocks)
            self._start()
            self._changed.notify_all()
        return page.future

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        left = {id(page): page for _, _, page in self._running}
        for queue in self._queued.values():
            left |= {id(page): page for page in queue}
        for page in left.values():
            page.future.set_exception(EngineUnavailable("the engine was closed"))

    def busy_share(self, since: float, until: float) -> float:
        """The part of the slots' time between the two moments in which a request was there for them."""
        moments = [(at, asked) for at, asked in self.asked if since <= at <= until]
        ends = [at for at, _ in moments[1:]] + [until]
        used = sum((end - at) * min(asked, self._slots) for (at, asked), end in zip(moments, ends, strict=True))
        return used / (self._slots * (until - moments[0][0]))

    def _in_hand(self) -> int:
        return len(self._running) + sum(map(len, self._queued.values()))

    def _start(self) -> None:
        for queue in self._queued.values():
            while queue and len(self._running) < self._slots:
                self.began += 1
                heapq.heappush(self._running, (time.monotonic() + self._seconds, self.began, queue.popleft()))
        self.asked.append((time.monotonic(), self._in_hand()))

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._is_closed:
                    return
                left = self._running[0][0] - time.monotonic() if self._running else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                page = heapq.heappop(self._running)[2]
                self._start()
                page.left -= 1
            if not page.left:
                page.future.set_result(page.read)
            self._wake()


class _OpenPage:
    def __init__(self, read: PageRead, requests: int) -> None:
        self.read, self.left = read, requests
        self.future: Future[PageRead] = Future()
