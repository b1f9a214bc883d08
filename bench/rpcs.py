"""The calls to Google's services that one document needs, made bare: the SDKs, their records, and nothing of ours."""

import os
import tempfile
import uuid
from collections.abc import Mapping
from typing import BinaryIO, cast

from google.cloud import firestore
from google.pubsub_v1.types import PubsubMessage

from bench.clients import at_once
from shared.adapters.google.clients import Clients, open_clients
from shared.adapters.google.names import Names
from shared.adapters.google.provision import provision_buckets, provision_bus
from shared.config import ENGINES
from shared.domain.messages import Topic
from shared.pdf.sandbox import Sandbox

_RECORD = {"body": "x" * 1_500, "tenant": "default", "status": "queued"}
"""About the size of a job's own."""
_SECONDS = 10.0
_BUCKET = "bench"


class Bare:
    """`post` is what a request needs before it is answered, `rest` what it then takes to the job's end."""

    def __init__(self, clients: Clients, names: Names) -> None:
        self._firestore, self._pubsub = clients.firestore, clients.pubsub
        self._bucket = clients.storage.bucket(_BUCKET)
        self._names = names
        self._jobs = self._firestore.collection("jobs")

    def post(self) -> str:
        job = uuid.uuid4().hex
        batch = self._firestore.batch()
        batch.create(self._jobs.document(job), _RECORD)
        batch.commit(timeout=_SECONDS)
        self._publish(Topic.DOCUMENTS)
        return job

    def rest(self, job: str, document: bytes) -> None:
        self._taken(Topic.DOCUMENTS)
        self._changed(job)
        self._put(f"{job}/source", document)
        self._planned(job)
        self._changed(job)
        self._publish(Topic.PAGES_EXPRESS)
        self._taken(Topic.PAGES_EXPRESS)
        self._read(job)
        self._ended(job)

    def _planned(self, job: str) -> None:
        batch = self._firestore.batch()
        batch.create(self._part(job, "pages"), _RECORD)
        batch.create(self._part(job, "ranges"), _RECORD)
        batch.commit(timeout=_SECONDS)

    def _read(self, job: str) -> None:
        self._jobs.document(job).get(timeout=_SECONDS)
        self._changed(job, "ranges")
        self._bucket.blob(f"{job}/source").download_as_bytes(timeout=_SECONDS)
        self._changed(job, "pages")
        for name in ("0001.jpg", "0001.json"):
            self._put(f"{job}/{name}", b"x" * 20_000)
        self._changed(job, "pages")

    def _ended(self, job: str) -> None:
        list(self._jobs.document(job).collection("pages").stream(timeout=_SECONDS))
        self._bucket.blob(f"{job}/0001.json").download_as_bytes(timeout=_SECONDS)
        for name in ("result.md", "result.json"):
            self._put(f"{job}/{name}", b"x" * 2_000)
        self._changed(job)

    def _part(self, job: str, collection: str | None) -> firestore.DocumentReference:
        document = self._jobs.document(job)
        return document.collection(collection).document("1") if collection else document

    def _changed(self, job: str, collection: str | None = None) -> None:
        """A read, and a write that holds only where nobody was faster."""
        reference = self._part(job, collection)
        before = reference.get(timeout=_SECONDS)
        option = self._firestore.write_option(last_update_time=before.update_time)
        reference.update(_RECORD, option=option, timeout=_SECONDS)

    def _put(self, name: str, data: bytes) -> None:
        self._bucket.blob(name).upload_from_string(data, if_generation_match=0, timeout=_SECONDS)

    def _publish(self, topic: Topic) -> None:
        message = PubsubMessage(data=b"x" * 100)
        self._pubsub.publisher.publish(topic=self._names.topic(topic), messages=[message], timeout=_SECONDS)

    def _taken(self, topic: Topic) -> None:
        """Whosever message it is: there is one for each who asks."""
        subscription = self._names.subscription(topic)
        ack_ids: list[str] = []
        while not ack_ids:
            pulled = self._pubsub.subscriber.pull(subscription=subscription, max_messages=1, timeout=_SECONDS)
            ack_ids = [received.ack_id for received in pulled.received_messages]
        self._pubsub.subscriber.acknowledge(subscription=subscription, ack_ids=ack_ids, timeout=_SECONDS)


def opened(project: str) -> Bare:
    """The environment names the emulators."""
    clients, names = open_clients(project=project, database="(default)"), Names(project, project)
    provision_bus(clients.pubsub, names)
    provision_buckets(clients.storage, [_BUCKET])
    return Bare(clients, names)


def jobs_a_second(project: str, document: bytes, *, threads: int, seconds: float) -> float:
    """The bare calls and the rendering of whole documents, as fast as this process can."""
    bare = opened(project)
    with tempfile.TemporaryFile() as unnamed, Sandbox() as sandbox:
        file = cast("BinaryIO", unnamed)
        file.write(document)
        sandbox.start()

        def one() -> None:
            job = bare.post()
            render(sandbox, file)
            bare.rest(job, document)

        return at_once(threads, seconds, one)


def render(sandbox: Sandbox, file: BinaryIO) -> None:
    with sandbox.open(file) as opened_file, opened_file.render(1, dpi=ENGINES["null"].dpi):
        pass


def in_environment(variables: Mapping[str, str]) -> None:
    """Lead this process, and those that it starts, to emulators."""
    os.environ.update(variables)
