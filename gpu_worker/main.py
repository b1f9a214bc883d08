"""The worker as a process of its own, until SIGINT or SIGTERM: pulls, reads, hands back what it cannot finish."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from gpu_worker.busy import Busy
from gpu_worker.engines import engine, longest_page
from gpu_worker.memory import used_mb
from gpu_worker.probes import Probes, Pulse
from gpu_worker.recycling import Recycling
from gpu_worker.worker import Worker
from shared.config import Settings
from shared.metrics import Metrics
from shared.wiring import opened, started_sandbox

log = logging.getLogger(__name__)

_PAGES_SECONDS, _EXIT_SECONDS = 6.0, 9.0
"""For the pages in hand, and for all of it: Cloud Run kills 10 s after SIGTERM. What is in hand then costs a lease."""
_LOOK_SECONDS = 0.1


class _Stop:
    """A flag that a signal handler may set; an Event's lock could be held by the very thread that is interrupted."""

    asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def work(settings: Settings, *, ready: Callable[[], None]) -> None:
    """Work until asked to stop, or until the limit of memory is passed and what was in hand is read.

    `ready` is called once pages are taken, or would be if the engine were there. Returns in both cases: who starts
    workers starts a new one. Raises Unavailable where nothing can begin, OSError where the port of the probes is taken.
    """
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    family = opened(settings, base_url=settings.public_url or f"http://{settings.host}:{settings.port}")
    renderer = started_sandbox(settings)
    worker = Worker(family.platform, renderer, engine(settings))
    with _probed(settings, worker, family.platform.metrics) as pulse:
        worker.start()
        ready()
        _wait(stop, worker, Recycling(settings.worker_memory_mb, used_mb), pulse)
        _exit_within(_EXIT_SECONDS)
        family.platform.bus.end_pulls()
        worker.stop(grace=_PAGES_SECONDS)
    family.platform.bus.close()
    renderer.close()
    family.close()


def _wait(stop: _Stop, worker: Worker, recycling: Recycling, pulse: Pulse) -> None:
    """Return when it is time to end."""
    busy = Busy()
    while not stop.asked and not worker.has_finished:
        pulse.beat()
        time.sleep(_LOOK_SECONDS)
        busy.look(has_work=worker.pages_in_hand > 0)
        if recycling.is_due(has_worked=worker.ranges_done > 0):
            worker.finish()


@contextmanager
def _probed(settings: Settings, worker: Worker, metrics: Metrics) -> Iterator[Pulse]:
    """Answer probes where the settings name a port for them."""
    if settings.worker_port is None:
        yield Pulse()
        return
    stuck = longest_page(settings)
    with Probes(settings.host, settings.worker_port, worker, metrics, stuck_seconds=stuck) as probes:
        log.info("probes are answered", extra={"host": settings.host, "port": probes.port})
        yield probes.pulse


def _exit_within(seconds: float) -> None:
    """End the process by then, whatever hangs: a call to a service that stalls, a thread that exiting waits for."""
    timer = threading.Timer(seconds, _exit)
    timer.daemon = True
    timer.start()


def _exit() -> None:
    log.warning("stopped with something in hand")
    os._exit(0)
