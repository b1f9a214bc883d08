"""Which adapters serve the ports. Two families are known in advance; this module chooses, nothing else does."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from shared.adapters.embedded.batches import SqliteBatchStore
from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.clock import SystemClock
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.adapters.embedded.jobs import SqliteJobStore
from shared.adapters.embedded.objects import FileObjectStore
from shared.admissions import Admissions
from shared.config import Settings
from shared.metrics import Metrics
from shared.pdf.limits import Limits
from shared.pdf.sandbox import Sandbox
from shared.ports.batches import BatchStore
from shared.ports.bus import Bus
from shared.ports.clock import Clock
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore
from shared.sealing import Sealer, key_of

log = logging.getLogger(__name__)

_PARKED = 32
"""Documents kept open for a moment after use, about 10 MB each: a worker goes on where `prepare` has opened."""
_PARKED_SECONDS = 5.0
"""The way from `prepare` to a worker that is free takes milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What every deployable is given: the ports, and what belongs to the installation."""

    settings: Settings
    store: JobStore
    batches: BatchStore
    objects: ObjectStore
    bus: Bus
    clock: Clock
    sealer: Sealer
    metrics: Metrics
    admissions: Admissions = field(default_factory=Admissions)


class Links(Protocol):
    """Checks the links that an object store signed for its own server; one that is a service needs none."""

    def allows(self, name: str, *, expires: int, signature: str) -> bool: ...

    def allows_upload(self, name: str, *, expires: int, max_bytes: int, signature: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A platform of either family; `close` hands back and lets go of what it holds."""

    platform: Platform
    links: Links | None
    close: Callable[[], None]


def opened(settings: Settings, *, base_url: str) -> Opened:
    """Open the platform that the settings name. `base_url` is where the embedded family's links to objects lead."""
    if settings.platform == "embedded":
        family = embedded(settings, base_url=base_url)
        return Opened(platform=family.platform, links=family.files, close=family.close)
    return google(settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The platform on one data folder, and what only this family has."""

    platform: Platform
    files: FileObjectStore
    database: Database

    def close(self) -> None:
        self.platform.bus.close()
        self.database.close()


def embedded(settings: Settings, *, base_url: str, clock: Clock | None = None) -> Embedded:
    """Open the data folder, making it where needed. `base_url` is where links to objects lead."""
    clock = clock or SystemClock()
    database = Database(settings.data / "pagemill.sqlite")
    sealer = Sealer(key_of(settings.data))
    files = FileObjectStore(settings.data, clock=clock, base_url=base_url, key=sealer.derived("links"))
    platform = Platform(
        settings=settings,
        store=SqliteJobStore(database),
        batches=SqliteBatchStore(database),
        objects=files,
        bus=SqliteBus(database, Holders(settings.data), clock=clock),
        clock=clock,
        sealer=sealer,
        metrics=Metrics(),
    )
    return Embedded(platform=platform, files=files, database=database)


def google(settings: Settings) -> Opened:
    """Connect to the services of Google Cloud, or to the emulators that the environment names."""
    # The SDKs take a second to import, which the embedded family should not pay.
    from shared.adapters.google.family import connected  # noqa: PLC0415

    metrics = Metrics()
    family = connected(settings, metrics=metrics)
    platform = Platform(
        settings=settings,
        store=family.store,
        batches=family.batches,
        objects=family.objects,
        bus=family.bus,
        clock=SystemClock(),
        sealer=family.sealer,
        metrics=metrics,
    )
    return Opened(platform=platform, links=None, close=family.close)


def sandbox(settings: Settings) -> Sandbox:
    """Return the sandbox under the settings' limits; nothing is started yet."""
    seconds = settings.page_seconds
    limits = Limits(open_seconds=seconds, page_seconds=seconds, max_pixels=settings.max_pixels)
    # A bucket's object is a new file each time that it is opened: what is kept open would never be found again.
    return Sandbox(limits, parked=_PARKED, seconds=_PARKED_SECONDS if settings.platform == "embedded" else 0.0)


def started_sandbox(settings: Settings) -> Sandbox:
    """Return the sandbox, ready. Raises Unavailable where documents cannot be opened here at all."""
    started = sandbox(settings)
    start_sandbox(started)
    return started


def start_sandbox(opened: Sandbox) -> None:
    """As `started_sandbox`, and for whoever made it: the operator is told where it holds less than it could."""
    if not opened.start():
        log.warning("this system does not filter system calls: the sandbox holds less")
