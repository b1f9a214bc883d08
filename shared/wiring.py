"""Which adapters serve the ports. Two families are known in advance; this module chooses, nothing else does."""

from dataclasses import dataclass

from shared.adapters.embedded.batches import SqliteBatchStore
from shared.adapters.embedded.bus import SqliteBus
from shared.adapters.embedded.clock import SystemClock
from shared.adapters.embedded.database import Database
from shared.adapters.embedded.holders import Holders
from shared.adapters.embedded.jobs import SqliteJobStore
from shared.adapters.embedded.objects import FileObjectStore
from shared.config import Settings
from shared.metrics import Metrics
from shared.ports.batches import BatchStore
from shared.ports.bus import Bus
from shared.ports.clock import Clock
from shared.ports.jobs import JobStore
from shared.ports.objects import ObjectStore
from shared.sealing import Sealer, key_of


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
