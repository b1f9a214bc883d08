"""What must be told of a round that ended: to a webhook's receiver, to the outbox, or to both."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.errors import Failure
from shared.domain.status import Status


class Channel(StrEnum):
    """Where a round's end is told. The webhook comes last: whoever hears it finds the outbox filled."""

    OUTBOX = "outbox"
    WEBHOOK = "webhook"


class CallbackEnd(StrEnum):
    DELIVERED = "delivered"
    GONE = "gone"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What one channel must be told of one round. Due at `due_at`; None where `end` says how it ended.

    `attempts` numbers the delivery log; the retry schedule counts those after `replayed_after`. `put_off` counts how
    often in a row the receiver had no room for an attempt. `in_flight_until` is set while an attempt is under way, and
    lapses where its process was killed.
    """

    round: int
    status: Status
    channel: Channel = Channel.WEBHOOK
    partial: bool = False
    error: Failure | None = None
    attempts: int = 0
    replayed_after: int = 0
    put_off: int = 0
    due_at: datetime | None = None
    in_flight_until: datetime | None = None
    end: CallbackEnd | None = None

    def is_due(self, *, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now

    def is_in_flight(self, *, now: datetime) -> bool:
        return self.in_flight_until is not None and self.in_flight_until > now

    def is_of(self, other: "Callback") -> bool:
        """Whether both tell the same channel of the same round."""
        return (self.round, self.channel) == (other.round, other.channel)


def waits_for_outbox(callback: Callback, told: Iterable[Callback], *, now: datetime) -> bool:
    """Whether it is a webhook whose round's outbox is being filled; one that could not be filled holds up nothing."""
    return callback.channel is Channel.WEBHOOK and any(
        each.round == callback.round and each.channel is Channel.OUTBOX and each.is_in_flight(now=now) for each in told
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAttempt:
    """One line of the delivery log. `answer` is the HTTP status, None where none came; `error` says why."""

    round: int
    number: int
    at: datetime
    answer: int | None = None
    error: str | None = None
    seconds: float = 0.0
