"""What a job used until now, at the prices in force: for its end, whoever ends it."""

from collections.abc import Sequence

from shared.domain.costs import pages_usage, priced
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
