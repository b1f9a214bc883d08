"""What the API shows of a list: how far it is, its jobs, and nothing of another tenant's."""

import socket
import threading
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import uvicorn

from ingest_fn.api import api
from ingest_fn.context import context
from shared.domain.batch import Batch
from tests import samples
from tests.pipeline import Pipeline
from tests.servers import Server, answering

PAGE = samples.pdf(["one"])


@pytest.fixture(scope="module")
def documents() -> Iterator[Server]:
    with Server({"/missing.pdf": answering(404)}, otherwise=answering(200, PAGE)) as serving:
        yield serving


@pytest.fixture
def http(pipe: Pipeline) -> Iterator[httpx.Client]:
    """The API on the pipeline's own platform, served in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(api(context(pipe.platform, links=pipe.opened.links)), log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", trust_env=False) as client:
            yield client
        server.should_exit = True
        thread.join()


def dropped(pipe: Pipeline, name: str, *urls: str) -> Batch:
    pipe.drop(pipe.put(name, "\n".join(urls).encode()))
    (batch,) = pipe.platform.batches.overdue(now=pipe.clock.now().replace(year=2100), limit=9)
    return batch


def got(http: httpx.Client, path: str, status: int = 200) -> dict[str, Any]:
    answer = http.get(path)
    assert answer.status_code == status, answer.text
    return cast("dict[str, Any]", answer.json())


def test_a_batch_is_shown_while_it_runs_and_when_it_was_reported(
    pipe: Pipeline, http: httpx.Client, documents: Server
) -> None:
    urls = (f"{documents.url}/1.pdf?token=secret", "not a URL", f"{documents.url}/missing.pdf")
    batch = dropped(pipe, "inbox/default/lists/urls.txt", *urls)

    running = got(http, f"/batches/{batch.id}")
    pipe.heal(hours=1)
    finished = got(http, f"/batches/{batch.id}")

    assert (running["status"], running["source"], running["report"]) == ("running", "urls.txt", None)
    assert (running["total"], running["started"]) == (3, 3)
    assert running["counts"] == {"queued": 2, "running": 0, "finished": 0, "failed": 1, "cancelled": 0}
    assert finished["status"] == "finished"
    assert finished["counts"] == {"queued": 0, "running": 0, "finished": 1, "failed": 2, "cancelled": 0}
    assert finished["report"] == "gs://pagemill/outbox/default/lists/urls.txt/report.jsonl"
    jobs = {job["line"]: job for job in finished["jobs"]}
    assert [(jobs[line]["source"], jobs[line]["status"]) for line in (1, 2, 3)] == [
        ("1.pdf", "finished"),
        ("line 2", "failed"),
        ("missing.pdf", "failed"),
    ]
    assert jobs[2]["error"]["code"] == "url_not_allowed"
    assert "secret" not in str(finished)


def test_its_jobs_come_page_by_page(pipe: Pipeline, http: httpx.Client, documents: Server) -> None:
    batch = dropped(pipe, "inbox/default/urls.txt", *(f"{documents.url}/{number}.pdf" for number in range(5)))

    lines, path = list[int](), f"/batches/{batch.id}?limit=2"
    while True:
        page = got(http, path)
        assert len(page["jobs"]) <= 2
        lines += [job["line"] for job in page["jobs"]]
        if page["cursor"] is None:
            break
        path = f"/batches/{batch.id}?limit=2&cursor={page['cursor']}"

    assert sorted(lines) == [1, 2, 3, 4, 5]


def test_a_job_of_a_list_says_which_and_where_its_results_go(
    pipe: Pipeline, http: httpx.Client, documents: Server
) -> None:
    batch = dropped(pipe, "inbox/default/urls.txt", f"{documents.url}/1.pdf")
    (line,) = got(http, f"/batches/{batch.id}")["jobs"]
    pipe.drain()

    job = got(http, f"/jobs/{line['job_id']}")

    assert (job["batch_id"], job["line"], job["callback"]) == (batch.id, 1, None)
    assert (job["outbox"]["state"], job["outbox"]["channel"]) == ("delivered", "outbox")


def test_a_list_that_was_not_taken_says_why(pipe: Pipeline, http: httpx.Client) -> None:
    pipe.put("inbox/default/urls.txt.options.json", b"{")
    batch = dropped(pipe, "inbox/default/urls.txt", "https://documents.example/a.pdf")

    shown = got(http, f"/batches/{batch.id}")

    assert (shown["status"], shown["total"], shown["error"]["code"]) == ("failed", 0, "invalid_request")


def test_another_tenants_batch_is_unknown(pipe: Pipeline, http: httpx.Client, documents: Server) -> None:
    batch = dropped(pipe, "inbox/other/urls.txt", f"{documents.url}/1.pdf")

    assert got(http, f"/batches/{batch.id}", 404)["code"] == "unknown_batch"
