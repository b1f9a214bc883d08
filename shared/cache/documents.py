"""The cache of whole documents: which entries of the page cache a document consists of. What is known wakes no GPU."""

from collections.abc import Mapping, Sequence
from functools import partial

from shared.cache.entries import CachedDocument, Kind, document_entry, find_document, kept
from shared.cache.pages import take_page
from shared.domain.job import Job
from shared.domain.page import Page, PageStatus
from shared.parallel import at_once
from shared.records import to_json
from shared.wiring import Platform

_PAGES_AT_ONCE = 16


def take_document(job: Job, key: str, numbers: Sequence[int], platform: Platform) -> Mapping[int, Page]:
    """Give the job what is kept of the document; return the records of those pages, by number.

    A page whose entry is gone is left out: it is to be read like any other. Doing it again changes nothing.
    """
    keys = find_document(job.tenant, key, platform)
    known = [(number, keys[number]) for number in numbers if number in keys]

    def taken(page: tuple[int, str]) -> Page | None:
        return _taken(job, *page, platform=platform)

    pages = at_once(taken, known, most=_PAGES_AT_ONCE)
    return {page.number: page for page in pages if page is not None}


def keep_document(job: Job, pages: Sequence[Page], platform: Platform) -> None:
    """Keep which entry each page is, where every page is done, and is one by today's recipe. Best effort."""
    key = job.cache_key
    if key is None or job.erased_at is not None or platform.settings.cache_days <= 0:
        return
    recipe = key.partition("/")[0]
    keys = {page.number: page.cache_key for page in pages if _is_kept(page, recipe) and page.cache_key}
    if len(keys) == len(pages):
        kept(Kind.DOCUMENT, key, platform, partial(_keep, job, key, keys, platform))


def _keep(job: Job, key: str, keys: Mapping[int, str], platform: Platform) -> None:
    entry = CachedDocument(kept_at=platform.clock.now(), pages=keys)
    platform.objects.create(document_entry(job.tenant, key), to_json(entry))


def _taken(job: Job, number: int, key: str, *, platform: Platform) -> Page | None:
    read = take_page(job, number, key, platform)
    if read is None:
        return None
    return Page(number=number, round=job.round).done(read, round_=job.round, now=platform.clock.now(), cache_key=key)


def _is_kept(page: Page, recipe: str) -> bool:
    return page.status is PageStatus.DONE and (page.cache_key or "").startswith(f"{recipe}/")
