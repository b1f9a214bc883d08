"""What the object store in Cloud Storage promises beyond what every store does."""

import gzip
import http.client
import io
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from google.auth import compute_engine
from google.auth.transport.requests import Request

from shared.adapters.google.buckets import Buckets
from shared.adapters.google.clients import open_clients
from shared.adapters.google.objects import GcsObjectStore
from shared.adapters.google.signing import signing_credentials
from shared.domain.errors import Unavailable
from tests.contract.families import GoogleFamily
from tests.servers import Behaviour, Exchange, Server, answering
from tests.signed_links import credentials, is_signed, private_key

NAME = "jobs/1/source"
LARGE = 9 << 20
HOUR = timedelta(hours=1)
WRITES = ("/upload/", "/rewriteTo/")


@pytest.fixture
def family(google: Mapping[str, str]) -> Iterator[GoogleFamily]:  # noqa: ARG001 - the environment that it reads
    family = GoogleFamily()
    yield family
    family.close()


class Between:
    """A server between us and the emulator, which passes everything on but for what a test has it do."""

    def __init__(self, emulator: str) -> None:
        self._emulator = emulator
        self.refuses: tuple[str, ...] = ()
        self.answers_lost = 0
        self.damages = False
        self.server = Server({}, otherwise=self._pass_on)

    @property
    def writes(self) -> list[str]:
        """The query of each request that began a write."""
        targets = [request.target for request in self.server.received if request.method == "POST"]
        return [urlsplit(target).query for target in targets if any(part in target for part in WRITES)]

    def _pass_on(self, exchange: Exchange) -> None:
        request = exchange.request
        if any(part in f"{request.method} {request.target}" for part in self.refuses):
            return exchange.answer(412)
        connection = http.client.HTTPConnection(urlsplit(self._emulator).netloc, timeout=10)
        connection.request(request.method, request.target, request.body, dict(request.headers))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if self.answers_lost and request.method == "POST":
            self.answers_lost -= 1
            return exchange.reset()
        headers = {name: value.replace(self._emulator, self.server.url) for name, value in answer.getheaders()}
        kept = {name: value for name, value in headers.items() if name.lower() not in {"content-length", "connection"}}
        return exchange.answer(answer.status, body.replace(b"content", b"c0ntent") if self.damages else body, kept)


@pytest.fixture
def between(google: Mapping[str, str]) -> Iterator[Between]:
    between = Between(google["STORAGE_EMULATOR_HOST"])
    with between.server:
        yield between


@pytest.fixture
def far(family: GoogleFamily, between: Between, monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsObjectStore]:
    """The family's objects, by way of that server."""
    family.objects.check()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", between.server.url)
    clients = open_clients(project=family.project, database="(default)")
    yield GcsObjectStore(clients.storage, Buckets(family.project, {}), seconds=3)
    clients.close()


def test_each_write_asks_for_an_object_that_is_not_there(far: GcsObjectStore, between: Between) -> None:
    """The emulator heeds it for the first of these kinds only."""
    assert far.create("jobs/1", b"content")
    assert far.create("jobs/2", io.BytesIO(b"content"))
    assert far.create("jobs/3", io.BytesIO(bytes(LARGE)))
    assert far.copy("jobs/1", "jobs/4")

    queries = [parse_qs(query) for query in between.writes]
    assert len(queries) == 4
    assert [query.get("ifGenerationMatch") for query in queries] == [["0"]] * 4


@pytest.mark.parametrize("refused", ["POST /upload/", "PUT /upload/", "POST /storage/"], ids=["begin", "end", "copy"])
def test_a_write_that_is_refused_since_another_was_first_says_so(
    far: GcsObjectStore, between: Between, refused: str
) -> None:
    far.create("jobs/1", b"content")
    between.refuses = (refused,)

    if refused == "POST /storage/":
        assert not far.copy("jobs/1", "jobs/2")
    else:
        assert not far.create("jobs/2", io.BytesIO(bytes(LARGE)))


def test_a_write_whose_answer_was_lost_was_made_once(far: GcsObjectStore, between: Between) -> None:
    between.answers_lost = 1

    far.create(NAME, b"content")

    assert far.read(NAME) == b"content"
    assert len(between.writes) == 2


def test_content_that_was_damaged_on_its_way_is_not_taken_for_the_object(far: GcsObjectStore, between: Between) -> None:
    far.create(NAME, b"content")
    between.damages = True
    descriptors = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(Unavailable):
        far.read(NAME)
    with pytest.raises(Unavailable):
        far.open(NAME)

    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 1  # a connection may have been opened anew
    between.damages = False
    assert far.read(NAME) == b"content"


def test_a_bucket_that_is_not_there_is_no_store(family: GoogleFamily) -> None:
    nowhere = GcsObjectStore(family.clients.storage, Buckets(f"{family.project}-nowhere", {}))

    with pytest.raises(Unavailable):
        nowhere.check()
    with pytest.raises(Unavailable):
        nowhere.create(NAME, b"content")
    with pytest.raises(Unavailable):
        nowhere.create(NAME, io.BytesIO(b"content"))


