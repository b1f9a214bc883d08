"""The loops of every long-running process: messages, pulled, handled and acked, and what is done every so often. What
goes wrong is handed back or done again, never lost.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

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

    `handle` returns when the message needs no further delivery.
    """

    def __init__(
        self, bus: Bus, topic: Topic, handle: Callable[[Message], None], *, threads: int, metrics: Metrics
    ) -> None:
        self._bus, self._topic, self._handle, self._metrics = bus, topic, handle, metrics
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"{topic}-{index}", daemon=True) for index in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more messages; what is in hand goes on."""
        self._stopping.set()

    def join(self, seconds: float) -> bool:
        """Wait for what is in hand; False where some of it did not end in time."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if survived(self._turn, str(self._topic), self._metrics) is not None:
                self._stopping.wait(_TROUBLE_SECONDS)

    def _turn(self) -> None:
        for delivery in self._bus.pull(self._topic, limit=1, wait=_PULL_SECONDS):
            if self._stopping.is_set():
                delivery.hand_back(delay=timedelta(0))
            else:
                self._settle(delivery)

    def _settle(self, delivery: Delivery) -> None:
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
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, seconds: float) -> None:
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            survived(self._action, self._name, self._metrics)


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
