"""The worker: takes page ranges of both lanes, feeds one engine page by page, stops without losing any."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from gpu_worker.claims import RENEW_SECONDS, Claims
from gpu_worker.commit import Reading
from gpu_worker.liveness import Liveness
from gpu_worker.process import read_range
from gpu_worker.slots import Slots
from shared.consume import Consumer, Periodic
from shared.domain.messages import Message, ReadRange, Topic
from shared.pdf.sandbox import Sandbox
from shared.ports.engine import OcrEngine
from shared.wiring import Platform

AHEAD = 1
"""Pages that are rendered while every place in the engine is taken, so that none of them waits for a page."""


class Worker:
    """Owns the engine from here on, and closes it. `ranges` is how many ranges of each lane are in hand at once."""

    def __init__(self, platform: Platform, sandbox: Sandbox, engine: OcrEngine, *, ranges: int | None = None) -> None:
        capacity = engine.capacity + AHEAD
        claims = Claims(platform.store, platform.clock, me=uuid.uuid4().hex)
        self._reading = Reading(
            platform=platform,
            sandbox=sandbox,
            engine=engine,
            slots=Slots(capacity),
            claims=claims,
            liveness=Liveness(platform.store),
            finishers=ThreadPoolExecutor(capacity, thread_name_prefix="finish"),
        )
        self._lanes = [
            Consumer(platform.bus, topic, self._handle, threads=ranges or capacity, metrics=platform.metrics)
            for topic in (Topic.PAGES_EXPRESS, Topic.PAGES_BULK)
        ]

        self._renewal = Periodic("claims", claims.renew, seconds=RENEW_SECONDS, metrics=platform.metrics)

    def start(self) -> None:
        self._renewal.start()
        for lane in self._lanes:
            lane.start()

    def stop(self, *, grace: float) -> None:
        """Hand back at once what is in flight, and return within `grace` seconds, whatever hangs.

        What hangs then keeps its claim and its try until the claim lapses.
        """
        until = time.monotonic() + grace
        for lane in self._lanes:
            lane.stop()
        self._reading.slots.close()
        closing = threading.Thread(target=self._reading.engine.close, name="engine-close", daemon=True)
        closing.start()
        have_ended = [lane.join(until - time.monotonic()) for lane in self._lanes]
        closing.join(max(0.0, until - time.monotonic()))
        self._renewal.stop()
        self._reading.claims.close()
        if all(have_ended):  # a page that is still being rendered needs a finisher, to be handed back
            self._reading.finishers.shutdown(wait=False)

    def _handle(self, message: Message) -> None:
        if isinstance(message, ReadRange):
            read_range(message, self._reading)