def test_what_a_stranger_stored_compressed_is_not_unpacked(family: GoogleFamily) -> None:
    """A few bytes must not become gigabytes here."""
    packed = gzip.compress(bytes(10_000_000))
    family.objects.check()
    blob = family.clients.storage.bucket(f"{family.project}-inbox").blob("inbox/acme/bomb.pdf")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)

    assert family.objects.read("inbox/acme/bomb.pdf") == packed
    with family.objects.open("inbox/acme/bomb.pdf") as file:
        assert file.read() == packed


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("jobs/1/results/1/result.md", "text/markdown; charset=utf-8"),
        ("jobs/1/results/1/result.json", "application/json"),
        ("jobs/1/images/0123.png", "image/png"),
        ("jobs/1/source", "application/octet-stream"),
        ("uploads/acme/page.html", "application/octet-stream"),
    ],
)
def test_a_link_serves_what_we_made_as_what_it_is_and_all_else_as_bytes(
    family: GoogleFamily, name: str, kind: str
) -> None:
    family.objects.create(name, b"content")

    assert requests.get(family.objects.link(name, HOUR), timeout=10).headers["Content-Type"] == kind


def test_a_link_lives_as_long_as_a_signature_may(family: GoogleFamily) -> None:
    link = family.objects.link(NAME, timedelta(days=30))

    assert is_signed("GET", link, {}, now=datetime.now(UTC) + timedelta(days=6, hours=23))


def test_an_emulator_serves_links_though_nobody_can_sign(family: GoogleFamily) -> None:
    family.objects.create(NAME, b"content")
    unsigned = GcsObjectStore(family.clients.storage, Buckets(family.project, {}))
    upload = unsigned.upload_link("jobs/2/source", HOUR, max_bytes=10)

    assert requests.get(unsigned.link(NAME, HOUR), timeout=10).content == b"content"
    assert requests.put(upload.url, b"another", headers=dict(upload.headers), timeout=10).ok
    assert family.objects.read("jobs/2/source") == b"another"


ACCOUNT = "submit@test.invalid"


class MetadataAndIam:
    """The two services that a Cloud Run service signs with, as far as it needs them."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.server = Server({}, otherwise=behaviour or self._answer)
        self._real = Request()

    def __call__(self, url: str, method: str = "GET", **arguments: Any) -> Any:
        """The transport: whatever the host, it leads here."""
        return self._real(self.server.url + urlsplit(url).path, method=method, **{"timeout": 5, **arguments})

    def _answer(self, exchange: Exchange) -> None:
        target, headers = exchange.request.target, {"Content-Type": "application/json", "Metadata-Flavor": "Google"}
        if target.endswith(":signBlob"):
            assert ACCOUNT in target
            assert exchange.request.headers["authorization"] == "Bearer token"
            text = b64decode(json.loads(exchange.request.body)["payload"])
            signed = private_key().sign(text, PKCS1v15(), SHA256())
            body: dict[str, Any] = {"signedBlob": b64encode(signed).decode()}
        elif "/token" in target:
            body = {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}
        else:
            body = {"email": ACCOUNT, "scopes": ["https://www.googleapis.com/auth/cloud-platform"], "aliases": []}
        exchange.answer(200, json.dumps(body).encode(), headers)


def on_cloud_run() -> compute_engine.Credentials:
    return compute_engine.Credentials(universe_domain="googleapis.com")


def test_a_service_without_a_key_has_iam_sign_for_it(family: GoogleFamily) -> None:
    services = MetadataAndIam()
    signing = signing_credentials(on_cloud_run(), transport=services)
    objects = GcsObjectStore(family.clients.storage, Buckets(family.project, {}), signing=signing)

    with services.server:
        link = objects.link(NAME, HOUR)
        upload = objects.upload_link("uploads/1", HOUR, max_bytes=10)

    assert is_signed("GET", link, {}, now=datetime.now(UTC))
    assert is_signed("PUT", upload.url, upload.headers, now=datetime.now(UTC))
    assert upload.headers == {"x-goog-if-generation-match": "0", "x-goog-content-length-range": "0,10"}
    assert f"{ACCOUNT.partition('@')[0]}%40" in link


def test_where_iam_does_not_sign_there_is_no_link(family: GoogleFamily) -> None:
    services = MetadataAndIam(answering(403))
    signing = signing_credentials(on_cloud_run(), transport=services)
    objects = GcsObjectStore(family.clients.storage, Buckets(family.project, {}), signing=signing)

    with services.server, pytest.raises(Unavailable):
        objects.link(NAME, HOUR)


def test_a_key_file_signs_by_itself() -> None:
    key_file = credentials()

    assert signing_credentials(key_file) is key_file
