"""Deliver callbacks, to webhooks and to the outbox: claimed in the store first, tried again on a schedule.

It always acks: what is still due stands in the store, and `sweep` says so when its time has come.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from notifier.hosts import HostCap
from notifier.outbox import copy_results
from notifier.webhook import send_webhook
from shared.domain.callback import Callback, CallbackEnd, Channel, waits_for_outbox
from shared.domain.errors import Unavailable, UnknownJob
from shared.domain.job import Job
from shared.domain.messages import RoundEnded
from shared.domain.secret import Secret
from shared.domain.webhook import ATTEMPTS, Verdict, next_attempt, next_room, verdict
from shared.net.guard import Guard
from shared.net.post import Answer
from shared.ports.objects import UnknownObject
from shared.wiring import Platform

log = logging.getLogger(__name__)

_IN_FLIGHT: Mapping[Channel, timedelta] = {
    Channel.WEBHOOK: timedelta(seconds=40),
    Channel.OUTBOX: timedelta(minutes=10),
}
"""How long a claimed attempt is left alone: a webhook's 10 s, a document's images, and room for a slow store."""


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
    """Make one attempt at each of the round's callbacks that is due."""
    try:
        job = delivering.platform.store.get(message.job_id)
        for channel in Channel:
            callback = job.callback_of(message.round, channel)
            if callback is not None and callback.is_due(now=delivering.now()):
                _deliver(job, callback, delivering)
    except UnknownJob:
        return


def _deliver(job: Job, callback: Callback, delivering: Delivering) -> None:
    try:
        with _place(job, callback, delivering) as free:
            if free:
                _attempt(job, callback, delivering)
            else:
                _put_off(job, callback, delivering)
    except _NotDue:
        return


def _place(job: Job, callback: Callback, delivering: Delivering) -> AbstractContextManager[bool]:
    if callback.channel is Channel.OUTBOX:
        return nullcontext(enter_result=True)
    return delivering.hosts.place(urlsplit(job.callback_url or "").netloc)


def _attempt(job: Job, due: Callback, delivering: Delivering) -> None:
    store, metrics = delivering.platform.store, delivering.platform.metrics
    job = store.update(job.id, lambda each: _claimed(each, due, now=delivering.now()))
    callback = job.callback_of(due.round, due.channel)
    if callback is None or callback.due_at is None:
        return
    with metrics.callback_seconds.time():
        answer = _told(job, callback, delivering)
    metrics.callbacks.labels(verdict(answer.status)).inc()
    ended_at, chance = delivering.now(), delivering.chance()
    store.update(job.id, lambda each: _settled(each, callback, answer, now=ended_at, chance=chance))


def _told(job: Job, callback: Callback, delivering: Delivering) -> Answer:
    """Tell the callback's channel; what was erased meanwhile, or cannot be written now, is an attempt that failed."""
    platform = delivering.platform
    try:
        if callback.channel is Channel.OUTBOX and job.outbox is not None:
            copy_results(job, callback, job.outbox, platform.objects)
            return Answer(status=200, seconds=0)
        if callback.channel is Channel.WEBHOOK and job.callback_url is not None:
            url, guard, secrets = job.callback_url, delivering.guard, delivering.secrets
            return send_webhook(job, callback, url, platform, guard=guard, secrets=secrets)
    except (UnknownObject, Unavailable) as error:
        log.warning("not delivered", extra={"job_id": job.id, "channel": callback.channel}, exc_info=error)
        return Answer(status=None, error=error.public, seconds=0)
    raise _NotDue


def _claimed(job: Job, due: Callback, *, now: datetime) -> Job:
    callback = job.callback_of(due.round, due.channel)
    if callback is None or not callback.is_due(now=now) or job.erased_at is not None:
        raise _NotDue
    if waits_for_outbox(callback, job.callbacks, now=now):  # whoever fills it goes on to this one
        raise _NotDue
    if callback.attempts - callback.replayed_after >= ATTEMPTS:  # each of them ended with its process
        return job.callback_changed(
            replace(callback, due_at=None, in_flight_until=None, end=CallbackEnd.EXHAUSTED), now=now
        )
    until = now + _IN_FLIGHT[callback.channel]
    claimed = replace(callback, attempts=callback.attempts + 1, put_off=0, due_at=until, in_flight_until=until)
    return job.callback_changed(claimed, now=now)


def _put_off(job: Job, due: Callback, delivering: Delivering) -> None:
    """The receiver has as many calls under way as it may: this one comes again, the later the longer it waits."""
    now, chance = delivering.now(), delivering.chance()

    def later(each: Job) -> Job:
        callback = each.callback_of(due.round, due.channel)
        if callback is None or not callback.is_due(now=now):
            raise _NotDue
        put_off = callback.put_off + 1
        due_at = next_room(put_off, now=now, chance=chance)
        return each.callback_changed(replace(callback, put_off=put_off, due_at=due_at), now=now)

    delivering.platform.store.update(job.id, later)


def _settled(job: Job, sent: Callback, answer: Answer, *, now: datetime, chance: float) -> Job:
    """A success counts whichever attempt it was; of failures, only that of the latest, which nobody has replayed."""
    callback = job.callback_of(sent.round, sent.channel)
    if callback is None or callback.replayed_after != sent.replayed_after:
        return job
    judged = verdict(answer.status)
    is_latest = callback.attempts == sent.attempts and callback.end is None
    if judged is not Verdict.DELIVERED and not is_latest:
        return job
    return job.callback_changed(_judged(callback, judged, answer, now=now, chance=chance), now=now)


def _judged(callback: Callback, judged: Verdict, answer: Answer, *, now: datetime, chance: float) -> Callback:
    landed = replace(callback, due_at=None, in_flight_until=None)
    match judged:
        case Verdict.DELIVERED:
            return replace(landed, end=CallbackEnd.DELIVERED)
        case Verdict.GONE:
            return replace(landed, end=CallbackEnd.GONE)
        case Verdict.RETRY:
            attempt = callback.attempts - callback.replayed_after
            due_at = next_attempt(attempt, now=now, retry_after=answer.retry_after, chance=chance)
            return replace(landed, due_at=due_at, end=None if due_at else CallbackEnd.EXHAUSTED)
