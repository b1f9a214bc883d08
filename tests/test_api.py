"""The HTTP API against a real server with the null engine, row by row of its contract."""

import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator

import pytest

from tests import samples
from tests.servers import Server, answering, hanging
from tests.serving import Served, served, until

TEXT = "This page was not read."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def documents() -> Iterator[Server]:
    pages = {
        "/one.pdf": answering(200, samples.pdf(["one"])),
        "/three.pdf": answering(200, samples.pdf(["one", "two", "three"])),
        "/never.pdf": hanging,
    }
    with Server(pages) as serving:
        yield serving


@pytest.fixture(scope="module")
def three(server: Served) -> str:
    """A finished job of three pages."""
    job_id = server.submitted(samples.pdf(["one", "two", "three"]))
    server.ended(job_id)
    return job_id


def test_health_says_that_the_process_is_alive(server: Served) -> None:
    assert server.http.get("/health").json() == {"status": "ok"}


def test_ready_says_that_the_dependencies_are_there(server: Served) -> None:
    assert server.http.get("/ready").json() == {"status": "ready"}


def test_a_document_by_url_becomes_markdown(server: Served, documents: Server) -> None:
    answer = server.post_url(f"{documents.url}/three.pdf")

    job_id = answer.json()["job_id"]
    job = server.ended(job_id)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{job_id}"
    assert int(answer.headers["retry-after"]) >= 1
    assert job["status"] == "finished"
    assert job["pages"] == {"total": 3, "done": 3, "failed": 0}
    assert server.markdown(job_id) == "".join(
        f"{'' if number == 1 else chr(10)}<!-- page {number} -->\n\n{TEXT}\n" for number in (1, 2, 3)
    )


@pytest.mark.parametrize("field", ["pdf_url", "url", "image_url"])
def test_the_url_may_go_by_three_names(server: Served, documents: Server, field: str) -> None:
    answer = server.http.post("/infer", json={field: f"{documents.url}/one.pdf"})

    assert server.ended(answer.json()["job_id"])["status"] == "finished"


@pytest.mark.parametrize(
    "data",
    [samples.png(), samples.jpeg(), samples.tiff(), samples.webp(), samples.scanned_pdf(["one"])],
    ids=["png", "jpeg", "tiff", "webp", "pdf"],
)
def test_an_upload_is_known_by_its_content_not_its_name(server: Served, data: bytes) -> None:
    answer = server.post_file(data, "notes.txt")

    assert server.ended(answer.json()["job_id"])["status"] == "finished"


def test_only_the_pages_asked_for_are_read(server: Served) -> None:
    job_id = server.submitted(samples.pdf([str(n) for n in range(1, 11)]), pages="2,r2-r1")

    server.ended(job_id)

    assert [line for line in server.markdown(job_id).splitlines() if line.startswith("<!--")] == [
        "<!-- page 2 -->",
        "<!-- page 9 -->",
        "<!-- page 10 -->",
    ]


def test_a_page_outside_the_document_is_said_never_left_out(server: Served) -> None:
    assert server.error_of(samples.pdf(["one"]), pages="1-2") == "invalid_request"


def test_options_reach_the_page(server: Served) -> None:
    job_id = server.submitted(samples.pdf(["one"]), options=json.dumps({"dpi": 144, "page_markers": False}))

    server.ended(job_id)

    page = server.http.get(f"/jobs/{job_id}/pages/1").json()
    assert page["dpi"] == 144
    assert (page["width"], page["height"]) == (1190, 1684)
    assert server.markdown(job_id) == TEXT + "\n"


def test_a_password_opens_an_encrypted_document_and_is_not_kept(server: Served) -> None:
    password = "open-sesame-93"

    job_id = server.submitted(samples.encrypted_pdf(password), password=password)

    assert server.ended(job_id)["status"] == "finished"
    stored = b"".join(path.read_bytes() for path in server.data.glob("pagemill.sqlite*"))
    assert password.encode() not in stored
    assert b'"sealed_password":null' in stored


def test_a_page_is_shown_with_its_blocks(server: Served, three: str) -> None:
    page = server.http.get(f"/jobs/{three}/pages/2").json()

    assert page["status"] == "done"
    assert page["markdown"] == TEXT
    assert page["blocks"][0]["label"] == "text"
    assert page["blocks"][0]["bbox"] == {"x0": 0, "y0": 0, "x1": page["width"], "y1": page["height"]}


