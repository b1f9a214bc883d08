"""The command line's client: what it asks, and what it makes of answers."""

import email.parser
import io
import json
import time
from pathlib import Path

import pytest

from shared.domain.secret import Secret
from shared.net.client import Json, PagemillClient, ServerRefused, ServerUnreachable
from tests.servers import (
    Behaviour,
    Exchange,
    Received,
    Server,
    answering,
    bombing,
    closed_port,
    hanging,
    redirecting,
    resetting,
    sending,
)

JOB: Json = {"job_id": "j1", "status": "queued"}
OPTIONS: Json = {"dpi": 200, "include": ["header"]}


def saying(answer: object, status: int = 200, media_type: str = "application/json") -> Behaviour:
    return answering(status, json.dumps(answer).encode(), headers={"Content-Type": media_type})


def served(behaviour: Behaviour) -> Server:
    return Server({}, otherwise=behaviour)


def parts(request: Received) -> dict[str, bytes]:
    """The form's parts by name, and the file's name as that of a part `filename`."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = email.parser.BytesParser().parsebytes(head + request.body)
    found: dict[str, bytes] = {}
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content
        if part.get_filename():
            found["filename"] = str(part.get_filename()).encode()
    return found


def test_a_url_is_submitted_with_what_was_given_and_nothing_else() -> None:
    with served(saying(JOB, 202)) as server, PagemillClient(server.url) as client:
        answer = client.submit_url("https://a.example/x.pdf", pages="1-3", options=OPTIONS, password=None)

    (request,) = server.received
    assert answer == JOB
    assert (request.method, request.target) == ("POST", "/infer")
    assert json.loads(request.body) == {"pdf_url": "https://a.example/x.pdf", "pages": "1-3", "options": OPTIONS}


def test_a_file_is_submitted_as_a_form(tmp_path: Path) -> None:
    document = tmp_path / "scan.pdf"
    document.write_bytes(b"%PDF-1.7" + bytes(100_000))

    with served(saying(JOB, 202)) as server, PagemillClient(server.url) as client:
        answer = client.submit_file(document, priority="bulk", options=OPTIONS, idempotency_key="k", callback_url=None)

    form = parts(server.received[0])
    assert answer == JOB
    assert form.pop("file") == document.read_bytes()
    assert json.loads(form.pop("options")) == OPTIONS
    assert form == {"filename": b"scan.pdf", "priority": b"bulk", "idempotency_key": b"k"}


def test_a_file_that_is_not_there_is_the_callers_problem(tmp_path: Path) -> None:
    with PagemillClient("http://127.0.0.1:1") as client, pytest.raises(FileNotFoundError):
        client.submit_file(tmp_path / "missing.pdf")


def test_each_question_has_its_path() -> None:
    with served(saying(JOB)) as server, PagemillClient(f"{server.url}/prefix/") as client:
        answers = [
            client.status("j1"),
            client.status("j1", wait=2.5),
            client.result("j1"),
            client.cancel("j1"),
            client.jobs(),
            client.jobs(status="running", limit=5),
            client.status("../x?y"),
        ]

    assert answers == [JOB] * 7
    assert [f"{request.method} {request.target.removeprefix('/prefix')}" for request in server.received] == [
        "GET /jobs/j1",
        "GET /jobs/j1?wait=2.5",
        "GET /jobs/j1/result",
        "POST /jobs/j1/cancel",
        "GET /jobs",
        "GET /jobs?status=running&limit=5",
        "GET /jobs/..%2Fx%3Fy",
    ]


def test_an_api_key_is_sent_and_not_shown() -> None:
    with served(saying(JOB)) as server, PagemillClient(server.url, api_key=Secret("k1")) as client:
        client.status("j1")

    assert server.received[0].headers["authorization"] == "Bearer k1"


def test_a_wait_is_waited_for() -> None:
    def slow(exchange: Exchange) -> None:
        exchange.wait(0.4)
        saying(JOB)(exchange)

    with served(slow) as server, PagemillClient(server.url, timeout=0.2) as client:
        assert client.status("j1", wait=5) == JOB


def test_a_result_is_downloaded_to_a_file() -> None:
    target = io.BytesIO()

    with served(answering(200, b"# Title" * 50_000)) as server, PagemillClient(server.url) as client:
        size = client.download("j1", "md", target)

    assert server.received[0].target == "/jobs/j1/result.md"
    assert size == 350_000
    assert target.getvalue() == b"# Title" * 50_000


def test_a_result_that_is_not_there_yet_is_not_written() -> None:
    target = io.BytesIO()

    with (
        served(saying(JOB, 202)) as server,
        PagemillClient(server.url) as client,
        pytest.raises(ServerRefused) as caught,
    ):
        client.download("j1", "zip", target)

    assert (caught.value.code, caught.value.status) == ("no_result", 202)
    assert not target.getvalue()


def test_problem_details_are_told() -> None:
    problem = {
        "type": "about:blank",
        "title": "Unknown",
        "status": 404,
        "detail": "There is no such job.",
        "code": "unknown_job",
    }

    with served(saying(problem, 404, "application/problem+json")) as server, PagemillClient(server.url) as client:
        with pytest.raises(ServerRefused) as asked:
            client.status("j1")
        with pytest.raises(ServerRefused) as downloaded:
            client.download("j1", "md", io.BytesIO())

    for error in (asked.value, downloaded.value):
        assert (error.code, error.detail, error.status) == ("unknown_job", "There is no such job.", 404)


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(403, b"<html>Forbidden</html>"),
        answering(500),
        answering(200, b"hello"),
        saying([1, 2]),
        answering(200, b"\xff\xfe"),
        redirecting("http://127.0.0.1:1/elsewhere"),
    ],
    ids=["html", "empty", "no json", "a list", "no text", "redirect"],
)
def test_an_answer_that_is_none_of_pagemills_is_refused_with_its_status(behaviour: Behaviour) -> None:
    with served(behaviour) as server, PagemillClient(server.url) as client, pytest.raises(ServerRefused) as caught:
        client.status("j1")

    assert caught.value.code == "not_pagemill"
    assert caught.value.status in {200, 302, 403, 500}
    assert caught.value.detail


@pytest.mark.parametrize(
    "behaviour",
    [resetting, sending(b"garbage\r\n\r\n"), sending(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nzz")],
)
def test_no_answer_is_an_unreachable_server(behaviour: Behaviour) -> None:
    with served(behaviour) as server, PagemillClient(server.url) as client:
        with pytest.raises(ServerUnreachable):
            client.status("j1")
        with pytest.raises(ServerUnreachable):
            client.download("j1", "md", io.BytesIO())


def test_a_silent_server_is_left_after_the_timeout() -> None:
    began = time.monotonic()

    with (
        served(hanging) as server,
        PagemillClient(server.url, timeout=0.2) as client,
        pytest.raises(ServerUnreachable, match="Timeout"),
    ):
        client.status("j1")

    assert time.monotonic() - began < 3


def test_nobody_there_is_an_unreachable_server() -> None:
    for base in (f"http://127.0.0.1:{closed_port()}", "pagemill.example", "ftp://127.0.0.1"):
        with PagemillClient(base) as client, pytest.raises(ServerUnreachable):
            client.jobs()


def test_what_is_no_url_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="no URL"):
        PagemillClient("http://[::1")


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(saying(JOB)) as server, Server({}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with PagemillClient(server.url) as client:
            assert client.status("j1") == JOB

    assert not proxy.received


def test_a_compressed_result_is_written_as_it_was() -> None:
    target = io.BytesIO()

    with served(bombing) as server, PagemillClient(server.url) as client:
        assert client.download("j1", "md", target) == 10_000_000
