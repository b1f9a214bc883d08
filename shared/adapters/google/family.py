"""The adapters of this family, on what the settings name."""

import base64
import threading
from dataclasses import dataclass

from shared.adapters.google.batches import FirestoreBatchStore
from shared.adapters.google.buckets import Buckets
from shared.adapters.google.bus import PubSubBus
from shared.adapters.google.clients import Clients, open_clients
from shared.adapters.google.jobs import FirestoreJobStore
from shared.adapters.google.names import Names
from shared.adapters.google.objects import GcsObjectStore
from shared.config import Settings, SettingsError
from shared.metrics import Metrics
from shared.sealing import Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class Google:
    store: FirestoreJobStore
    batches: FirestoreBatchStore
    objects: GcsObjectStore
    bus: PubSubBus
    sealer: Sealer
    clients: Clients
    warming: threading.Thread

    def close(self) -> None:
        self.bus.close()
        self.store.close()
        self.warming.join()
        self.clients.close()


def connected(settings: Settings, *, metrics: Metrics) -> Google:
    """Make the clients, and have them make their first calls, which nobody waits for.

    Raises SettingsError, and Unavailable where there are no credentials.
    """
    bucket, key = settings.bucket, settings.sealing_key
    if bucket is None:
        raise SettingsError(["Platform google needs PAGEMILL_BUCKET."])
    others = {"inbox": settings.inbox_bucket, "uploads": settings.uploads_bucket, "outbox": settings.outbox_bucket}
    clients = open_clients(project=settings.project, database=settings.database)
    warming = threading.Thread(target=clients.warm_up, args=(bucket,), name="warm-up", daemon=True)
    warming.start()
    return Google(
        store=FirestoreJobStore(clients.firestore),
        batches=FirestoreBatchStore(clients.firestore),
        objects=GcsObjectStore(clients.storage, Buckets(bucket, others)),
        bus=PubSubBus(clients.pubsub, Names(settings.project, settings.names), metrics=metrics),
        sealer=Sealer(base64.b64decode(key.reveal()) if key else None),
        clients=clients,
        warming=warming,
    )
