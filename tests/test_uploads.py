"""Direct uploads: a link that is written once, the document that is read from it, and when it is erased."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from ingest_fn.rounds import delete
from ingest_fn.submit import Submission, submit_object
from ingest_fn.uploads import note_use, offer_upload, sweep_uploads
from shared.domain.job import JobId
from shared.domain.messages import Topic
from shared.domain.status import Status
from shared.layout import upload_object, upload_users
from shared.pdf.sandbox import Sandbox
from tests import samples
from tests.clocks import ManualClock
from tests.pipeline import Pipeline, pipeline
from tests.serving import Json, Served, served, until

MAX_BYTES = 50_000
PAGE = samples.pdf(["one"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("uploads") / "data", {"MAX_BYTES": str(MAX_BYTES)}) as running:
        yield running


def offered(server: Served) -> Json:
    answer = server.http.post("/uploads")
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def put(server: Served, offer: Json, data: bytes) -> httpx.Response:
    return server.http.put(offer["upload_url"], content=data, headers=offer["headers"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def stored(server: Served, offer: Json) -> Path:
    return server.data / "objects" / str(offer["uri"]).removeprefix("gs://pagemill/")


@pytest.mark.parametrize("field", ["pdf_url", "url", "image_url"])
def test_an_upload_is_read_under_its_uri_in_every_field_for_a_url(server: Served, field: str) -> None:
    offer = offered(server)
    assert put(server, offer, PAGE).status_code == 201

    answer = server.http.post("/infer", json={field: offer["uri"]})

    assert answer.status_code == 202
    assert server.ended(answer.json()["job_id"])["status"] == "finished"


def test_a_link_is_written_once(server: Served) -> None:
    offer = offered(server)
    put(server, offer, PAGE)

    again = put(server, offer, b"something else")

    assert code(again) == (412, "already_uploaded")
    assert stored(server, offer).read_bytes() == PAGE


def test_of_uploads_that_race_one_wins_and_the_others_hear_of_it(server: Served) -> None:
    offer = offered(server)
    gate, answers = threading.Barrier(8), []

    def upload(index: int) -> None:
        gate.wait()
        answers.append((index, put(server, offer, bytes([index]) * 40_000).status_code))

    threads = [threading.Thread(target=upload, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = [index for index, status in answers if status == 201]
    assert sorted(status for _, status in answers) == [201] + [412] * 7
    assert stored(server, offer).read_bytes() == bytes([winner]) * 40_000


def test_no_more_is_taken_than_the_link_allows(server: Served) -> None:
    most, more = offered(server), offered(server)

    assert put(server, most, b"x" * MAX_BYTES).status_code == 201
    assert code(put(server, more, b"x" * (MAX_BYTES + 1))) == (413, "too_large")

    assert not stored(server, more).exists()


def test_a_body_whose_length_nobody_said_is_capped_as_well(server: Served) -> None:
    offer = offered(server)

    answer = server.http.put(offer["upload_url"], content=iter([b"x" * 10_000] * 10))

    assert code(answer) == (413, "too_large")
    assert not stored(server, offer).exists()


def test_an_upload_that_breaks_off_leaves_nothing_and_can_be_sent_again(server: Served) -> None:
    offer = offered(server)
    url = urlsplit(offer["upload_url"])
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 40000\r\n\r\n"
    with socket.create_connection((url.hostname or "", url.port or 0)) as connection:
        connection.sendall(head.encode() + b"x" * 100)

    assert put(server, offer, PAGE).status_code == 201
    assert stored(server, offer).read_bytes() == PAGE


@pytest.mark.parametrize(
    ("old", "new"),
    [("expires=", "expires=9"), ("max_bytes=", "max_bytes=9"), ("signature=", "signature=0"), ("default/", "other/")],
)
def test_a_link_that_was_changed_is_refused(server: Served, old: str, new: str) -> None:
    offer = offered(server)
    assert old in offer["upload_url"]

    answer = put(server, offer | {"upload_url": offer["upload_url"].replace(old, new)}, PAGE)

    assert code(answer) == (403, "link_not_valid")
    assert not stored(server, offer).exists()


def test_a_link_for_reading_allows_no_writing_and_the_other_way_round(server: Served) -> None:
    offer = offered(server)
    put(server, offer, PAGE)

    assert server.http.get(offer["upload_url"]).json()["code"] == "unknown_page"
    assert server.http.put("/objects/jobs/1/source?expires=99999999999&signature=0", content=b"").status_code == 422


def test_a_link_ends_with_its_time(pipe: Pipeline, clock: ManualClock) -> None:
    offer = offer_upload("default", "0123", pipe.platform)
    query = dict(pair.split("=") for pair in urlsplit(offer.link.url).query.split("&"))

    def allows() -> bool:
        assert pipe.opened.links is not None
        return pipe.opened.links.allows_upload(
            upload_object("default", "0123"),
            expires=int(query["expires"]),
            max_bytes=int(query["max_bytes"]),
            signature=query["signature"],
        )

    assert allows()
    clock.advance(offer.expires_at - clock.now())
    assert not allows()


@pytest.mark.parametrize(
    "uri",
    [
        "gs://pagemill/uploads/other/0123",
        "gs://pagemill/inbox/other/a.pdf",
        "gs://pagemill/uploads/default",
        "gs://pagemill/uploads/defaults/0123",
        "gs://pagemill/uploads/default/../other/0123",
        "gs://pagemill/uploads/default//0123",
        "gs://pagemill/jobs/0123/source",
        "gs://pagemill/outbox/default/a.pdf/result.md",
        "gs://another/uploads/default/0123",
        "gs://pagemill",
        "GS://pagemill/uploads/default/0123",
    ],
)
def test_objects_that_are_not_the_callers_own_are_refused(server: Served, uri: str) -> None:
    assert code(server.post_url(uri)) == (422, "url_not_allowed")


def test_an_object_that_is_not_there_fails_its_job_as_a_url_would(server: Served) -> None:
    answer = server.post_url("gs://pagemill/inbox/default/no such.pdf")

    job = server.ended(answer.json()["job_id"])
    assert (job["status"], job["error"]["code"]) == ("failed", "fetch_failed")
    assert job["source"] == "no such.pdf"


def test_a_key_means_the_uri_and_is_honoured_when_the_upload_is_gone(server: Served) -> None:
    offer, other = offered(server), offered(server)
    put(server, offer, PAGE)
    first = server.post_url(offer["uri"], idempotency_key="upload")
    server.ended(first.json()["job_id"])
    stored(server, offer).unlink()

    again = server.post_url(offer["uri"], idempotency_key="upload")
    conflict = server.post_url(other["uri"], idempotency_key="upload")

    assert again.json()["job_id"] == first.json()["job_id"]
    assert code(conflict) == (422, "idempotency_conflict")


def test_a_deleted_jobs_upload_goes_with_it(server: Served) -> None:
    offer = offered(server)
    put(server, offer, PAGE)
    job_id = server.post_url(offer["uri"]).json()["job_id"]
    server.ended(job_id)

    server.http.delete(f"/jobs/{job_id}")

    until(lambda: not stored(server, offer).exists())


def uploaded(pipe: Pipeline, random: str = "0123") -> str:
    name = upload_object("default", random)
    pipe.objects.create(name, PAGE)
    return name


def started(pipe: Pipeline, name: str, job_id: str) -> JobId:
    return submit_object(Submission(tenant="default"), name, platform=pipe.platform, new_id=lambda: job_id).job.id


def test_an_upload_lives_while_another_job_has_yet_to_prepare_it(pipe: Pipeline) -> None:
    name = uploaded(pipe)
    first, second = started(pipe, name, "first"), started(pipe, name, "second")

    delete(first, pipe.platform)
    pipe.sweep()
    assert pipe.objects.exists(name)
    pipe.drain()
    assert pipe.job(second).status is Status.FINISHED
    delete(second, pipe.platform)
    pipe.sweep()

    assert list(pipe.objects.names("uploads/")) == []


def test_an_upload_lives_while_another_job_on_it_is_about_to_be_stored(pipe: Pipeline) -> None:
    name = uploaded(pipe)
    first = started(pipe, name, "first")
    delete(first, pipe.platform)

    note_use(name, JobId("second"), pipe.platform)
    pipe.sweep()
    second = started(pipe, name, "second")
    pipe.drain()

    assert pipe.job(second).status is Status.FINISHED


def test_a_job_that_was_never_stored_keeps_no_upload_for_long(pipe: Pipeline, clock: ManualClock) -> None:
    name = uploaded(pipe)
    first = started(pipe, name, "first")
    assert pipe.killed(1, lambda twin: started(twin, name, "second"))
    clock.advance(timedelta(minutes=16))

    delete(first, pipe.platform)
    pipe.sweep()

    assert list(pipe.objects.names("uploads/")) == []


def test_a_note_of_an_earlier_version_keeps_no_upload(pipe: Pipeline) -> None:
    name = uploaded(pipe)
    first = started(pipe, name, "first")
    pipe.objects.create(upload_users(name) + "second", b"")

    delete(first, pipe.platform)
    pipe.sweep()

    assert list(pipe.objects.names("uploads/")) == []


def test_an_upload_that_every_other_job_has_copied_goes_with_the_first(pipe: Pipeline) -> None:
    name = uploaded(pipe)
    first, second = started(pipe, name, "first"), started(pipe, name, "second")
    pipe.drain(topics=[Topic.DOCUMENTS])

    delete(first, pipe.platform)
    pipe.sweep()
    pipe.drain()

    assert not pipe.objects.exists(name)
    assert pipe.job(second).status is Status.FINISHED


def test_what_was_sent_along_with_a_job_is_kept_for_it_when_another_job_on_it_is_deleted(pipe: Pipeline) -> None:
    owner = pipe.submit(PAGE)
    other = started(pipe, upload_object("default", owner), "other")

    delete(other, pipe.platform)
    pipe.sweep()
    pipe.drain()

    assert pipe.job(owner).status is Status.FINISHED


def test_an_upload_that_nobody_used_goes_after_two_days(pipe: Pipeline, clock: ManualClock) -> None:
    """The age is the file's, which the machine's clock gave."""
    name = uploaded(pipe)
    clock.advance(datetime.now(UTC) - clock.now())

    clock.advance(timedelta(hours=47))
    sweep_uploads(pipe.platform)
    assert pipe.objects.exists(name)
    clock.advance(timedelta(hours=2))
    sweep_uploads(pipe.platform)

    assert not pipe.objects.exists(name)


def test_an_object_of_the_inbox_is_read_as_it_was_opened_and_stays(pipe: Pipeline) -> None:
    name = "inbox/default/scans/März #1?.pdf"
    pipe.objects.create(name, PAGE)
    job_id = started(pipe, name, "job")
    pipe.drain(topics=[Topic.DOCUMENTS])
    pipe.objects.erase(name)
    pipe.objects.create(name, b"another")

    pipe.drain()
    delete(job_id, pipe.platform)
    pipe.sweep()

    assert pipe.objects.read(name) == b"another"


def test_an_object_that_is_too_large_is_said_to_be(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, settings={"max_bytes": 100}) as pipe:
        pipe.objects.create("inbox/default/a.pdf", PAGE)
        job_id = started(pipe, "inbox/default/a.pdf", "job")

        pipe.drain()

        error = pipe.job(job_id).error
        assert error is not None
        assert error.code == "too_large"
