"""The whole pipeline in one process, on embedded adapters: prepare, workers, notifier and sweep as threads."""

from gpu_worker.engines import engine
from gpu_worker.worker import Worker
from ingest_fn.context import LOOPBACK, context
from ingest_fn.inbox import Dropping
from ingest_fn.prepare import KEEP_SECONDS, Preparing, hand_back, keep, prepare
from ingest_fn.sweep import sweep
from ingest_fn.sweep_batches import sweep_batches
from ingest_fn.uploads import sweep_uploads
from notifier.deliver import deliver
from notifier.parts import delivering
from shared.cache.erase import sweep_cache
from shared.config import Settings
from shared.consume import Consumer, Periodic
from shared.domain.messages import Message, PrepareDocument, RoundEnded, Topic
from shared.wiring import embedded, sandbox, start_sandbox

_PREPARING = 8
"""Documents that are fetched and opened at the same time; most of that is waiting for their servers."""
_DELIVERING = 8
_SWEEP_SECONDS = 1.0
_SWEEP_UPLOADS_SECONDS = 3600.0
_SWEEP_CACHE_SECONDS = 10.0
"""Each looks into one part of 256, so into all within some hours."""
_GRACE_SECONDS = 10.0


class System:
    """Opened by its constructor; `start` begins the work, `stop` ends it with nothing half-written."""

    def __init__(self, settings: Settings, *, base_url: str) -> None:
        self.embedded = embedded(settings, base_url=base_url)
        platform = self.embedded.platform
        self._sandbox = sandbox(settings)
        only_loopback = settings.public_url is None and settings.host in LOOPBACK
        self.context = context(platform, links=self.embedded.files, only_loopback=only_loopback)
        self._preparing = Preparing(platform=platform, sandbox=self._sandbox, guard=self.context.sources)
        self._delivering = delivering(platform, self.context.callbacks)
        self._worker = Worker(platform, self._sandbox, engine(settings))
        dropping = Dropping(
            platform=platform,
            sources=self.context.sources,
            callbacks=self.context.callbacks,
            new_id=self.context.new_id,
        )
        metrics = platform.metrics
        self._consumers = [
            Consumer(platform.bus, Topic.DOCUMENTS, self._prepare, threads=_PREPARING, metrics=metrics),
            Consumer(platform.bus, Topic.OUTCOMES, self._deliver, threads=_DELIVERING, metrics=metrics),
        ]
        self._periodic = [
            Periodic("prepare-claims", lambda: keep(self._preparing), seconds=KEEP_SECONDS, metrics=metrics),
            Periodic("sweep", lambda: sweep(platform), seconds=_SWEEP_SECONDS, metrics=metrics),
            Periodic("sweep-batches", lambda: sweep_batches(dropping), seconds=_SWEEP_SECONDS, metrics=metrics),
            Periodic("sweep-uploads", lambda: sweep_uploads(platform), seconds=_SWEEP_UPLOADS_SECONDS, metrics=metrics),
            Periodic("sweep-cache", lambda: sweep_cache(platform), seconds=_SWEEP_CACHE_SECONDS, metrics=metrics),
        ]

    def start(self) -> None:
        """Raises Unavailable where documents cannot be opened here at all."""
        start_sandbox(self._sandbox)
        self._worker.start()
        for consumer in self._consumers:
            consumer.start()
        for periodic in self._periodic:
            periodic.start()

    def stop(self) -> None:
        """Hand back what is in flight and close everything; the next start goes on where this one ended."""
        for consumer in self._consumers:
            consumer.stop()
        for periodic in self._periodic:
            periodic.stop()
        self.embedded.platform.bus.end_pulls()
        self._worker.stop(grace=_GRACE_SECONDS)
        for consumer in self._consumers:
            consumer.join(_GRACE_SECONDS)
        for periodic in self._periodic:
            periodic.join(_GRACE_SECONDS)
        hand_back(self._preparing)
        self.embedded.platform.bus.close()
        self._sandbox.close()
        self.embedded.close()

    def _prepare(self, message: Message) -> None:
        if isinstance(message, PrepareDocument):
            prepare(message, self._preparing)

    def _deliver(self, message: Message) -> None:
        if isinstance(message, RoundEnded):
            deliver(message, self._delivering)
