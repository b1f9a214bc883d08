"""Callbacks, delivered by a real server to receivers that misbehave."""

import time
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from tests import samples
from tests.pipeline import SECRET
from tests.servers import Receiver, Reply, Server, hanging
from tests.serving import Json, Served, served, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("notifier") / "data", {"CALLBACK_SECRET": SECRET}) as running:
        yield running


def test_a_receiver_that_hangs_delays_no_other(server: Served) -> None:
    page = samples.pdf(["one"])
    with Server({}, otherwise=hanging) as broken, Receiver() as honest:
        for _ in range(12):
            server.submitted(page, callback_url=f"{broken.url}/hook")
        until(lambda: len(broken.received) >= 4)

        started = time.monotonic()
        server.submitted(page, callback_url=f"{honest.url}/hook")
        honest.wait_for(1, 8)

    assert time.monotonic() - started < 8
    assert len(honest.received) == 1


def test_each_attempt_is_in_the_log_and_a_replay_sends_again(server: Served) -> None:
    with Receiver(Reply(status=410)) as receiver:
        job_id = server.submitted(samples.pdf(["one"]), callback_url=f"{receiver.url}/hook")
        receiver.wait_for(1, 10)
        until(lambda: _callback(server, job_id)["state"] == "gone")

        replayed = server.http.post(f"/jobs/{job_id}/callbacks/replay")
        receiver.wait_for(2, 10)
        until(lambda: _callback(server, job_id)["state"] == "delivered")

    assert replayed.status_code == 202
    assert [line["answer"] for line in _callback(server, job_id)["log"]] == [410, 204]
    assert len({call.headers["webhook-id"] for call in receiver.received}) == 1


def test_a_failed_job_is_told_too(server: Served) -> None:
    with Receiver() as receiver:
        job_id = server.submitted(b"no document", callback_url=f"{receiver.url}/hook")
        call = receiver.wait_for(1, 10)[0]

    body = Webhook(SECRET).verify(call.body, dict(call.headers))
    assert (body["job_id"], body["status"], body["result"]) == (job_id, "failed", None)
    assert body["error"]["code"] == "not_a_document"


def test_a_job_without_a_callback_has_no_log(server: Served) -> None:
    job_id = server.submitted(samples.pdf(["one"]))
    server.ended(job_id)

    assert server.http.get(f"/jobs/{job_id}/callbacks").json()["callbacks"] == []
    assert server.http.post(f"/jobs/{job_id}/callbacks/replay").json()["code"] == "illegal_move"


def _callback(server: Served, job_id: str) -> Json:
    callbacks = server.http.get(f"/jobs/{job_id}/callbacks").json()["callbacks"]
    return dict(callbacks[0])
