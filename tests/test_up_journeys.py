"""Journeys through the system as it runs on Google Cloud: real processes, on Google's emulators, with a real engine."""

import json
import os
import signal
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from standardwebhooks import Webhook

from tests import samples
from tests.pipeline import SECRET
from tests.servers import Receiver, Server, answering
from tests.serving import Json, until
from tests.starting import Up, up

pytestmark = [pytest.mark.google, pytest.mark.long, pytest.mark.timeout(300)]

PAGES = 16
HIDDEN = "hidden-from-every-log"


@pytest.fixture(scope="module")
def collector() -> Iterator[Server]:
    with Server({}, otherwise=answering(200)) as serving:
        yield serving


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, collector: Server) -> Iterator[Up]:
    settings = {
        "ENGINE": "rapidocr",
        "ENGINE_WORKERS": "1",
        "CALLBACK_SECRET": SECRET,
        "TRACES_URL": f"{collector.url}/v1/traces",
    }
    with up(tmp_path_factory.mktemp("journeys"), "--workers", "2", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def documents() -> Iterator[Server]:
    page = answering(200, samples.quick_pdf(["A page of a list."]))
    with Server({f"/{number}.pdf": page for number in range(17)}, otherwise=answering(404)) as serving:
        yield serving


def test_the_end_of_a_job_is_told_in_a_callback_that_any_standard_webhooks_library_verifies(system: Up) -> None:
    with Receiver() as receiver:
        job_id = submitted(system, callback_url=f"{receiver.url}/done?{HIDDEN}", password=HIDDEN)

        call = receiver.wait_for(1, seconds=60)[0]

    body = Webhook(SECRET).verify(call.body, dict(call.headers))
    assert (body["job_id"], body["status"]) == (job_id, "finished")
    assert "hidden" in body["result"]["markdown"]


def test_from_the_request_to_the_callback_it_is_one_trace_over_all_processes(system: Up, collector: Server) -> None:
    trace_id, wanted = "4bf92f3577b34da6a3ce929d0e0e4736", {"POST /infer", "read page", "handle RoundEnded"}
    with Receiver() as receiver:
        headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
        submitted(system, headers=headers, callback_url=f"{receiver.url}/done")
        receiver.wait_for(1, seconds=60)

        until(lambda: wanted <= {name for name, _ in spans(collector, trace_id)}, seconds=60)

    assert {service for _, service in spans(collector, trace_id)} == {
        f"pagemill-{part}" for part in ("submit", "prepare", "worker", "notify")
    }


def test_no_log_and_no_span_holds_a_text_a_query_a_password_or_a_key(system: Up, collector: Server) -> None:
    """What the tests before this one sent, and a URL that fails with a secret in its query."""
    answer = system.http.post("/infer", json={"pdf_url": f"http://127.0.0.1:9/{HIDDEN}.pdf?token={HIDDEN}"})
    assert answer.status_code == 202
    until(lambda: "FetchFailed" in logs(system), seconds=60)

    assert HIDDEN not in logs(system)
    assert SECRET not in logs(system)
    assert all(HIDDEN.encode() not in request.body for request in collector.received)


def test_a_list_of_twenty_urls_with_three_bad_ones_is_a_batch_with_a_report(system: Up, documents: Server) -> None:
    urls = [f"{documents.url}/{number}.pdf" for number in range(17)]
    urls[4:4] = ["https://10.0.0.1/private.pdf"]
    urls[9:9] = ["no url at all"]
    urls[15:15] = [f"{documents.url}/not-there.pdf"]

    dropped(system, "inbox/press/list.txt", "\n".join(urls).encode())

    until(lambda: stored(system, "outbox/press/list.txt/_SUCCESS") is not None, seconds=180)
    lines = [json.loads(line) for line in (stored(system, "outbox/press/list.txt/report.jsonl") or "").splitlines()]
    assert [line["line"] for line in lines] == list(range(1, 21))
    failed = {line["line"]: line["code"] for line in lines if line["status"] == "failed"}
    assert failed == {5: "url_not_allowed", 10: "url_not_allowed", 16: "fetch_failed"}
    assert sum(line["status"] == "finished" for line in lines) == 17


def test_a_worker_that_is_killed_leaves_its_pages_to_another_and_none_is_read_twice(system: Up) -> None:
    job_id = submitted(system, samples.quick_pdf([f"This is page {number}." for number in range(PAGES)]))
    until(lambda: len(done(system, job_id)) >= 3, seconds=60)
    for pid, line in system.started.parts().items():
        if line.endswith("local worker "):
            os.kill(pid, signal.SIGKILL)
    before = done(system, job_id)

    job = system.ended(job_id)

    after = done(system, job_id)
    assert job["pages"] == {"total": PAGES, "done": PAGES, "failed": 0}
    assert 3 <= len(before) < PAGES
    assert {number: after[number] for number in before} == before


def submitted(system: Up, data: bytes | None = None, *, headers: dict[str, str] | None = None, **fields: str) -> str:
    file = ("document.pdf", data or samples.quick_pdf([f"This is hidden: {HIDDEN}."]))
    answer = system.http.post("/infer", files={"file": file}, data=fields, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def done(system: Up, job_id: str) -> dict[int, Json]:
    """The readings that are there, each with the seconds that it took, which no other reading takes."""
    found: dict[int, Json] = {}
    for number in range(1, PAGES + 1):
        page = system.http.get(f"/jobs/{job_id}/pages/{number}").json()
        if page.get("status") == "done":
            found[number] = page
    return found


def dropped(system: Up, name: str, data: bytes) -> None:
    url = f"{system.storage}/upload/storage/v1/b/pagemill-inbox/o"
    answer = system.http.post(url, params={"uploadType": "media", "name": name}, content=data)
    assert answer.status_code == 200, answer.text


def stored(system: Up, name: str) -> str | None:
    answer = system.http.get(f"{system.storage}/storage/v1/b/pagemill-outbox/o/{quote(name, safe='')}?alt=media")
    return answer.text if answer.status_code == 200 else None


def logs(system: Up) -> str:
    return "\n".join(path.read_text(errors="replace") for path in system.started.logs.glob("*.log"))


def spans(collector: Server, trace_id: str) -> set[tuple[str, str]]:
    """Each span of a trace with the service that it came from."""
    requests = [ExportTraceServiceRequest.FromString(request.body) for request in list(collector.received)]
    return {
        (span.name, next(a.value.string_value for a in part.resource.attributes if a.key == "service.name"))
        for request in requests
        for part in request.resource_spans
        for scope in part.scope_spans
        for span in scope.spans
        if span.trace_id.hex() == trace_id
    }
