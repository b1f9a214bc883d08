"""The page cache: a page is committed from an entry as it would be from a reading, and kept as one when it is done."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from shared.cache.entries import CachedPage, Kind, find_page, kept, lost, page_entry
from shared.domain.job import Job
from shared.domain.page import Page, PageRead
from shared.layout import cached_page, image_object, page_image, page_object
from shared.parallel import at_once
from shared.ports.objects import ObjectStore, UnknownObject
from shared.records import from_json, to_json
from shared.wiring import Platform

CACHED = "cached"
"""In a page's usage: it was taken from the cache, and cost an engine nothing."""
_OF_THE_COPY = frozenset({"stored_bytes"})
"""What a page uses of which a copy uses as much."""
_COPIED_AT_ONCE = 4
_SHOWN = "page.jpg"


def take_page(job: Job, number: int, key: str, platform: Platform) -> PageRead | None:
    """Give the job the page that is kept under `key`: images, page image, page object; the record is the caller's.

    Return the reading that stands, and None where there is no usable entry: then the page is to be read. The page
    object comes last, so whoever is killed before leaves nothing that anybody takes for a page.
    """
    read = find_page(job.tenant, key, platform)
    if read is None:
        return None
    prefix, objects = cached_page(job.tenant, key), platform.objects
    try:
        _copy_all(objects, [(prefix + name, image_object(job.id, name)) for name in _images(read)])
        objects.copy(prefix + _SHOWN, page_image(job.id, number))
    except (UnknownObject, ValueError):  # a part of it has gone, or names what cannot be an object
        lost(Kind.PAGE, key, platform)
        return None
    name = page_object(job.id, number)
    return read if objects.create(name, to_json(read)) else from_json(PageRead, objects.read(name))


def keep_page(job: Job, page: Page, read: PageRead, platform: Platform) -> None:
    """Keep a page that is done under its `cache_key`, if it has one. Best effort.

    The first entry stands. What is gone of it is put back, if this reading has it too: otherwise the page would be read
    again until the entry is too old.
    """
    if page.cache_key is not None:
        kept(Kind.PAGE, page.cache_key, platform, partial(_keep, job, page, page.cache_key, read, platform))


def _keep(job: Job, page: Page, key: str, read: PageRead, platform: Platform) -> None:
    name, prefix, objects = page_entry(job.tenant, key), cached_page(job.tenant, key), platform.objects
    copies = [(image_object(job.id, image), prefix + image) for image in _images(read)]
    _copy_all(objects, [*copies, (page_image(job.id, page.number), prefix + _SHOWN)])
    entry = CachedPage(kept_at=platform.clock.now(), read=replace(read, usage=_usage_of_a_copy(read)))
    objects.create(name, to_json(entry))


def _usage_of_a_copy(read: PageRead) -> dict[str, float]:
    return {CACHED: 1} | {name: amount for name, amount in read.usage.items() if name in _OF_THE_COPY}


def _copy_all(objects: ObjectStore, names: Sequence[tuple[str, str]]) -> None:
    copy: Callable[[tuple[str, str]], bool] = lambda pair: objects.copy(*pair)  # noqa: E731 - typed for at_once
    at_once(copy, names, most=_COPIED_AT_ONCE)


def _images(read: PageRead) -> list[str]:
    return sorted({block.image for block in read.blocks if block.image is not None})
