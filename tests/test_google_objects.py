"""What the object store in Cloud Storage promises beyond what every store does."""

import gzip
import http.client
import io
import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
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
from shared.ports.objects import ObjectTooLarge
from tests.contract.families import GoogleFamily
from tests.servers import Behaviour, Exchange, Received, Server, answering
from tests.signed_links import credentials, is_signed, private_key

ROOT = Path(__file__).parents[1]
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
        self.refuses_with = 412
        self.before: Callable[[Received], object] = lambda _: None
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
        self.before(request)
        if any(part in f"{request.method} {request.target}" for part in self.refuses):
            return exchange.answer(self.refuses_with)
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


def test_who_may_only_create_needs_to_look_at_nothing(far: GcsObjectStore, between: Between) -> None:
    far.create("jobs/1", b"content")
    between.refuses, between.refuses_with = ("GET ",), 403

    assert far.create("jobs/2", b"content")
    assert far.create("jobs/3", io.BytesIO(bytes(LARGE)))
    assert far.copy("jobs/1", "jobs/4")
    between.refuses, between.refuses_with = ("POST ",), 412
    assert not far.create("jobs/2", b"content")
    assert not far.create("jobs/3", io.BytesIO(bytes(LARGE)))
    assert not far.copy("jobs/1", "jobs/4")


def test_who_may_not_replace_what_is_there_is_told_that_it_is_there(far: GcsObjectStore, between: Between) -> None:
    far.create("jobs/1", b"content")
    between.refuses, between.refuses_with = ("POST ",), 403

    assert not far.create("jobs/1", b"another")
    with pytest.raises(Unavailable):
        far.create("jobs/2", b"content")
    with pytest.raises(Unavailable):
        far.copy("jobs/1", "jobs/2")


def test_what_is_too_large_is_never_downloaded(far: GcsObjectStore, between: Between) -> None:
    far.create(NAME, bytes(1000))
    between.server.received.clear()

    with pytest.raises(ObjectTooLarge):
        far.open(NAME, most=999)

    assert [request.target for request in between.server.received if "alt=media" in request.target] == []


def test_what_was_found_small_enough_is_what_is_downloaded(
    far: GcsObjectStore, between: Between, family: GoogleFamily
) -> None:
    """Whoever may write to an inbox may put something larger there between the look and the download."""
    far.create(NAME, b"small")

    def swap(request: Received) -> None:
        if "alt=media" in request.target:
            family.objects.erase(NAME)
            family.objects.create(NAME, bytes(1000))

    between.before = swap

    with pytest.raises(Unavailable):
        far.open(NAME, most=999)


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


@pytest.mark.parametrize("status", [403, 404])
def test_who_may_not_look_into_the_bucket_starts_without_complaint(
    far: GcsObjectStore,  # noqa: ARG001 - the environment by way of the server
    between: Between,
    family: GoogleFamily,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    between.refuses, between.refuses_with = ("GET ",), status
    clients = open_clients(project=family.project, database="(default)")

    clients.warm_up(family.project)

    assert between.server.received[-1].method == "GET"
    assert caplog.records == []
    clients.close()


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
EVERYTHING = "https://www.googleapis.com/auth/cloud-platform"
FROM_METADATA = {"Metadata-Flavor": "Google"}


class MetadataAndIam:
    """The two services that a Cloud Run service signs with, as far as it needs them."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.server = Server({}, otherwise=behaviour or self._answer)
        self._real = Request()

    def __call__(self, url: str, method: str = "GET", **arguments: Any) -> Any:
        """The transport: whatever the host, it leads here."""
        parts = urlsplit(url)
        here = f"{self.server.url}{parts.path}?{parts.query}"
        return self._real(here, method=method, **{"timeout": 5, **arguments})

    def _answer(self, exchange: Exchange) -> None:
        target = exchange.request.target
        if ":signBlob" in target:
            self._sign(exchange)
        elif "/token" in target:
            scopes = parse_qs(urlsplit(target).query).get("scopes", [EVERYTHING])[0].split(",")
            token = "token" if EVERYTHING in scopes else "narrow"
            self._say(exchange, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
        elif "/universe" in target:
            exchange.answer(200, b"googleapis.com", FROM_METADATA | {"Content-Type": "text/plain"})
        else:
            self._say(exchange, {"email": ACCOUNT, "scopes": [EVERYTHING], "aliases": []})

    def _sign(self, exchange: Exchange) -> None:
        """As IAM does: only for a token whose scopes let it."""
        assert ACCOUNT in exchange.request.target
        if exchange.request.headers["authorization"] != "Bearer token":
            exchange.answer(403)
            return
        text = b64decode(json.loads(exchange.request.body)["payload"])
        signed = private_key().sign(text, PKCS1v15(), SHA256())
        self._say(exchange, {"signedBlob": b64encode(signed).decode()})

    def _say(self, exchange: Exchange, body: dict[str, Any]) -> None:
        exchange.answer(200, json.dumps(body).encode(), FROM_METADATA | {"Content-Type": "application/json"})


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


LINK_ON_CLOUD_RUN = """
import sys
from datetime import timedelta
from urllib.parse import urlsplit

from google.auth.transport.requests import Request

from shared.adapters.google.buckets import Buckets
from shared.adapters.google.clients import open_clients
from shared.adapters.google.objects import GcsObjectStore
from shared.adapters.google.signing import signing_credentials

def to_services(url, method="GET", **arguments):
    parts = urlsplit(url)
    return Request()(f"{sys.argv[1]}{parts.path}?{parts.query}", method=method, **arguments)

clients = open_clients(project="mill-1", database="(default)")
signing = signing_credentials(clients.storage._credentials, transport=to_services)
print(GcsObjectStore(clients.storage, Buckets("bucket", {}), signing=signing).link("jobs/1/source", timedelta(hours=1)))
"""


def test_iam_signs_for_the_credentials_that_a_cloud_run_service_finds() -> None:
    """In a process of its own: where the metadata server is, google-auth reads once."""
    with MetadataAndIam().server as services:
        address = f"127.0.0.1:{services.port}"
        done = subprocess.run(
            [sys.executable, "-c", LINK_ON_CLOUD_RUN, services.url],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "GCE_METADATA_HOST": address, "GCE_METADATA_IP": address},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr[-2000:]
    assert is_signed("GET", done.stdout.strip(), {}, now=datetime.now(UTC))


def test_where_iam_does_not_sign_there_is_no_link(family: GoogleFamily) -> None:
    services = MetadataAndIam(answering(403))
    signing = signing_credentials(on_cloud_run(), transport=services)
    objects = GcsObjectStore(family.clients.storage, Buckets(family.project, {}), signing=signing)

    with services.server, pytest.raises(Unavailable):
        objects.link(NAME, HOUR)


def test_a_key_file_signs_by_itself() -> None:
    key_file = credentials()

    assert signing_credentials(key_file) is key_file
