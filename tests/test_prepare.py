"""Preparing: one try at a time, each counted once, put off where it may be made again, and never more than allowed."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from ingest_fn.prepare import KEEP_SECONDS, hand_back, keep
from ingest_fn.submit import Submission, new_id, submit_url
from shared.domain.errors import Unavailable
from shared.domain.job import PREPARE_PAUSES, Job, JobId
from shared.domain.messages import PrepareDocument, Topic
from shared.domain.status import Status
from shared.pdf.sandbox import Sandbox
from shared.records import from_json
from tests import samples
from tests.clocks import ManualClock
from tests.outages import outage
from tests.pipeline import OpenFamily, Pipeline, pipeline, sized_pdf
from tests.servers import Behaviour, Exchange, Server, answering
from tests.serving import served

SECOND = timedelta(seconds=1)
LAPSE = timedelta(minutes=5)
PDF = samples.pdf(["one"])


@pytest.fixture
def pipe(either_family: OpenFamily | None, tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> Iterator[Pipeline]:
    with pipeline(tmp_path / "data", clock, sandbox, open_family=either_family) as opened:
        yield opened


class Scripted:
    """A document's server that answers each request by the next behaviour, and by the last of them from then on."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours)

    def __call__(self, exchange: Exchange) -> None:
        behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
        behaviour(exchange)


