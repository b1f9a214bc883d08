"""One attempt at a webhook: signed, sent, logged."""

from collections.abc import Sequence
from datetime import datetime

from notifier.body import callback_body
from shared.domain.callback import Callback, CallbackAttempt
from shared.domain.job import Job
from shared.domain.secret import Secret
from shared.domain.webhook import sign
from shared.net.guard import Guard
from shared.net.post import Answer, post_callback
from shared.wiring import Platform


def send_webhook(
    job: Job, callback: Callback, url: str, platform: Platform, *, guard: Guard, secrets: Sequence[Secret]
) -> Answer:
    """Return what the receiver made of it. Raises UnknownObject where the result was erased meanwhile."""
    now = platform.clock.now()
    body = callback_body(job, callback, platform.objects)
    headers = sign(secrets, webhook_id=f"{job.id}-{callback.round}", timestamp=now, body=body)
    answer = post_callback(url, body, headers, guard=guard, now=now)
    platform.store.log_attempt(job.id, _attempt(callback, answer, at=now))
    return answer


def _attempt(callback: Callback, answer: Answer, *, at: datetime) -> CallbackAttempt:
    return CallbackAttempt(
        round=callback.round,
        number=callback.attempts,
        at=at,
        answer=answer.status,
        error=answer.error,
        seconds=round(answer.seconds, 3),
    )
