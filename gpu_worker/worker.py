"""The worker: takes page ranges of both lanes, feeds one engine page by page, stops without losing any."""

import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from gpu_worker.checkup import Checkup
from gpu_worker.claims import RENEW_SECONDS, Claims
from gpu_worker.commit import Reading
from gpu_worker.feed import Feed
from gpu_worker.liveness import Liveness
from gpu_worker.memory import give_back_freed
from gpu_worker.metered import MeteredEngine
from gpu_worker.process import read_range
from gpu_worker.slots import Slots
from shared.consume import Consumer, Periodic
from shared.domain.messages import PAGES, Message, ReadRange
from shared.domain.options import Lane
from shared.pdf.sandbox import Sandbox
from shared.ports.engine import OcrEngine
from shared.wiring import Platform

AHEAD = 1
"""Pages that are rendered while every place in the engine is taken, so that none of them waits for a page."""
_ROOM_SECONDS = 1.0
"""An engine says when it has room; one that forgets costs this long."""
_GIVE_BACK_SECONDS = 5.0


class Worker:
    """Owns the engine from here on, and closes it. `ranges` is how many ranges of each lane are in hand at once."""

    def __init__(self, platform: Platform, sandbox: Sandbox, engine: OcrEngine, *, ranges: int | None = None) -> None:
        engine = MeteredEngine(engine)
        capacity = engine.capacity + AHEAD
        metrics = platform.metrics
        self._engine = engine
        self._slots = Slots(capacity, engine.has_room, freed=self._look_again)
        self._checkup = Checkup(engine, self._engine_changed, metrics=metrics)
        self._feed = Feed(self._slots, self._why_not, ranges=ranges or capacity, changed=self._look_again)
        self._claims = Claims(platform.store, platform.clock, me=uuid.uuid4().hex)
        self._reading = Reading(
            platform=platform,
            sandbox=sandbox,
            engine=engine,
            slots=self._slots,
            claims=self._claims,
            liveness=Liveness(platform.store),
            finishers=ThreadPoolExecutor(capacity, thread_name_prefix="finish"),
            aside=ThreadPoolExecutor(capacity, thread_name_prefix="aside"),
            engine_failed=self._checkup.soon,
        )
        self._lanes = [
            Consumer(
                platform.bus,
                topic,
                partial(self._handle, lane),
                threads=ranges or capacity,
                metrics=metrics,
                may_pull=partial(self._feed.may_pull, lane),
            )
            for lane, topic in PAGES.items()
        ]
        self._renewal = Periodic("claims", self._claims.renew, seconds=RENEW_SECONDS, metrics=metrics)
        # In a thread of its own: whoever says that there is room may hold what `has_room` waits for.
        self._room = Periodic("engine-room", self._slots.look_again, seconds=_ROOM_SECONDS, metrics=metrics)
        self._giving_back = Periodic("freed-memory", give_back_freed, seconds=_GIVE_BACK_SECONDS, metrics=metrics)
        self._is_finishing = False
        self.ranges_done = 0

    def start(self) -> None:
        """Pages are taken as soon as the engine is there."""
        self._engine.on_room(self._room.soon)
        self._renewal.start()
        self._room.start()
        self._giving_back.start()
        self._checkup.start()
        for lane in self._lanes:
            lane.start()

    def finish(self) -> None:
        """Take no more ranges; those in hand are read to their end. Idempotent."""
        self._is_finishing = True
        for lane in self._lanes:
            lane.stop()

    @property
    def has_finished(self) -> bool:
        return self._is_finishing and all(lane.join(0) for lane in self._lanes)

    def stop(self, *, grace: float) -> None:
        """Hand back at once what is in flight, and return within `grace` seconds, whatever hangs.

        What hangs then keeps its claim and its try until the claim lapses.
        """
        until = time.monotonic() + grace
        self.finish()
        self._slots.close()
        self._checkup.stop()  # an engine that is being closed is not away
        closing = threading.Thread(target=self._engine.close, name="engine-close", daemon=True)
        closing.start()
        have_ended = [lane.join(until - time.monotonic()) for lane in self._lanes]
        closing.join(max(0.0, until - time.monotonic()))
        for periodic in (self._renewal, self._room, self._giving_back):
            periodic.stop()
        self._claims.close()
        if all(have_ended):  # a page that is still being rendered needs a finisher, to be handed back
            self._reading.close()

    @property
    def pages_in_hand(self) -> int:
        return self._slots.in_hand

    @property
    def oldest_page_seconds(self) -> float:
        """For how long the oldest of the pages in hand has been that; 0 where there are none."""
        return self._slots.oldest_seconds

    def state(self) -> Mapping[str, str | int | float | bool]:
        """Return what an operator asks first."""
        why_not = self._why_not()
        return {
            "engine": self._engine.settings.name,
            "pulling": not why_not,
            "why_not": why_not,
            "ranges_in_hand": self._feed.ranges_in_hand,
            "pages_in_hand": self.pages_in_hand,
            "oldest_page_seconds": round(self.oldest_page_seconds, 1),
        }

    def _why_not(self) -> str:
        if self._slots.is_closed:
            return "the worker is stopping"
        return "the worker ends when what is in hand is read" if self._is_finishing else self._checkup.trouble

    def _handle(self, lane: Lane, message: Message) -> None:
        if not isinstance(message, ReadRange):
            return
        try:
            with self._feed.range_in_hand(lane) as all_begun:
                read_range(message, self._reading, all_begun=all_begun)
        finally:
            self.ranges_done += 1

    def _engine_changed(self, trouble: str) -> None:
        """While it is away, pages that wait for it are better handed back: another worker's may be there."""
        if trouble:
            self._slots.shut(trouble)
        else:
            self._slots.reopen()

    def _look_again(self) -> None:
        for lane in self._lanes:
            lane.look_again()