class Held:
    """Answers with a document, once the test says so."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        assert self.go_on.wait(30)
        exchange.answer(200, PDF)


def submitted(pipe: Pipeline, server: Server) -> JobId:
    url = f"{server.url}/a.pdf?token=secret"
    return submit_url(Submission(tenant="default"), url, platform=pipe.platform, new_id=new_id).job.id


def prepare(pipe: Pipeline, job_id: JobId, times: int = 1) -> None:
    for _ in range(times):
        pipe.handle(PrepareDocument(job_id=job_id))


def test_a_document_that_is_being_fetched_is_not_fetched_by_others_nor_does_it_cost_a_try(pipe: Pipeline) -> None:
    held = Held()
    with Server({}, otherwise=held) as server:
        job_id = submitted(pipe, server)
        first = threading.Thread(target=prepare, args=(pipe, job_id))
        first.start()
        server.wait_for(1)

        prepare(pipe, job_id, times=10)
        tries = pipe.job(job_id).prepare_tries
        held.go_on.set()
        first.join()

        assert tries == 1
        assert len(server.received) == 1
        assert pipe.job(job_id).is_planned


def test_sweep_waits_for_a_document_that_is_being_fetched(pipe: Pipeline, clock: ManualClock) -> None:
    held = Held()
    with Server({}, otherwise=held) as server:
        job_id = submitted(pipe, server)
        first = threading.Thread(target=prepare, args=(pipe, job_id))
        first.start()
        server.wait_for(1)
        pipe.drain()

        for _ in range(12):
            clock.advance(timedelta(seconds=KEEP_SECONDS))
            keep(pipe.preparing)
            pipe.sweep()
        waiting = pipe._pulled([Topic.DOCUMENTS])
        held.go_on.set()
        first.join()

        assert waiting == []


def test_a_claim_of_a_process_that_was_killed_lapses_and_its_try_stays_counted(
    pipe: Pipeline, clock: ManualClock
) -> None:
    with Server({}, otherwise=answering(200, PDF)) as server:
        job_id = submitted(pipe, server)
        pipe.drain(lost=lambda _: True)
        assert pipe.killed(1, lambda twin: prepare(twin, job_id))

        prepare(pipe, job_id)
        assert not pipe.job(job_id).is_planned
        clock.advance(LAPSE)
        pipe.sweep()
        pipe.drain()

        assert pipe.job(job_id).status is Status.FINISHED
        assert pipe.job(job_id).prepare_tries == 2


def test_a_document_that_kills_whatever_prepares_it_is_given_up_after_its_tries(
    pipe: Pipeline, clock: ManualClock
) -> None:
    with Server({}, otherwise=answering(200, PDF)) as server:
        job_id = submitted(pipe, server)
        for _ in range(5):
            assert pipe.killed(1, lambda twin: prepare(twin, job_id))
            clock.advance(LAPSE)
        assert pipe.job(job_id).status is Status.QUEUED

        prepare(pipe, job_id)

        job = pipe.job(job_id)
        assert (job.status, job.error and job.error.code) == (Status.FAILED, "gave_up")
        assert len(server.received) == 5


def test_a_server_that_is_down_is_tried_again_after_growing_pauses_then_fetch_failed(
    pipe: Pipeline, clock: ManualClock
) -> None:
    with Server({}, otherwise=answering(503)) as server:
        job_id = submitted(pipe, server)
        for number, pause in enumerate(PREPARE_PAUSES, 1):
            pipe.drain()
            assert len(server.received) == number
            clock.advance(pause - SECOND)
            pipe.sweep()
            prepare(pipe, job_id, times=3)
            pipe.drain()
            assert len(server.received) == number
            clock.advance(SECOND)
            pipe.sweep()
        pipe.drain()

        job = pipe.job(job_id)
        assert (job.status, job.error and job.error.code) == (Status.FAILED, "fetch_failed")
        assert len(server.received) == 5


def test_a_try_that_failed_leaves_no_message_on_the_bus_to_slow_down_others(pipe: Pipeline) -> None:
    with Server({}, otherwise=answering(503)) as server:
        job_id = submitted(pipe, server)

        pipe.drain()

        assert pipe._pulled([Topic.DOCUMENTS]) == []
        assert pipe.job(job_id).status is Status.QUEUED


def test_a_server_that_recovers_costs_its_document_nothing_but_time(pipe: Pipeline) -> None:
    with Server({}, otherwise=Scripted(answering(503), answering(429), answering(200, PDF))) as server:
        job_id = submitted(pipe, server)
        pipe.drain()

        pipe.heal(hours=1, done=lambda: not pipe.job(job_id).is_unfinished)

        assert pipe.job(job_id).status is Status.FINISHED


def test_a_source_that_is_stored_is_not_fetched_again_when_its_url_has_expired(pipe: Pipeline) -> None:
    with Server({}, otherwise=Scripted(answering(200, PDF), answering(403))) as server:
        job_id = submitted(pipe, server)
        with outage(pipe, plan=lambda *_: True), pytest.raises(Unavailable):
            prepare(pipe, job_id)
        assert pipe.job(job_id).prepare_tries == 0

        prepare(pipe, job_id)
        pipe.drain()

        assert pipe.job(job_id).status is Status.FINISHED
        assert len(server.received) == 1


def test_an_outage_costs_no_try_and_ends_the_claim(pipe: Pipeline) -> None:
    job_id = pipe.submit(sized_pdf(200))
    for _ in range(8):
        with outage(pipe, plan=lambda *_: True), pytest.raises(Unavailable):
            prepare(pipe, job_id)

    prepare(pipe, job_id)
    pipe.drain()

    assert pipe.job(job_id).status is Status.FINISHED


def test_a_process_that_stops_takes_its_tries_back_and_another_begins_at_once(pipe: Pipeline) -> None:
    held = Held()
    with Server({}, otherwise=Scripted(held, answering(200, PDF))) as server:
        job_id = submitted(pipe, server)
        slow = threading.Thread(target=prepare, args=(pipe, job_id))
        slow.start()
        server.wait_for(1)

        hand_back(pipe.preparing)
        hand_back(pipe.preparing)
        tries = pipe.job(job_id).prepare_tries
        prepare(pipe, job_id)
        held.go_on.set()
        slow.join()

        assert tries == 0
        assert pipe.job(job_id).is_planned
        assert pipe.job(job_id).prepare_starts == 2


def test_a_server_that_is_asked_to_stop_during_a_slow_fetch_keeps_no_try(tmp_path: Path) -> None:
    held = Held()
    with Server({}, otherwise=held) as documents, served(tmp_path / "data") as server:
        job_id = server.post_url(f"{documents.url}/slow.pdf").json()["job_id"]
        documents.wait_for(1)

        code = server.terminate()
        held.go_on.set()

        job = stored(tmp_path / "data", job_id)
        assert code == 0
        assert (job.prepare_tries, job.prepare_after) == (0, None)


def stored(data: Path, job_id: str) -> Job:
    with closing(sqlite3.connect(data / "pagemill.sqlite")) as connection:
        (body,) = connection.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return from_json(Job, body)
