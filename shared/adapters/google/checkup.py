"""Whether the services that the settings name are there, for an operator who asks. Nothing is written."""

import google.auth
import google.auth.transport.requests
from google.cloud import storage

from shared.adapters.google.calls import SECONDS, Deadline
from shared.adapters.google.clients import Clients, open_clients
from shared.adapters.google.documents import Documents
from shared.adapters.google.emulated import STORAGE, emulator
from shared.adapters.google.errors import google_errors
from shared.adapters.google.names import Names
from shared.config import Settings
from shared.domain.messages import Topic


class Checkup:
    """Each look says what it found. Raises Unavailable, with its cause, where that is not there or not to be read."""

    def __init__(self, settings: Settings) -> None:
        """Raises Unavailable where there are no credentials."""
        self._settings = settings
        self._clients: Clients = open_clients(project=settings.project, database=settings.database)

    def identity(self) -> str:
        """Who asks, after a token was had for it."""
        where = emulator(STORAGE)
        if where:
            return f"none are needed: the emulator at {where}"
        with google_errors("credentials"):
            credentials, _ = google.auth.default(scopes=("https://www.googleapis.com/auth/cloud-platform",))
            credentials.refresh(google.auth.transport.requests.Request())
        return str(getattr(credentials, "service_account_email", None) or "a user's own")

    def buckets(self) -> str:
        named = (
            self._settings.bucket,
            self._settings.inbox_bucket,
            self._settings.uploads_bucket,
            self._settings.outbox_bucket,
        )
        names = [name for name in named if name is not None]
        for name in names:
            self._look_into(self._clients.storage, name)
        return ", ".join(names)

    def database(self) -> str:
        Documents(self._clients.firestore, seconds=SECONDS).read(self._clients.firestore.document("jobs/~doctor"))
        return f"{self._settings.database} of the project {self._settings.project}"

    def topics(self) -> str:
        """Each topic, and the subscription that its messages go to."""
        names = Names(self._settings.project, self._settings.names)
        pairs = [(names.topic(topic), names.subscription(topic)) for topic in Topic]
        for topic, subscription in (*pairs, (names.dead_letters, names.dead_letter_subscription)):
            with google_errors(topic):
                self._clients.pubsub.publisher.get_topic(topic=topic, **Deadline(SECONDS).options())
            with google_errors(subscription):
                self._clients.pubsub.subscriber.get_subscription(
                    subscription=subscription, **Deadline(SECONDS).options()
                )
        return f"{len(pairs) + 1} with their subscriptions, named {self._settings.names}-…"

    def close(self) -> None:
        self._clients.close()

    @staticmethod
    def _look_into(client: storage.Client, bucket: str) -> None:
        with google_errors(f"gs://{bucket}"):
            list(client.list_blobs(bucket, max_results=1, timeout=SECONDS, retry=None))
