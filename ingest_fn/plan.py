"""The plan of a document: what the cache knows of it is done, the rest is cut into page ranges for the workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from shared.assemble import assemble
from shared.cache.documents import take_document
from shared.domain.costs import preparing_usage
from shared.domain.job import Job
from shared.domain.messages import PAGES, ReadRange
from shared.domain.options import Lane
from shared.domain.page import Page, PageRange, cut
from shared.wiring import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The page numbers to read, by which recipe, the document's name in the cache, and its size."""

    numbers: tuple[int, ...]
    recipe: str
    cache_key: str | None
    source_bytes: int


def plan(job: Job, chosen: Chosen, platform: Platform) -> None:
    """Store the plan, then the fact that there is one, and tell the workers, or assemble where all is known.

    Where two prepare the same job, the first plan stands; a range that is only in the second is nobody's. The ranges
    are cut as if nothing were known, so that every plan has the same.
    """
    numbers, key = chosen.numbers, chosen.cache_key
    lane = job.priority if len(numbers) <= job.limits.express_pages else Lane.BULK
    ranges = cut(numbers, size=job.limits.pages_a_range, round_=job.round, lane=lane, recipe=chosen.recipe)
    known = take_document(job, key, numbers, platform) if key is not None else {}
    platform.store.plan(job.id, [known.get(number, Page(number=number, round=job.round)) for number in numbers], ranges)
    if not job.is_first_try:
        _settle(job, known, platform)
    planned = _noted(job, chosen, lane, unread=len(numbers) - len(known), platform=platform)
    if planned.is_live:
        _set_going(job, [each for each in ranges if not known.keys() >= set(each.pages)], platform)


def _noted(job: Job, chosen: Chosen, lane: Lane, *, unread: int, platform: Platform) -> Job:
    """Say in the job that it has a plan, what preparing it used, and what a budget holds for what is to be read."""
    now = platform.clock.now()
    seconds = (now - job.updated_at).total_seconds()
    reserved = platform.settings.budgets.reserve(unread)

    def change(each: Job) -> Job:
        prepared = preparing_usage(each.prepared, seconds=seconds, source_bytes=chosen.source_bytes)
        reckoned = each.reckoned(prepared=prepared, reserved=reserved)
        return reckoned.planned(page_count=len(chosen.numbers), lane=lane, cache_key=chosen.cache_key, now=now)

    return platform.store.update(job.id, change, durable=False)  # as the plan: it can be made again


def _set_going(job: Job, unknown: list[PageRange], platform: Platform) -> None:
    for each in unknown:
        platform.bus.publish(PAGES[each.lane], ReadRange(job_id=job.id, range_id=each.id))
    if not unknown:
        assemble(job.id, platform)


def _settle(job: Job, known: Mapping[int, Page], platform: Platform) -> None:
    """Say of the pages that they are done, where the plan of an earlier try stands that did not know them."""
    for page in platform.store.pages(job.id, tuple(known)) if known else ():
        if page.is_open(job.round):
            platform.store.update_page(job.id, page.number, partial(_settled, known[page.number]))


def _settled(done: Page, page: Page) -> Page:
    return done if page.is_open(done.round) else page
