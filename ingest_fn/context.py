"""What the API works with, on whatever platform."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ingest_fn.guards import guards
from ingest_fn.submit import NewId, new_id
from shared.net.guard import Guard
from shared.wiring import Links, Platform

TENANT = "default"
"""Without API keys there is one tenant, whose name is in every key and upload all the same."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`links` is None where the object store serves its links by itself; `checks` raise what is missing.

    `only_loopback` says that nobody but this machine calls, so that any other host name was made to point here.
    """

    platform: Platform
    sources: Guard
    callbacks: Guard
    new_id: NewId
    checks: Mapping[str, Callable[[], object]]
    links: Links | None = None
    only_loopback: bool = False


def context(platform: Platform, *, links: Links | None, only_loopback: bool = False) -> Context:
    """Return what the API needs on this platform, under the settings' address policy."""
    settings, store, objects, clock = platform.settings, platform.store, platform.objects, platform.clock
    sources, callbacks = guards(settings)
    checks = {
        "store": lambda: store.overdue(now=clock.now(), limit=1),
        "objects": objects.check,
    }
    return Context(
        platform=platform,
        sources=sources,
        callbacks=callbacks,
        new_id=new_id,
        checks=checks,
        links=links,
        only_loopback=only_loopback,
    )
