"""An engine that takes a set time for each page and reads so many at once: a GPU's pace, without one."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from gpu_worker.engines.null import NullEngine
from shared.domain.options import EngineSettings, Lane, Options
from shared.domain.page import PageImage, PageRead


class PacedEngine:
    def __init__(self, *, capacity: int, seconds: float) -> None:
        self.capacity, self._seconds = capacity, seconds
        self._null, self._threads = NullEngine(), ThreadPoolExecutor(capacity)
        self._lock, self._in_hand = Lock(), 0
        self._wake: Callable[[], None] = lambda: None

    @property
    def settings(self) -> EngineSettings:
        return self._null.settings

    def check(self) -> None:
        """Always there."""

    def has_room(self, lane: Lane) -> bool:
        del lane
        return self._in_hand < self.capacity

    def on_room(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        with self._lock:
            self._in_hand += 1
        return self._threads.submit(self._read, image, options, lane)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _read(self, image: PageImage, options: Options, lane: Lane) -> PageRead:
        time.sleep(self._seconds)
        read = self._null.submit(image, options, lane).result()
        with self._lock:
            self._in_hand -= 1
        self._wake()
        return read