def test_a_page_image_is_served_so_that_nothing_in_it_runs(server: Served, three: str) -> None:
    answer = server.http.get(f"/jobs/{three}/pages/1/image")

    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    "path", ["pages/4", "pages/0", "pages/4/image", "images/0123456789abcdef.png", "images/%2e%2e"]
)
def test_what_a_job_does_not_have_is_unknown(server: Served, three: str, path: str) -> None:
    answer = server.http.get(f"/jobs/{three}/{path}")

    assert answer.status_code == 404


def test_the_result_is_the_seeds(server: Served, three: str) -> None:
    result = server.http.get(f"/jobs/{three}/result").json()

    assert (result["job_id"], result["status"]) == (three, "finished")
    assert result["result"]["markdown"] == server.markdown(three)
    assert result["result"]["images"] == {}


def test_an_archive_holds_markdown_and_blocks(server: Served, three: str) -> None:
    archive = zipfile.ZipFile(io.BytesIO(server.http.get(f"/jobs/{three}/result.zip").content))

    assert archive.testzip() is None
    assert archive.read("result.md").decode() == server.markdown(three)
    assert [page["number"] for page in json.loads(archive.read("result.json"))["pages"]] == [1, 2, 3]


def test_jobs_are_listed_newest_first_and_page_by_page(server: Served) -> None:
    submitted = [server.submitted(samples.pdf([str(n)])) for n in range(3)]

    first = server.http.get("/jobs", params={"limit": 2}).json()
    second = server.http.get("/jobs", params={"limit": 1, "cursor": first["cursor"]}).json()

    listed = [job["job_id"] for job in (*first["jobs"], *second["jobs"])]
    assert listed == submitted[::-1]


def test_jobs_are_listed_by_status(server: Served) -> None:
    server.error_of(b"not a document")

    jobs = server.http.get("/jobs", params={"status": "failed"}).json()["jobs"]

    assert {job["status"] for job in jobs} == {"failed"}


def test_waiting_answers_as_soon_as_the_status_changes(server: Served, documents: Server) -> None:
    job_id = server.post_url(f"{documents.url}/never.pdf").json()["job_id"]
    canceller = threading.Timer(0.5, lambda: server.http.post(f"/jobs/{job_id}/cancel"))
    canceller.start()

    started = time.monotonic()
    job = server.http.get(f"/jobs/{job_id}", params={"wait": 30}).json()

    assert job["status"] == "cancelled"
    assert 0.4 < time.monotonic() - started < 10


def test_a_cancelled_job_ends_and_says_so(server: Served, documents: Server) -> None:
    job_id = server.post_url(f"{documents.url}/never.pdf").json()["job_id"]

    cancelled = server.http.post(f"/jobs/{job_id}/cancel")

    assert cancelled.json()["status"] == "cancelled"
    result = server.http.get(f"/jobs/{job_id}/result")
    assert (result.status_code, result.json()["status"]) == (200, "cancelled")


def test_a_deleted_job_is_unknown_at_once_and_its_objects_go(server: Served) -> None:
    job_id = server.submitted(samples.pdf(["one"]))
    server.ended(job_id)

    answer = server.http.delete(f"/jobs/{job_id}")

    assert answer.status_code == 202
    assert server.http.get(f"/jobs/{job_id}").json()["code"] == "unknown_job"
    assert server.http.get(f"/jobs/{job_id}/result").status_code == 404
    objects = server.data / "objects"
    until(lambda: not (objects / "jobs" / job_id).exists())
    until(lambda: not list(objects.rglob(f"uploads/*/{job_id}")))
    assert job_id not in server.http.get("/jobs").text


def test_a_finished_job_cannot_be_cancelled_and_has_nothing_to_try_again(server: Served, three: str) -> None:
    for action in ("cancel", "retry"):
        answer = server.http.post(f"/jobs/{three}/{action}")

        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_move")


