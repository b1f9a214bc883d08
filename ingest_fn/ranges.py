"""Telling the workers of page ranges: what prepares, retries and sweeps has this in common."""

from dataclasses import replace

from shared.domain.job import Job
from shared.domain.messages import PAGES, ReadRange
from shared.domain.options import recipe
from shared.domain.page import PageRange
from shared.domain.sweep import unclaimed
from shared.wiring import Platform


def publish_ranges(job: Job, platform: Platform) -> None:
    """Tell the workers of every range of the round that has pending pages and that nobody has."""
    for each in unclaimed(job, platform.store.ranges(job.id), platform.store.pages(job.id), now=platform.clock.now()):
        publish_range(job, each, platform)


def publish_range(job: Job, range_: PageRange, platform: Platform) -> None:
    """Tell the workers of one range; after an upgrade, ask for the readings that today's engine makes."""
    wanted = recipe(platform.settings.engine_settings, job.options)
    if range_.recipe != wanted:
        platform.store.update_range(job.id, range_.id, lambda each: replace(each, recipe=wanted))
    platform.bus.publish(PAGES[range_.lane], ReadRange(job_id=job.id, range_id=range_.id))
