"""Every code of the contract that can occur here, reached with a real file or request."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import samples
from tests.servers import Server, answering, endless, redirecting
from tests.serving import Served, served

LIMITS = {"MAX_PAGES": "3", "MAX_BYTES": "100000", "PAGE_SECONDS": "1", "MAX_PIXELS": "1000000", "FETCH_SECONDS": "5"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("bad") / "data", LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def documents() -> Iterator[Server]:
    behaviours = {
        "/one.pdf": answering(200, samples.pdf(["one"])),
        "/endless.pdf": endless,
        "/private": redirecting("http://169.254.169.254/latest/meta-data/"),
    }
    with Server(behaviours, otherwise=answering(404)) as serving:
        yield serving


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"Just some text.", "not_a_document"),
        (b"", "not_a_document"),
        (b"PK\x03\x04 an archive", "not_a_document"),
        (samples.corrupt_pdf(), "corrupt"),
        (samples.empty_pdf(), "empty"),
        (samples.encrypted_pdf("secret"), "encrypted"),
        (samples.pdf(["1", "2", "3", "4"]), "too_many_pages"),
    ],
    ids=["text", "nothing", "archive", "corrupt", "empty", "encrypted", "too-many-pages"],
)
def test_a_bad_document_fails_with_its_code(server: Served, data: bytes, code: str) -> None:
    assert server.error_of(data) == code


def test_a_wrong_password_is_encrypted(server: Served) -> None:
    assert server.error_of(samples.encrypted_pdf("secret"), password="guess") == "encrypted"


def test_a_page_that_hangs_is_render_timeout_and_the_honest_one_is_read(server: Served) -> None:
    job_id = server.submitted(samples.hanging_pdf())

    job = server.ended(job_id)

    assert (job["status"], job["partial"]) == ("finished", True)
    assert server.http.get(f"/jobs/{job_id}/pages/1").json()["error"]["code"] == "render_timeout"
    assert server.http.get(f"/jobs/{job_id}/pages/2").json()["status"] == "done"
    assert "<!-- page 1 failed: render_timeout -->" in server.markdown(job_id)


def test_a_page_that_crashes_the_renderer_is_render_crashed(server: Served) -> None:
    job_id = server.submitted(samples.crashing_pdf())

    server.ended(job_id)

    assert server.http.get(f"/jobs/{job_id}/pages/1").json()["error"]["code"] == "render_crashed"


def test_a_page_beyond_any_resolution_is_page_too_large(server: Served) -> None:
    assert server.error_of(samples.huge_page_pdf()) == "page_too_large"


def test_a_large_page_is_rendered_smaller_and_flagged_with_the_limit(server: Served) -> None:
    job_id = server.submitted(samples.pdf(["one"]), options='{"dpi": 600}')

    job = server.ended(job_id)

    assert job["flags"] == {"dpi_reduced": [1]}
    assert "at most 1000000 pixels" in server.http.get(f"/jobs/{job_id}/pages/1").text


@pytest.mark.parametrize("path", ["missing.pdf", "private"])
def test_what_cannot_be_fetched_fails_the_job(server: Served, documents: Server, path: str) -> None:
    job = server.ended(server.post_url(f"{documents.url}/{path}?token=secret").json()["job_id"])

    expected = {"missing.pdf": "fetch_failed", "private": "url_not_allowed"}[path]
    assert job["error"]["code"] == expected
    assert "secret" not in str(job["error"])


def test_a_document_that_never_ends_is_cut_off_at_the_limit_and_named(server: Served, documents: Server) -> None:
    job = server.ended(server.post_url(f"{documents.url}/endless.pdf").json()["job_id"])

    assert job["error"]["code"] == "too_large"
    assert "100,000 bytes" in job["error"]["message"]


def test_an_upload_over_the_limit_is_refused_at_once(server: Served) -> None:
    answer = server.post_file(b"%PDF-" + b"x" * 200_000)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_over_the_limit_is_refused_whatever_its_headers_say(server: Served) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b'{"pdf_url": "' + b"x" * 50_000

    answer = server.http.post("/infer", content=chunks(), headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"pdf_url": "https://a.example/x.pdf", "url": "https://b.example/y.pdf"},
        {"pdf_url": "https://a.example/x.pdf", "surprise": 1},
        {"pdf_url": "https://a.example/x.pdf", "options": {"surprise": 1}},
        {"pdf_url": "https://a.example/x.pdf", "options": {"dpi": 10_000}},
        {"pdf_url": "https://a.example/x.pdf", "pages": "5-"},
        {"pdf_url": "https://a.example/x.pdf", "priority": "now"},
        {"pdf_url": "https://a.example/x.pdf", "idempotency_key": "k" * 256},
        {"pdf_url": 7},
        [],
        "text",
    ],
)
def test_a_body_that_breaks_the_contract_is_invalid_request(server: Served, body: object) -> None:
    answer = server.http.post("/infer", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_not_json_is_invalid_request(server: Served) -> None:
    answer = server.http.post("/infer", content=b"{")

    assert answer.json()["code"] == "invalid_request"


def test_a_form_without_a_file_is_invalid_request(server: Served) -> None:
    answer = server.http.post("/infer", files={"other": ("a.pdf", b"%PDF-")})

    assert answer.json()["code"] == "invalid_request"


def test_a_refusal_never_repeats_a_password(server: Served) -> None:
    answer = server.http.post("/infer", json={"pdf_url": 7, "password": ["hunter2hunter2"]})

    assert answer.json()["code"] == "invalid_request"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "gs://bucket/a.pdf",
        "ftp://example.com/a.pdf",
        "http://10.0.0.1/a.pdf",
        "http://[::1]/a.pdf",
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal.:22/a.pdf",
        "https://user:pass@example.com/a.pdf",
        "http://2130706434/",
    ],
)
@pytest.mark.parametrize("field", ["pdf_url", "callback_url"])
def test_a_url_that_leads_inside_is_url_not_allowed(server: Served, field: str, url: str) -> None:
    body = {"pdf_url": "https://example.com/a.pdf"} | {field: url}

    answer = server.http.post("/infer", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "url_not_allowed")


def test_a_job_that_never_was_is_unknown(server: Served) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/result"),
        ("GET", "/result.md"),
        ("GET", "/pages/1"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("GET", "/callbacks"),
        ("POST", "/callbacks/replay"),
        ("DELETE", ""),
    ):
        answer = server.http.request(method, f"/jobs/nobody{path}")

        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")


def test_a_route_that_never_was_is_a_problem_too(server: Served) -> None:
    answer = server.http.get("/nowhere")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_cursor_that_nobody_gave_out_is_invalid_request(server: Served) -> None:
    answer = server.http.get("/jobs", params={"cursor": "!!"})

    assert answer.json()["code"] == "invalid_request"


def test_a_link_that_was_not_signed_here_serves_nothing(server: Served) -> None:
    answer = server.http.get("/objects/jobs/a/source", params={"expires": 99_999_999_999, "signature": "0" * 64})

    assert answer.status_code == 404


def test_a_store_that_is_broken_is_unavailable_and_not_ready(
    tmp_path_factory: pytest.TempPathFactory, documents: Server
) -> None:
    with served(tmp_path_factory.mktemp("broken") / "data") as server:
        with closing(sqlite3.connect(server.data / "pagemill.sqlite")) as connection:
            connection.execute("DROP TABLE jobs")

        posted, ready = server.post_url(f"{documents.url}/one.pdf"), server.http.get("/ready")

    assert (posted.status_code, posted.json()["code"]) == (503, "unavailable")
    assert "retry-after" in posted.headers
    assert (ready.status_code, list(ready.json()["missing"])) == (503, ["store"])
