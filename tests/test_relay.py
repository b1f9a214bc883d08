"""The relay that stands in for Eventarc: real events of the storage emulator, to a function that may refuse them."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from local.emulator_programs import MissingPrograms
from local.project import emulators, events_name, parts_environment, project_settings, provision
from shared.adapters.google.relay import cloud_event
from shared.config import read_settings
from tests.backends import missing_backend
from tests.servers import Received, Receiver, Reply
from tests.serving import until

pytestmark = pytest.mark.google

ROOT = Path(__file__).parents[1]
SETTINGS = read_settings(project_settings({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    host: str

    def post(self, path: str, body: bytes, content_type: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.host).netloc, timeout=20)
        connection.request("POST", path, body, {"Content-Type": content_type})
        assert connection.getresponse().status == http.client.OK
        connection.close()

    def make_bucket(self, name: str) -> None:
        self.post("/storage/v1/b?project=pagemill", json.dumps({"name": name}).encode(), "application/json")

    def upload(self, bucket: str, name: str, data: bytes) -> None:
        self.post(f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}", data, "text/plain")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    folder = tmp_path_factory.mktemp("relay")
    try:
        running = emulators(folder, SETTINGS, events=True)
    except MissingPrograms:
        missing_backend("the Google emulators")
    with running:
        environment = parts_environment(os.environ, project_settings({}), running.variables)
        provision(environment, folder, events=events_name(SETTINGS))
        Storage(host=environment["STORAGE_EMULATOR_HOST"]).make_bucket("another")
        yield environment


@pytest.fixture
def storage(environment: Mapping[str, str]) -> Storage:
    return Storage(host=environment["STORAGE_EMULATOR_HOST"])


@contextmanager
def relaying(environment: Mapping[str, str], url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "local.relay", events_name(SETTINGS), url]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "pagemill relays\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def events_of(function: Receiver, name: str, count: int = 1) -> list[Received]:
    """Wait for the events of one object; those of an earlier test may come once more."""
    until(lambda: len(_named(function, name)) >= count)
    return _named(function, name)


def _named(function: Receiver, name: str) -> list[Received]:
    return [event for event in list(function.received) if json.loads(event.body)["name"] == name]


def test_an_object_of_the_inbox_comes_as_a_cloud_event(environment: Mapping[str, str], storage: Storage) -> None:
    with Receiver() as function, relaying(environment, function.url):
        storage.upload("another", "inbox/acme/other.pdf", b"no")
        storage.upload("pagemill-inbox", "inbox/acme/Größe 1.pdf", b"hello")
        event = events_of(function, "inbox/acme/Größe 1.pdf")[0]
        others = _named(function, "inbox/acme/other.pdf")

    data = json.loads(event.body)
    assert others == []
    assert event.method == "POST"
    assert event.headers["ce-specversion"] == "1.0"
    assert event.headers["ce-type"] == "google.cloud.storage.object.v1.finalized"
    assert event.headers["ce-source"] == "//storage.googleapis.com/projects/_/buckets/pagemill-inbox"
    assert event.headers["ce-subject"] == "objects/inbox/acme/Gr%C3%B6%C3%9Fe%201.pdf"
    assert event.headers["content-type"] == "application/json"
    assert (data["bucket"], data["name"]) == ("pagemill-inbox", "inbox/acme/Größe 1.pdf")
    assert int(data["generation"]) > 0


def test_an_event_that_the_function_refuses_comes_again(environment: Mapping[str, str], storage: Storage) -> None:
    refusals = [Reply(status=503), Reply(status=429)]

    with Receiver(*refusals) as function, relaying(environment, function.url):
        storage.upload("pagemill-inbox", "inbox/acme/again.pdf", b"hello")
        events = events_of(function, "inbox/acme/again.pdf", count=3)

    assert len({event.headers["ce-id"] for event in events}) == 1


def test_an_event_is_not_lost_with_a_relay_that_is_killed(environment: Mapping[str, str], storage: Storage) -> None:
    with Receiver(*[Reply(status=503)] * 100) as down, relaying(environment, down.url) as relay:
        storage.upload("pagemill-inbox", "inbox/acme/kept.pdf", b"hello")
        events_of(down, "inbox/acme/kept.pdf")
        relay.send_signal(signal.SIGKILL)

    with Receiver() as function, relaying(environment, function.url):
        events = events_of(function, "inbox/acme/kept.pdf")

    assert events


@pytest.mark.parametrize("kind", ["OBJECT_DELETE", "OBJECT_METADATA_UPDATE", ""])
def test_what_is_no_new_object_is_nobodys_event(kind: str) -> None:
    assert cloud_event({"eventType": kind}, message_id="1") is None
