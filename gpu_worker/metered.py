"""An engine whose pages each say how much of its time was theirs: what was paid for while it worked, shared out."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from threading import Lock

from shared.domain.options import EngineSettings, Lane, Options
from shared.domain.page import PageImage, PageRead
from shared.ports.engine import OcrEngine

SHARE = "engine_seconds"


class Meter:
    """At each moment the pages in hand share the time equally: with n of them, a second is 1/n of a second of each.

    So the shares of all pages sum up to the time in which there was at least one, however they overlap.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._in_hand = 0
        self._each = 0.0
        self._at = clock()

    def begin(self) -> float:
        """Return the mark that `end` wants."""
        with self._lock:
            self._advance()
            self._in_hand += 1
            return self._each

    def end(self, mark: float) -> float:
        """Return the share, in seconds, of the page that began with this mark."""
        with self._lock:
            self._advance()
            self._in_hand -= 1
            return self._each - mark

    def _advance(self) -> None:
        now = self._clock()
        if self._in_hand:
            self._each += (now - self._at) / self._in_hand
        self._at = now


class MeteredEngine:
    """The engine that it is given, and in the usage of each page `engine_seconds`: its share."""

    def __init__(self, engine: OcrEngine, meter: Meter | None = None) -> None:
        self._engine, self._meter = engine, meter or Meter()

    @property
    def settings(self) -> EngineSettings:
        return self._engine.settings

    @property
    def capacity(self) -> int:
        return self._engine.capacity

    def check(self) -> None:
        self._engine.check()

    def has_room(self, lane: Lane) -> bool:
        return self._engine.has_room(lane)

    def on_room(self, wake: Callable[[], None]) -> None:
        self._engine.on_room(wake)

    def submit(self, image: PageImage, options: Options, lane: Lane) -> Future[PageRead]:
        metered: Future[PageRead] = Future()
        mark = self._meter.begin()

        def ended(read: Future[PageRead]) -> None:
            share = self._meter.end(mark)
            problem = read.exception()
            if problem is not None:
                metered.set_exception(problem)
            else:
                metered.set_result(_with_share(read.result(), share))

        self._engine.submit(image, options, lane).add_done_callback(ended)
        return metered

    def close(self) -> None:
        self._engine.close()


def _with_share(read: PageRead, share: float) -> PageRead:
    return replace(read, usage={**read.usage, SHARE: round(share, 6)})
