"""The platform on Google's emulators, for tests that run the pipeline on either family."""

import base64
import uuid
from dataclasses import replace

from shared.adapters.google.clients import open_clients
from shared.adapters.google.names import Names
from shared.adapters.google.provision import provision_buckets, provision_bus
from shared.config import Settings
from shared.domain.secret import Secret
from shared.ports.clock import Clock
from shared.wiring import Opened, google

BUCKETS = ("bucket", "inbox_bucket", "uploads_bucket", "outbox_bucket")


def open_google(settings: Settings, clock: Clock) -> Opened:
    """Make an installation that no other test shares, and connect to it; the environment names the emulators."""
    own = f"mill-{uuid.uuid4().hex[:12]}"
    buckets = {name: f"{own}-{name.partition('_')[0]}" for name in BUCKETS}
    key = Secret(base64.b64encode(b"k" * 32).decode())
    settings = replace(settings, platform="google", project=own, names=own, sealing_key=key, **buckets)  # type: ignore[arg-type]  # strings all
    clients = open_clients(project=own, database=settings.database)
    provision_bus(clients.pubsub, Names(own, own))
    provision_buckets(clients.storage, buckets.values())
    clients.close()
    opened = google(settings)
    return replace(opened, platform=replace(opened.platform, clock=clock))
