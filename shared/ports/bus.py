"""Messages between the parts: hints, delivered at least once, in no order."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from shared.domain.messages import Message, Topic


class Delivery(Protocol):
    """One delivery of one message. Until it is acked or handed back, the adapter keeps its lease alive."""

    @property
    def message(self) -> Message: ...

    @property
    def trace(self) -> Mapping[str, str]:
        """The W3C trace context of whoever published it; empty where there was none."""

    def ack(self) -> None:
        """Say that it needs no further delivery. Too late (the lease was lost) is no error: it comes once more."""

    def hand_back(self, *, delay: timedelta | None = None) -> None:
        """Ask for another delivery after `delay`; None leaves the pause to the bus, which doubles it each time."""


class Bus(Protocol):
    """Safe to call from any thread. Every method raises Unavailable where the bus is not."""

    def publish(self, topic: Topic, message: Message) -> None:
        """Return once the bus holds the message, with the trace context of the caller."""

    def pull(self, topic: Topic, *, limit: int, wait: float) -> list[Delivery]:
        """Return up to `limit` messages, at once where there are any, else after at most `wait` seconds.

        A message that cannot be understood is counted, set aside and never returned.
        """

    def end_pulls(self) -> None:
        """From now on pulls return nothing, and those that wait return at once; what is held stays so. Idempotent."""

    def close(self) -> None:
        """End pulls, and hand back what is held. Idempotent."""
