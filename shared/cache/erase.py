"""What leaves the cache: the entries of a job that its owner deleted, and what is too old."""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta

from shared.cache.entries import PAGE_ENTRY, oldest
from shared.domain.job import Job
from shared.layout import cache_part, cached_document, cached_page, erased_entries
from shared.parallel import at_once
from shared.ports.objects import UnknownObject
from shared.wiring import Platform

_ERASED_AT_ONCE = 8
_PARTS_APART = timedelta(hours=1)
"""An entry's images are made before the entry; they must not go before it is too old to be served."""


def entries_of(job: Job, platform: Platform) -> tuple[str, ...]:
    """Return the prefixes of the entries that an erased job came from or was kept as.

    None for a job that expired: what was kept of it has a time of its own. Once the job's records are gone, the note
    that `note_entries` left tells them.
    """
    if job.cache_key is None:
        return _noted(job, platform)
    pages = (page.cache_key for page in platform.store.pages(job.id))
    found = {cached_page(job.tenant, key) for key in pages if key is not None}
    return (cached_document(job.tenant, job.cache_key), *sorted(found), *_noted(job, platform))


def erase_entries(entries: Sequence[str], platform: Platform) -> None:
    """Another job that shares one has its own copies, and is not touched."""
    at_once(platform.objects.erase, entries, most=_ERASED_AT_ONCE)


def note_entries(job: Job, entries: Sequence[str], platform: Platform) -> None:
    """Leave a note for the second erasing: a worker that stood still meanwhile may have kept a page since."""
    if entries:
        platform.objects.create(erased_entries(job.id), json.dumps(entries).encode())


def sweep_cache(platform: Platform) -> int:
    """Erase what is too old in one part of the cache, by chance of the hour another one each time; return how much.

    A sweep has little to do so, however large the cache is. Nothing old is served meanwhile: every entry says its age.
    """
    before = oldest(platform) - _PARTS_APART
    part = hashlib.sha256(platform.clock.now().isoformat().encode()).hexdigest()
    return platform.objects.expire(cache_part(part), before=before, dated_by=PAGE_ENTRY)


def _noted(job: Job, platform: Platform) -> tuple[str, ...]:
    try:
        return tuple(json.loads(platform.objects.read(erased_entries(job.id))))
    except (UnknownObject, ValueError):  # none was left, or the disk has damaged it
        return ()
