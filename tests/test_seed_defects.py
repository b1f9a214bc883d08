"""The defects of the service that pagemill replaces: each is a test of ours, numbered as they were found there."""

import base64
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from ingest_fn.rounds import retry
from ingest_fn.submit import Submission, submit_url
from shared.domain.status import Status
from shared.pdf.sandbox import Sandbox
from tests import samples
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import SECRET, pipeline, sized_pdf
from tests.servers import Receiver, Reply, Server, answering, hanging
from tests.serving import Served, served
from tests.test_journeys import refusing

SETTINGS = {"CALLBACK_SECRET": SECRET, "MAX_BYTES": "1000000"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("seed") / "data", SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def documents() -> Iterator[Server]:
    behaviours = {
        "/sample.pdf": answering(200, samples.pdf(["one", "two"])),
        "/other.pdf": answering(200, samples.pdf(["other"])),
        "/figure.pdf": answering(200, samples.pdf(["figure"])),
        "/never.pdf": hanging,
        "/large.pdf": answering(200, b"%PDF-" + b"x" * 2_000_000),
    }
    with Server(behaviours, otherwise=answering(404)) as serving:
        yield serving


def test_the_seeds_client_runs_unchanged(server: Served, documents: Server) -> None:
    """The snippet of its documentation, with `requests` as it was written, and then until there is a result."""
    program = f"""
import requests
BASE = {str(server.http.base_url)!r}
r = requests.post(f"{{BASE}}/infer", json={{"pdf_url": "{documents.url}/sample.pdf"}})
job = r.json()["job_id"]
print(requests.get(f"{{BASE}}/jobs/{{job}}/result").json())
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    answer = eval(done.stdout)  # what the snippet printed: a dict
    assert answer["status"] in {"queued", "running", "finished"}
    assert server.ended(answer["job_id"])["status"] == "finished"
    result = server.http.get(f"/jobs/{answer['job_id']}/result").json()
    assert set(result) >= {"job_id", "status", "result"}
    assert set(result["result"]) >= {"markdown", "images"}


def test_defect_1_the_idempotency_key_is_not_the_job_id(server: Served, documents: Server) -> None:
    answer = server.post_url(f"{documents.url}/sample.pdf", idempotency_key="guess-me")

    assert "guess-me" not in answer.json()["job_id"]
    assert server.http.get("/jobs/guess-me").status_code == 404


def test_defect_1_the_same_key_with_another_body_is_not_the_old_job(server: Served, documents: Server) -> None:
    server.post_url(f"{documents.url}/sample.pdf", idempotency_key="one-body")

    answer = server.post_url(f"{documents.url}/other.pdf", idempotency_key="one-body")

    assert answer.json()["code"] == "idempotency_conflict"


def test_defect_2_two_requests_at_once_with_one_key_start_one_job(server: Served, documents: Server) -> None:
    gate, ids = threading.Barrier(8), []

    def post() -> None:
        gate.wait()
        ids.append(server.post_url(f"{documents.url}/sample.pdf", idempotency_key="two-at-once").json()["job_id"])

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_defect_3_a_job_that_was_stored_and_never_announced_is_done_all_the_same(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox, documents: Server
) -> None:
    with pipeline(tmp_path / "data", clock, sandbox) as pipe:
        url = f"{documents.url}/sample.pdf"
        job = submit_url(Submission(tenant="default"), url, platform=pipe.platform, new_id=lambda: "lost").job
        pipe.drain(lost=lambda _: True)
        assert pipe.job(job.id).status is Status.QUEUED

        pipe.heal(hours=1)

        assert pipe.job(job.id).status is Status.FINISHED


def test_defect_4_a_crash_in_the_middle_of_the_work_loses_no_job(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    """The message is taken and never answered for: its lease ends, and it comes again."""
    with pipeline(tmp_path / "data", clock, sandbox) as pipe:
        job_id = pipe.submit(samples.pdf(["one"]))
        taken = [delivery for topic in pipe.topics for delivery in pipe.bus.pull(topic, limit=10, wait=0)]

        clock.advance(timedelta(minutes=2))
        pipe.drain()

        assert len(taken) == 1
        assert pipe.job(job_id).status is Status.FINISHED


def test_defect_5_a_failed_job_with_a_key_can_be_tried_again(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    engine = ScriptedEngine(refusing(width=300))
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        job_id = pipe.submit(sized_pdf(300), idempotency_key="again")
        pipe.drain()
        assert pipe.job(job_id).status is Status.FAILED
        engine.script = None

        retry(job_id, pipe.platform)
        pipe.drain()

        assert pipe.job(job_id).status is Status.FINISHED


def test_defect_6_one_failed_post_of_a_callback_is_not_final(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    with Receiver(Reply(status=500)) as receiver, pipeline(tmp_path / "data", clock, sandbox) as pipe:
        pipe.submit(samples.pdf(["one"]), callback_url=f"{receiver.url}/hook")
        pipe.drain()
        assert len(receiver.received) == 1

        pipe.heal(hours=1, step=timedelta(seconds=30))

        assert len(receiver.received) == 2


def test_defect_7_a_callback_is_sent_once_whichever_process_is_told(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    """Two notifiers with nothing in common but the store, each told of the same end twice."""
    with Receiver() as receiver, pipeline(tmp_path / "data", clock, sandbox) as first:
        job_id = first.submit(samples.pdf(["one"]), callback_url=f"{receiver.url}/hook")
        with pipeline(tmp_path / "data", clock, sandbox) as second:
            first.drain(times=2)
            second.handle(first.ended(job_id))

        assert len(receiver.received) == 1


def test_defect_8_callbacks_are_signed_and_their_text_is_not_logged(server: Served, documents: Server) -> None:
    with Receiver() as receiver:
        job_id = server.post_url(f"{documents.url}/sample.pdf", callback_url=f"{receiver.url}/hook").json()["job_id"]

        call = receiver.wait_for(1, seconds=20)[0]

    body = Webhook(SECRET).verify(call.body, dict(call.headers))
    assert (body["job_id"], body["status"]) == (job_id, "finished")
    assert "This page was not read." in body["result"]["markdown"]
    log = (server.data.parent / f"{server.data.name}.log").read_text()
    assert "This page was not read." not in log


@pytest.mark.parametrize("url", ["http://169.254.169.254/computeMetadata/v1/", "http://10.1.2.3/hook"])
def test_defect_8_a_callback_goes_to_no_private_address(server: Served, documents: Server, url: str) -> None:
    answer = server.post_url(f"{documents.url}/sample.pdf", callback_url=url)

    assert answer.json()["code"] == "url_not_allowed"


def test_defect_9_images_are_in_the_result_and_every_link_leads_to_one(tmp_path: Path) -> None:
    with served(tmp_path / "data", {"ENGINE": "rapidocr"}) as server:
        job_id = server.submitted(samples.figure_pdf())
        server.ended(job_id)

        result = server.http.get(f"/jobs/{job_id}/result").json()["result"]
        links = server.http.get(f"/jobs/{job_id}/result", params={"images": "url"}).json()["result"]["images"]

        assert len(result["images"]) == 1
        for name, data in result["images"].items():
            assert f"![]({name})" in result["markdown"]
            assert server.http.get(f"/jobs/{job_id}/{name}").content == base64.b64decode(data)
            assert server.http.get(links[name]).content == base64.b64decode(data)


def test_defect_10_pages_stay_pages_with_blocks_and_usage(server: Served, documents: Server) -> None:
    job_id = server.post_url(f"{documents.url}/sample.pdf").json()["job_id"]

    job = server.ended(job_id)

    pages = server.http.get(f"/jobs/{job_id}/result.json").json()["pages"]
    assert [page["number"] for page in pages] == [1, 2]
    assert all(page["read"]["blocks"] for page in pages)
    assert job["usage"]["pages"] == 2


def test_defect_11_many_documents_are_read_at_the_same_time_by_one_engine(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    """A page waits in the engine until a page of another document is there as well."""
    together = threading.Barrier(2, timeout=20)
    engine = ScriptedEngine(lambda _: _met(together))
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        jobs = [pipe.submit(samples.pdf(["one"])) for _ in range(2)]
        pipe.drain(topics=pipe.topics[:1])
        messages = [delivery.message for delivery in pipe.bus.pull(pipe.topics[1], limit=2, wait=0)]

        readers = [threading.Thread(target=pipe.handle, args=(message,)) for message in messages]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()

        assert [pipe.job(job_id).status for job_id in jobs] == [Status.FINISHED] * 2


@pytest.mark.parametrize("path", ["/etc/passwd", "file:///etc/passwd", "./document.pdf"])
def test_defect_12_a_path_of_the_server_is_not_a_url(server: Served, path: str) -> None:
    assert server.post_url(path).json()["code"] == "url_not_allowed"


def test_defect_12_a_body_that_is_too_large_is_not_read_into_memory(server: Served, documents: Server) -> None:
    job_id = server.post_url(f"{documents.url}/large.pdf").json()["job_id"]

    assert server.ended(job_id)["error"]["code"] == "too_large"


def test_defect_13_no_temporary_file_outlives_its_job(server: Served, documents: Server) -> None:
    for path in ("sample.pdf", "large.pdf", "missing.pdf"):
        server.ended(server.post_url(f"{documents.url}/{path}").json()["job_id"])

    assert list((server.data / "unfinished").iterdir()) == []


def test_defect_14_a_failed_job_answers_with_a_code_and_never_with_an_exception(
    server: Served, documents: Server
) -> None:
    job_id = server.post_url(f"{documents.url}/missing.pdf").json()["job_id"]
    server.ended(job_id)

    answer = server.http.get(f"/jobs/{job_id}/result")

    assert answer.status_code == 200
    assert answer.json() == {
        "job_id": job_id,
        "status": "failed",
        "error": {"code": "fetch_failed", "message": "The server answered with status 404."},
    }


def test_defect_15_the_body_is_validated_and_jobs_do_not_stay_for_ever(server: Served, documents: Server) -> None:
    refused = server.post_url(f"{documents.url}/sample.pdf", typo=1)
    job = server.ended(server.post_url(f"{documents.url}/sample.pdf").json()["job_id"])

    assert refused.json()["code"] == "invalid_request"
    assert job["expires_at"] > job["ended_at"]


def test_defect_16_ready_tells_what_is_missing(server: Served) -> None:
    (server.data / "objects").rename(server.data / "objects-away")
    try:
        missing = server.http.get("/ready")
    finally:
        (server.data / "objects-away").rename(server.data / "objects")

    assert missing.status_code == 503
    assert list(missing.json()["missing"]) == ["objects"]
    assert server.http.get("/ready").status_code == 200


def _met(barrier: threading.Barrier) -> None:
    barrier.wait()
