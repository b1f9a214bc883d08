"""The family as a process opens it."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from shared.adapters.google.clients import open_clients
from shared.adapters.google.family import connected
from shared.adapters.google.names import Names
from shared.adapters.google.provision import provision_buckets, provision_bus
from shared.config import Settings, SettingsError
from shared.domain.errors import Unavailable
from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, Topic
from shared.domain.secret import Secret
from shared.metrics import Metrics
from shared.pdf.sandbox import Sandbox
from shared.wiring import start_sandbox
from tests.builders import a_job, a_key

ROOT = Path(__file__).parents[1]
KEY = Secret(base64.b64encode(b"k" * 32).decode())


def settings() -> Settings:
    name = f"test-{uuid.uuid4().hex[:12]}"
    return Settings(
        platform="google", project=name, names="mill", bucket=name, uploads_bucket=f"{name}-uploads", sealing_key=KEY
    )


def test_what_the_settings_name_is_what_is_used(google: Mapping[str, str]) -> None:  # noqa: ARG001 - the environment
    given = settings()
    clients = open_clients(project=given.project, database=given.database)
    provision_bus(clients.pubsub, Names(given.project, given.names))
    provision_buckets(clients.storage, [given.bucket or "", given.uploads_bucket or ""])

    family = connected(given, metrics=Metrics())

    family.objects.check()
    assert family.store.add(a_job(), a_key()) == (a_job(), True)
    assert family.objects.create("uploads/acme/1", b"content")
    assert family.objects.uri("uploads/acme/1") == f"gs://{given.uploads_bucket}/uploads/acme/1"
    assert family.objects.uri("inbox/acme/1") == f"gs://{given.bucket}/inbox/acme/1"
    family.bus.publish(Topic.DOCUMENTS, PrepareDocument(job_id=JobId("job1")))
    assert len(family.bus.pull(Topic.DOCUMENTS, limit=1, wait=5)) == 1
    assert family.sealer.unseal(family.sealer.seal("secret")) == "secret"
    assert clients.firestore.document("jobs/job1").get().exists
    assert clients.storage.bucket(given.uploads_bucket).blob("uploads/acme/1").exists()
    family.close()
    clients.close()


def test_without_a_bucket_nothing_is_opened() -> None:
    with pytest.raises(SettingsError, match="BUCKET"):
        connected(replace(settings(), bucket=None), metrics=Metrics())


def test_who_seals_nothing_needs_no_key(google: Mapping[str, str]) -> None:  # noqa: ARG001 - the environment
    given = replace(settings(), sealing_key=None)

    family = connected(given, metrics=Metrics())

    with pytest.raises(Unavailable, match="PAGEMILL_SEALING_KEY"):
        family.sealer.seal("secret")
    with pytest.raises(Unavailable, match="PAGEMILL_SEALING_KEY"):
        family.sealer.unseal("secret")
    family.close()


class Unfiltered(Sandbox):
    """As on a system that lets nobody filter system calls."""

    def start(self) -> bool:
        super().start()
        return False


def test_whoever_opens_documents_says_that_the_sandbox_holds_less(caplog: pytest.LogCaptureFixture) -> None:
    with Unfiltered() as sandbox:
        start_sandbox(sandbox)

    assert "does not filter system calls" in caplog.text
