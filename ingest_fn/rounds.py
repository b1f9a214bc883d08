"""What a caller may do to a job: cancel it, try its failed pages again, delete it, hear its callback again."""

from dataclasses import replace

from ingest_fn.budget import admitted
from ingest_fn.ranges import publish_ranges
from shared.assemble import tell_end
from shared.domain.errors import IllegalMove
from shared.domain.job import Job, JobId
from shared.domain.messages import PrepareDocument, RoundEnded, Topic
from shared.domain.options import Lane, recipe
from shared.domain.page import PageStatus, cut
from shared.spending import used_until_now
from shared.wiring import Platform


def cancel(job_id: JobId, platform: Platform) -> Job:
    """Stop the job and keep the pages that are done. Raises IllegalMove where it has ended, UnknownJob."""
    now, usage = platform.clock.now(), used_until_now(job_id, platform)
    cancelled = platform.store.update(job_id, lambda job: job.used(usage).cancelled(now=now))
    tell_end(cancelled, platform, now=now)
    return cancelled


def delete(job_id: JobId, platform: Platform) -> None:
    """Mark the job for erasing, which is `sweep`'s; it is unknown to callers from now on."""
    now, usage = platform.clock.now(), used_until_now(job_id, platform)
    platform.store.update(job_id, lambda job: job.used(usage).erased(now=now))


def retry(job_id: JobId, platform: Platform) -> Job:
    """Open a new round for the failed pages.

    Raises IllegalMove where none failed or the job has not ended, and BudgetExhausted: a round is new work, for which
    is held what it may cost.
    """
    known, now = platform.store.get(job_id), platform.clock.now()
    known.retried(now=now)  # what cannot be retried says so, whatever the budget is
    with admitted(known.tenant, platform, pages=_unread(known, platform)) as space:
        job = platform.store.update(job_id, lambda each: each.retried(now=now, reserved=space.reserved))
    reopen(job, platform)
    return job


def reopen(job: Job, platform: Platform) -> None:
    """Make every failed page pending in the job's round, cut them into ranges, publish. Calling it again is harmless.

    The pages come before the ranges, so ranges exist only once every page is open, and their cut is always the same.
    """
    if not job.is_planned:
        platform.bus.publish(Topic.DOCUMENTS, PrepareDocument(job_id=job.id))
        return
    store, now = platform.store, platform.clock.now()
    unread = [page.number for page in store.pages(job.id) if page.status is not PageStatus.DONE]
    for number in unread:
        store.update_page(job.id, number, lambda page: page.retried(round_=job.round, now=now))
    wanted = recipe(platform.settings.engine_settings, job.options)
    lane = job.lane or Lane.BULK
    store.plan(job.id, (), cut(unread, size=job.limits.pages_a_range, round_=job.round, lane=lane, recipe=wanted))
    publish_ranges(job, platform)


def replay_callback(job_id: JobId, platform: Platform) -> Job:
    """Send the callbacks of the last ended round again. Raises IllegalMove where there are none."""
    job = platform.store.update(job_id, lambda each: _due_again(each, platform))
    last = job.callbacks[-1]
    platform.bus.publish(Topic.OUTCOMES, RoundEnded(job_id=job.id, round=last.round))
    return job


def _due_again(job: Job, platform: Platform) -> Job:
    if not job.callbacks:
        raise IllegalMove(job.id, public="The job has no callback: it has not ended, or no callback_url was given.")
    now = platform.clock.now()
    for each in job.callbacks:
        if each.round == job.callbacks[-1].round:
            job = job.callback_changed(replace(each, due_at=now, end=None, replayed_after=each.attempts), now=now)
    return job


def _unread(job: Job, platform: Platform) -> int | None:
    """How many pages a new round would read; None where nobody has opened the document."""
    if not job.is_planned:
        return None
    counts = platform.store.progress(job)
    return (counts.total or 0) - counts.done
