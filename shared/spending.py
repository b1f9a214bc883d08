"""What a job used until now, at the prices in force: for its end, whoever ends it."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.costs import pages_usage, preparing_usage, priced
from shared.domain.errors import Failure
from shared.domain.job import Job, JobId
from shared.domain.page import Page, PageStatus
from shared.wiring import Platform


def used(job: Job, pages: Sequence[Page], platform: Platform, *, written: int = 0) -> dict[str, float]:
    """Return the usage of a job with these pages and a result of so many bytes."""
    of_pages = pages_usage(page.usage for page in pages if page.status is PageStatus.DONE)
    of_pages["stored_bytes"] = of_pages.get("stored_bytes", 0.0) + written
    return priced(job.prepared, of_pages, platform.settings.prices, kept=job.limits.retention)


def used_until_now(job_id: JobId, platform: Platform) -> dict[str, float]:
    """Return the usage of a job that ends before its pages did. Raises UnknownJob."""
    job = platform.store.get(job_id)
    return used(job, platform.store.pages(job_id), platform) if job.is_live else dict(job.usage)


def tried(job: Job, *, seconds: float) -> Job:
    """Note how long another try of preparing the job took; one that has a plan or is not live stays."""
    return job.reckoned(prepared=preparing_usage(job.prepared, seconds=seconds), reserved=job.reserved)


def given_up(job: Job, failure: Failure, platform: Platform, *, now: datetime, seconds: float = 0.0) -> Job:
    """Fail the job that never came to a plan, after a last try of so many seconds; one that has a plan stays.

    Pure, for a store's `update`: what the job has become meanwhile is what counts.
    """
    if job.is_planned:
        return job
    known = tried(job, seconds=seconds)
    return known.used(used(known, (), platform)).failed(failure, now=now)
