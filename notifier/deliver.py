"""Deliver callbacks: signed, claimed in the store before they are sent, logged, tried again on a schedule.

It always acks: what is still due stands in the store, and `sweep` says so when its time has come.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from notifier.body import callback_body
from notifier.hosts import HostCap
from shared.domain.errors import UnknownJob
from shared.domain.job import Callback, CallbackAttempt, CallbackEnd, Job
from shared.domain.messages import RoundEnded
from shared.domain.secret import Secret
from shared.domain.webhook import Verdict, next_attempt, sign, verdict
from shared.net.guard import Guard
from shared.net.post import Answer, post_callback
from shared.ports.objects import UnknownObject
from shared.wiring import Platform

log = logging.getLogger(__name__)

_IN_FLIGHT = timedelta(seconds=40)
"""How long a claimed attempt is left alone: its 10 s, and room for a slow store."""
_HOST_BUSY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivering:
    """`chance` returns a number in [0, 1), for the schedule's jitter."""

    platform: Platform
    guard: Guard
    secrets: Sequence[Secret]
    hosts: HostCap
    chance: Callable[[], float]

    def now(self) -> datetime:
        return self.platform.clock.now()


class _NotDue(Exception):
    """Delivered already, claimed by another, or no longer wanted."""


def deliver(message: RoundEnded, delivering: Delivering) -> None:
    """Make one attempt at the round's callback, if one is due."""
    try:
        job = delivering.platform.store.get(message.job_id)
        with delivering.hosts.place(urlsplit(job.callback_url or "").netloc) as free:
            if not free:
                _put_off(job, message.round, delivering)
                return
            _attempt(message, delivering)
    except (UnknownJob, UnknownObject, _NotDue):
        return


def _attempt(message: RoundEnded, delivering: Delivering) -> None:
    store = delivering.platform.store
    job = store.update(message.job_id, lambda each: _claimed(each, message.round, now=delivering.now()))
    callback = job.callback_of(message.round)
    if callback is None or job.callback_url is None:
        return
    started = delivering.now()
    answer = _send(job, callback, job.callback_url, delivering, now=started)
    error = answer.error
    store.log_attempt(
        job.id,
        CallbackAttempt(
            round=callback.round,
            number=callback.attempts,
            at=started,
            answer=answer.status,
            error=error,
            seconds=round(answer.seconds, 3),
        ),
    )
    ended_at, chance = delivering.now(), delivering.chance()
    store.update(job.id, lambda each: _settled(each, callback, answer, now=ended_at, chance=chance))


def _send(job: Job, callback: Callback, url: str, delivering: Delivering, *, now: datetime) -> Answer:
    body = callback_body(job, callback, delivering.platform.objects)
    headers = sign(delivering.secrets, webhook_id=f"{job.id}-{callback.round}", timestamp=now, body=body)
    return post_callback(url, body, headers, guard=delivering.guard, now=now)


def _claimed(job: Job, round_: int, *, now: datetime) -> Job:
    callback = job.callback_due(round_, now=now)
    if callback is None or job.erased_at is not None:
        raise _NotDue
    claimed = replace(callback, attempts=callback.attempts + 1, due_at=now + _IN_FLIGHT)
    return job.callback_changed(claimed, now=now)


def _put_off(job: Job, round_: int, delivering: Delivering) -> None:
    """The receiver has as many calls under way as it may: this one comes again in a moment."""
    now = delivering.now()

    def later(each: Job) -> Job:
        callback = each.callback_due(round_, now=now)
        if callback is None:
            raise _NotDue
        return each.callback_changed(replace(callback, due_at=now + _HOST_BUSY), now=now)

    delivering.platform.store.update(job.id, later)


def _settled(job: Job, sent: Callback, answer: Answer, *, now: datetime, chance: float) -> Job:
    callback = job.callback_of(sent.round)
    if callback is None or callback.attempts != sent.attempts:
        return job  # replayed meanwhile: the newer attempt has its own say
    match verdict(answer.status):
        case Verdict.DELIVERED:
            after = replace(callback, due_at=None, end=CallbackEnd.DELIVERED)
        case Verdict.GONE:
            after = replace(callback, due_at=None, end=CallbackEnd.GONE)
        case Verdict.RETRY:
            attempt = callback.attempts - callback.replayed_after
            due_at = next_attempt(attempt, now=now, retry_after=answer.retry_after, chance=chance)
            after = replace(callback, due_at=due_at, end=None if due_at else CallbackEnd.EXHAUSTED)
    return job.callback_changed(after, now=now)
