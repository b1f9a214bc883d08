"""The SDKs' clients: for production, or for the emulators that the environment names."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import google.auth
import grpc
from google.api_core.exceptions import ClientError
from google.auth.credentials import Credentials
from google.cloud import firestore, storage
from requests.adapters import HTTPAdapter

from shared.adapters.google.documents import Documents
from shared.adapters.google.emulated import STORAGE, emulator
from shared.adapters.google.errors import NotAccepted, google_errors
from shared.adapters.google.pubsub import PubSub, open_pubsub
from shared.domain.errors import Unavailable

log = logging.getLogger(__name__)

_CONNECTIONS = 64
"""Kept open to Cloud Storage; of itself the SDK keeps ten, and opens and closes the rest for each call."""
_WARM_UP_SECONDS = 3.0
_NO_BUCKET_METADATA = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
"""Of itself the SDK asks for each bucket once, in a thread that tries for two minutes, for the spans that it makes
where its tracing is switched on.
"""
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
"""Of itself the SDK asks for storage's own scopes, and IAM signs no link for a token that has no more than those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    firestore: firestore.Client
    storage: storage.Client
    pubsub: PubSub

    def warm_up(self, bucket: str) -> None:
        """Make the first call of each kind now, so that no request waits for connections and tokens.

        Best effort: what cannot be reached now may be when it is needed. An answer is an answer: not every identity may
        look into the bucket, and one that was refused is connected all the same.
        """
        first_calls = (self._read, lambda: self._list(bucket), self._connect)
        with ThreadPoolExecutor(len(first_calls)) as threads:
            list(threads.map(_tried, first_calls))

    def close(self) -> None:
        """Nothing may be called any more."""
        self.firestore._firestore_api.transport.close()
        self.storage.close()
        self.pubsub.close()

    def _read(self) -> None:
        Documents(self.firestore, seconds=_WARM_UP_SECONDS).read(self.firestore.document("jobs/~warm-up"))

    def _list(self, bucket: str) -> None:
        with google_errors("warm up"):
            list(self.storage.list_blobs(bucket, max_results=1, timeout=_WARM_UP_SECONDS, retry=None))

    def _connect(self) -> None:
        ready = grpc.channel_ready_future(self.pubsub.channel)
        try:
            ready.result(timeout=_WARM_UP_SECONDS)
        except grpc.FutureTimeoutError as error:
            ready.cancel()
            raise Unavailable("warm up") from error


def open_clients(*, project: str, database: str) -> Clients:
    """Raises Unavailable where there are no credentials."""
    os.environ.setdefault(_NO_BUCKET_METADATA, "true")
    with google_errors("credentials"):
        objects = storage.Client(project=project, credentials=_storage_credentials())
        objects._http.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        objects._http.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        documents = firestore.Client(project=project, database=database)
    return Clients(firestore=documents, storage=objects, pubsub=open_pubsub())


def _storage_credentials() -> Credentials | None:
    """Return those of this process; None where an emulator asks for none."""
    if emulator(STORAGE):
        return None
    credentials: Credentials = google.auth.default(scopes=_SCOPES)[0]
    return credentials


def _tried(call: Callable[[], None]) -> None:
    try:
        call()
    except (Unavailable, NotAccepted) as error:
        if not isinstance(error.__cause__, ClientError):
            log.warning("not reached at the start", extra={"reason": str(error)})