def test_the_same_key_and_body_is_the_same_job_also_after_its_end(server: Served, documents: Server) -> None:
    body = {"pdf_url": f"{documents.url}/one.pdf"}
    headers = {"Idempotency-Key": "invoice-7"}
    first = server.http.post("/infer", json=body, headers=headers)
    server.ended(first.json()["job_id"])

    second = server.http.post("/infer", json=body | {"idempotency_key": "invoice-7"})

    assert second.status_code == 202
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert second.json() == {"job_id": first.json()["job_id"], "status": "finished"}


def test_the_same_key_with_another_body_is_a_conflict(server: Served, documents: Server) -> None:
    server.post_url(f"{documents.url}/one.pdf", idempotency_key="k-8")

    answer = server.post_url(f"{documents.url}/three.pdf", idempotency_key="k-8")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")


def test_the_same_key_for_an_upload_is_told_by_its_content(server: Served) -> None:
    one, other = samples.pdf(["one"]), samples.pdf(["other"])

    first = server.post_file(one, "a.pdf", idempotency_key="k-9")
    again = server.post_file(one, "b.pdf", idempotency_key="k-9")
    conflict = server.post_file(other, "a.pdf", idempotency_key="k-9")

    assert again.json()["job_id"] == first.json()["job_id"]
    assert conflict.json()["code"] == "idempotency_conflict"


def test_the_key_of_a_deleted_job_does_not_start_another(server: Served, documents: Server) -> None:
    first = server.post_url(f"{documents.url}/one.pdf", idempotency_key="k-10")
    server.ended(first.json()["job_id"])
    server.http.delete(f"/jobs/{first.json()['job_id']}")

    answer = server.post_url(f"{documents.url}/one.pdf", idempotency_key="k-10")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")


def test_32_posts_at_once_with_one_key_start_one_job(server: Served, documents: Server) -> None:
    gate, answers = threading.Barrier(32), []

    def post() -> None:
        gate.wait()
        answers.append(server.post_url(f"{documents.url}/one.pdf", idempotency_key="race"))

    threads = [threading.Thread(target=post) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


def test_without_a_key_each_post_is_a_job_of_its_own(server: Served, documents: Server) -> None:
    first, second = (server.post_url(f"{documents.url}/one.pdf").json()["job_id"] for _ in range(2))

    assert first != second


def test_a_batch_nobody_made_is_unknown(server: Served) -> None:
    assert server.http.get("/batches/none").json()["code"] == "unknown_batch"


def test_the_contract_names_every_route(server: Served) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]

    assert {
        "/health",
        "/ready",
        "/infer",
        "/uploads",
        "/jobs",
        "/jobs/{job_id}",
        "/jobs/{job_id}/pages",
        "/jobs/{job_id}/pages/{number}",
        "/jobs/{job_id}/pages/{number}/image",
        "/jobs/{job_id}/images/{name}",
        "/jobs/{job_id}/result",
        "/jobs/{job_id}/result.md",
        "/jobs/{job_id}/result.json",
        "/jobs/{job_id}/result.zip",
        "/jobs/{job_id}/cancel",
        "/jobs/{job_id}/retry",
        "/jobs/{job_id}/callbacks",
        "/jobs/{job_id}/callbacks/replay",
        "/batches/{batch_id}",
    } <= set(paths)


def test_the_contract_has_no_reference_that_leads_nowhere(server: Served) -> None:
    contract = server.http.get("/openapi.json").json()

    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(contract)))

    assert "UrlBody" in references
    assert references <= set(contract["components"]["schemas"])


def test_the_pages_of_a_job_are_listed_by_their_numbers(server: Served) -> None:
    job_id = server.submitted(samples.pdf([str(n) for n in range(1, 7)]), pages="2,r1")
    server.ended(job_id)

    pages = server.http.get(f"/jobs/{job_id}/pages").json()["pages"]

    assert [(page["page"], page["status"], page["flags"]) for page in pages] == [(2, "done", []), (6, "done", [])]


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "rebound.example"}]
)
def test_another_sites_page_can_start_nothing(server: Served, documents: Server, headers: dict[str, str]) -> None:
    answer = server.http.post("/infer", json={"pdf_url": f"{documents.url}/one.pdf"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")


def test_a_name_that_was_made_to_point_here_reads_nothing(server: Served, three: str) -> None:
    answer = server.http.get(f"/jobs/{three}/result.md", headers={"Host": "rebound.example"})

    assert answer.json()["code"] == "cross_origin"
