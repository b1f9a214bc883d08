"""The pipeline's promises on Google's emulators, where time is the test's: losses, repetitions, erasing, retries."""

import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from ingest_fn.rounds import delete, retry
from shared.domain.errors import PageRefused, UnknownJob
from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, ReadRange
from shared.domain.page import PageImage
from shared.domain.status import Status
from shared.layout import result_markdown
from shared.pdf.sandbox import Sandbox
from tests.clocks import ManualClock
from tests.clouds import open_google
from tests.engines import ScriptedEngine
from tests.pipeline import Pipeline, pipeline, sized_pdf
from tests.servers import Receiver

TEN = sized_pdf(*range(200, 300, 10))


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def pipe(
    google: Mapping[str, str],  # noqa: ARG001 - it leads the SDKs to the emulators
    tmp_path: Path,
    clock: ManualClock,
    sandbox: Sandbox,
    engine: ScriptedEngine,
) -> Iterator[Pipeline]:
    with pipeline(tmp_path, clock, sandbox, engine, open_family=open_google) as opened:
        yield opened


def test_each_message_delivered_twice_makes_no_difference(pipe: Pipeline, engine: ScriptedEngine) -> None:
    with Receiver() as receiver:
        job_id = pipe.submit(TEN, callback_url=f"{receiver.url}/hook")

        pipe.drain(times=2)

        assert pipe.job(job_id).status is Status.FINISHED
        assert engine.readings == 10
        assert [page.tries for page in pipe.store.pages(job_id)] == [1] * 10
        assert len(receiver.received) == 1


def test_if_the_bus_loses_one_message_in_three_all_jobs_end(pipe: Pipeline, engine: ScriptedEngine) -> None:
    chance = random.Random(3)
    with Receiver() as receiver:
        jobs = [pipe.submit(TEN, callback_url=f"{receiver.url}/{number}") for number in range(6)]

        pipe.heal(
            lost=lambda _: chance.random() < 1 / 3,
            step=timedelta(minutes=30),
            done=lambda: all(told(pipe, job_id) for job_id in jobs),
        )

        assert {pipe.job(job_id).status for job_id in jobs} == {Status.FINISHED}
        assert engine.readings == 60
        assert {request.target for request in receiver.received} == {f"/{number}" for number in range(6)}


def test_a_job_erased_while_a_worker_holds_its_range_leaves_nothing_after_the_second_sweep(
    pipe: Pipeline, clock: ManualClock, engine: ScriptedEngine
) -> None:
    """The engine deletes the job while it reads: the worker writes after the first erasing."""
    job_id = pipe.submit(TEN)
    pipe.handle(PrepareDocument(job_id=job_id))
    first, *_ = pipe.store.ranges(job_id)

    def erase(_: PageImage) -> None:
        engine.script = None
        delete(job_id, pipe.platform)
        pipe.sweep()

    engine.script = erase
    pipe.handle(ReadRange(job_id=job_id, range_id=first.id))
    clock.advance(timedelta(hours=25))
    pipe.sweep()

    assert list(pipe.objects.names(f"jobs/{job_id}/")) == []
    assert list(pipe.objects.names("uploads/default/")) == []
    assert pipe.store.pages(job_id) == ()
    with pytest.raises(UnknownJob):
        pipe.job(job_id)


def test_a_retry_of_a_partial_job_has_a_second_round_and_a_second_callback(
    pipe: Pipeline, engine: ScriptedEngine
) -> None:
    def refuse(image: PageImage) -> None:
        if image.width in {210, 250}:
            raise PageRefused

    engine.script = refuse
    with Receiver() as receiver:
        job_id = pipe.submit(TEN, callback_url=f"{receiver.url}/hook")
        pipe.drain()
        partial = pipe.job(job_id)
        engine.script = None

        retry(job_id, pipe.platform)
        pipe.drain()

        assert (partial.status, partial.partial) == (Status.FINISHED, True)
        assert (pipe.job(job_id).round, pipe.job(job_id).partial) == (2, False)
        assert engine.readings == 12
        assert pipe.objects.read(result_markdown(job_id, 1)).count(b"failed: engine_refused") == 2
        assert pipe.objects.read(result_markdown(job_id, 2)).count(b"failed") == 0
        assert [call.headers["webhook-id"] for call in receiver.received] == [f"{job_id}-1", f"{job_id}-2"]


def told(pipe: Pipeline, job_id: JobId) -> bool:
    return any(callback.end for callback in pipe.job(job_id).callbacks)
