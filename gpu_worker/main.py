"""The worker as a process of its own, until SIGINT or SIGTERM: pulls, reads, hands back what it cannot finish."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from gpu_worker.engines import engine
from gpu_worker.worker import Worker
from shared.config import Settings
from shared.wiring import opened, started_sandbox

log = logging.getLogger(__name__)

_PAGES_SECONDS, _EXIT_SECONDS = 6.0, 9.0
"""For the pages in hand, and for all of it: Cloud Run kills 10 s after SIGTERM. What is in hand then costs a lease."""
_LOOK_SECONDS = 0.2


class _Stop:
    """A flag that a signal handler may set; an Event's lock could be held by the very thread that is interrupted."""

    asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def work(settings: Settings, *, ready: Callable[[], None]) -> None:
    """Work until asked to stop; `ready` is called once pages are taken. Raises Unavailable where nothing can begin."""
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    family = opened(settings, base_url=settings.public_url or f"http://{settings.host}:{settings.port}")
    renderer = started_sandbox(settings)
    worker = Worker(family.platform, renderer, engine(settings))
    worker.start()
    ready()
    while not stop.asked:
        time.sleep(_LOOK_SECONDS)
    _exit_within(_EXIT_SECONDS)
    worker.stop(grace=_PAGES_SECONDS)
    family.platform.bus.close()
    renderer.close()
    family.close()


def _exit_within(seconds: float) -> None:
    """End the process by then, whatever hangs: a call to a service that stalls, a thread that exiting waits for."""
    timer = threading.Timer(seconds, _exit)
    timer.daemon = True
    timer.start()


def _exit() -> None:
    log.warning("stopped with something in hand")
    os._exit(0)
