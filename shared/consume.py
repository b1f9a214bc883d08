"""The loops of every long-running process: messages, pulled, handled and acked, and what is done every so often. What
goes wrong is handed back or done again, never lost.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from opentelemetry.trace import SpanKind

from shared.domain.errors import PagemillError
from shared.domain.messages import Message, Topic
from shared.metrics import Metrics
from shared.ports.bus import Bus, Delivery
from shared.tracing import span

log = logging.getLogger(__name__)

_PULL_SECONDS = 1.0
_TROUBLE_SECONDS = 1.0
"""Between two turns of which the first could not pull or settle: the bus is down, or the disk is full."""


class HandBack(Exception):
    """Raised by a handler that cannot go on by no fault of the message; `delay` None leaves the pause to the bus."""

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class Consumer:
    """`threads` threads that each handle one message of `topic` at a time, so none is held that nobody works on.

    One of those that are free pulls; with a message in hand it leaves the pulling to the next, and handles it itself.
    So a message wakes one thread, however many there are, and goes from none to another. `handle` returns when the
    message needs no further delivery. Nothing is pulled while `may_pull` says no; `look_again` says that it may have
    changed its mind.
    """

    def __init__(
        self,
        bus: Bus,
        topic: Topic,
        handle: Callable[[Message], None],
        *,
        threads: int,
        metrics: Metrics,
        may_pull: Callable[[], bool] = lambda: True,
    ) -> None:
        self._bus, self._topic, self._handle, self._metrics = bus, topic, handle, metrics
        self._may_pull = may_pull
        self._stopping = threading.Event()
        self._pulling = threading.Lock()
        self._look = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"{topic}-{index}", daemon=True) for index in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def look_again(self) -> None:
        """Ask `may_pull` anew. Returns at once, whatever locks its caller holds."""
        self._look.set()

    def stop(self) -> None:
        """Take no more messages; what is in hand goes on."""
        self._stopping.set()
        self._look.set()

    def join(self, seconds: float) -> bool:
        """Wait for what is in hand; False where some of it did not end in time."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for delivery in self._taken():
                if survived(partial(self._settle, delivery), str(self._topic), self._metrics) is not None:
                    self._stopping.wait(_TROUBLE_SECONDS)

    def _taken(self) -> list[Delivery]:
        """Wait for this thread's turn to pull, then for a message, for a second at most.

        Trouble is waited out in the turn: the others would only meet the same.
        """
        taken: list[Delivery] = []
        with self._pulling:
            if survived(lambda: taken.extend(self._pulled()), str(self._topic), self._metrics) is not None:
                self._stopping.wait(_TROUBLE_SECONDS)
        return taken

    def _pulled(self) -> list[Delivery]:
        self._look.clear()  # first, so that a change of mind from here on is not missed
        if self._stopping.is_set():
            return []
        if self._may_pull():
            return self._bus.pull(self._topic, limit=1, wait=_PULL_SECONDS)
        self._look.wait(_PULL_SECONDS)
        return []

    def _settle(self, delivery: Delivery) -> None:
        if self._stopping.is_set():
            delivery.hand_back(delay=timedelta(0))
            return
        error = attempted(delivery.message, delivery.trace, self._handle, topic=self._topic, metrics=self._metrics)
        match error:
            case None:
                delivery.ack()
            case HandBack(delay=delay):
                delivery.hand_back(delay=delay)
            case _:
                delivery.hand_back()


def attempted(
    message: Message, trace: Mapping[str, str], handle: Callable[[Message], None], *, topic: Topic, metrics: Metrics
) -> Exception | None:
    """Handle one message within a span of the trace that it came with; return what stood in the way."""

    def attempt() -> None:
        attributes = {"job_id": message.job_id}
        with span(f"handle {type(message).__name__}", parent=trace, kind=SpanKind.CONSUMER, attributes=attributes):
            handle(message)

    with metrics.message_seconds.labels(topic).time():
        error = survived(attempt, topic, metrics)
    metrics.messages.labels(topic, "acked" if error is None else "handed_back").inc()
    return error


class Periodic:
    """Calls `action` every `seconds`, in a thread of its own, until it is stopped."""

    def __init__(self, name: str, action: Callable[[], object], *, seconds: float, metrics: Metrics) -> None:
        self._name, self._action, self._seconds, self._metrics = name, action, seconds, metrics
        self._stopping = threading.Event()
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def soon(self) -> None:
        """Call it now, and not only when it is due. Returns at once, whatever locks its caller holds."""
        self._due.set()

    def stop(self) -> None:
        self._stopping.set()
        self._due.set()

    def join(self, seconds: float) -> None:
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._is_over():
            self._due.clear()
            survived(self._action, self._name, self._metrics)

    def _is_over(self) -> bool:
        """Wait until it is due, or asked for."""
        self._due.wait(self._seconds)
        return self._stopping.is_set()


def survived(action: Callable[[], object], name: str, metrics: Metrics) -> Exception | None:
    """Return what `action` raised. The one place that catches everything: whatever happens, the loop lives on."""
    try:
        action()
    except HandBack as reason:
        return reason
    except PagemillError as error:
        log.warning("not done now", extra={"loop": name, "code": error.code}, exc_info=True)
        return error
    except Exception as error:
        metrics.crashes.inc()
        log.exception("crashed", extra={"loop": name})
        return error
    return None
