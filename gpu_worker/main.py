"""The worker as a process of its own, until SIGINT or SIGTERM: pulls, reads, hands back what it cannot finish."""

import signal
import time
from collections.abc import Callable
from types import FrameType

from gpu_worker.engines import engine
from gpu_worker.worker import Worker
from shared.config import Settings
from shared.wiring import opened, sandbox

_GRACE_SECONDS = 8.0
"""Cloud Run kills 10 s after SIGTERM; what is in hand then costs a lease."""
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
    renderer = sandbox(settings)
    worker = Worker(family.platform, renderer, engine(settings))
    worker.start()
    ready()
    while not stop.asked:
        time.sleep(_LOOK_SECONDS)
    worker.stop(grace=_GRACE_SECONDS)
    family.platform.bus.close()
    renderer.close()
    family.close()
