"""What lies in the cache, and looking it up: what is missing, too old, damaged or of a later version is a miss."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from shared.domain.errors import Unavailable
from shared.domain.page import SCHEMA as PAGE_SCHEMA
from shared.domain.page import PageRead
from shared.layout import cached_document, cached_page
from shared.ports.objects import UnknownObject
from shared.records import UnreadableRecord, from_json
from shared.wiring import Platform

log = logging.getLogger(__name__)

SCHEMA = 1

PAGE_ENTRY = "page.json"
"""What makes an entry of the objects beside and below it, and says how old they are."""


class Kind(StrEnum):
    PAGE = "page"
    DOCUMENT = "document"


class Outcome(StrEnum):
    HIT = "hit"
    MISS = "miss"
    EXPIRED = "expired"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPage:
    """A reading without a page's number; its `usage` is that of a page taken from the cache."""

    kept_at: datetime
    read: PageRead
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedDocument:
    """Which entry of the page cache each page is."""

    kept_at: datetime
    pages: Mapping[int, str]
    schema: int = SCHEMA


class _Entry(Protocol):
    @property
    def kept_at(self) -> datetime: ...


E = TypeVar("E", bound=_Entry)


def page_entry(tenant: str, key: str) -> str:
    """The object that says that a page is kept; what it needs was there before."""
    return cached_page(tenant, key) + PAGE_ENTRY


def document_entry(tenant: str, key: str) -> str:
    return cached_document(tenant, key) + "document.json"


def oldest(platform: Platform) -> datetime:
    """What was kept before this moment is not there any more."""
    return platform.clock.now() - timedelta(days=platform.settings.cache_days)


def find_page(tenant: str, key: str, platform: Platform) -> PageRead | None:
    """Return the reading that is kept under this key; None where there is none, whatever the reason."""
    found = _find(CachedPage, page_entry(tenant, key), platform)
    if isinstance(found, CachedPage) and found.read.schema > PAGE_SCHEMA:
        found = Outcome.DAMAGED
    _count(Kind.PAGE, found, key, platform)
    return found.read if isinstance(found, CachedPage) else None


def find_document(tenant: str, key: str, platform: Platform) -> Mapping[int, str]:
    """Return the keys of the document's pages by number; none where nothing is kept."""
    found = _find(CachedDocument, document_entry(tenant, key), platform)
    _count(Kind.DOCUMENT, found, key, platform)
    return found.pages if isinstance(found, CachedDocument) else {}


def lost(kind: Kind, key: str, platform: Platform) -> None:
    """Note that a part of an entry that was found is gone or damaged."""
    _count(kind, Outcome.DAMAGED, key, platform)


def kept(kind: Kind, key: str, platform: Platform, keep: Callable[[], object]) -> None:
    """Keep something, by best effort: what was read stands without the cache."""
    try:
        keep()
    except (Unavailable, UnknownObject):
        platform.metrics.cache_entries_lost.labels(kind).inc()
        log.warning("not kept for another time", extra={"kind": kind, "key": key}, exc_info=True)


def _find(entry: type[E], name: str, platform: Platform) -> E | Outcome:
    try:
        found = from_json(entry, platform.objects.read(name))
    except UnknownObject:
        return Outcome.MISS
    except UnreadableRecord:
        return Outcome.DAMAGED
    return found if found.kept_at > oldest(platform) else Outcome.EXPIRED


def _count(kind: Kind, found: object, key: str, platform: Platform) -> None:
    outcome = found if isinstance(found, Outcome) else Outcome.HIT
    platform.metrics.cache_lookups.labels(kind, outcome).inc()
    if outcome is Outcome.DAMAGED:
        log.warning("cache entry cannot be used", extra={"kind": kind, "key": key})
