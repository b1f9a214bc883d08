"""Every function, killed between any two of its effects: sweep heals, and nothing is done twice that counts."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.job import JobId
from shared.domain.messages import PrepareDocument, ReadRange, RoundEnded
from shared.domain.status import Status
from shared.layout import page_object, result_markdown
from shared.pdf.sandbox import Sandbox
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import OpenFamily, Pipeline, pipeline, sized_pdf
from tests.servers import Receiver

MOST_EFFECTS = 60


@pytest.fixture
def pipe(either_family: OpenFamily | None, tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> Iterator[Pipeline]:
    with pipeline(tmp_path / "data", clock, sandbox, open_family=either_family) as opened:
        yield opened


def prepare(pipe: Pipeline, job_id: JobId) -> None:
    pipe.handle(PrepareDocument(job_id=job_id))


def read(pipe: Pipeline, job_id: JobId) -> None:
    for each in pipe.store.ranges(job_id):
        pipe.handle(ReadRange(job_id=job_id, range_id=each.id))


def tell(pipe: Pipeline, job_id: JobId) -> None:
    pipe.handle(RoundEnded(job_id=job_id, round=1))


Act = Callable[[Pipeline, JobId], None]

STAGES: dict[str, tuple[tuple[Act, ...], Act]] = {
    "prepare": ((), prepare),
    "worker": ((prepare,), read),
    "notifier": ((prepare, read), tell),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_function_killed_between_any_two_of_its_effects_is_healed_by_sweep_alone(pipe: Pipeline, stage: str) -> None:
    before, act = STAGES[stage]
    jobs: list[JobId] = []
    with Receiver() as receiver:
        for effects in range(MOST_EFFECTS):
            job_id = pipe.submit(sized_pdf(200, 210, 220), callback_url=f"{receiver.url}/{effects}")
            jobs.append(job_id)
            for earlier in before:
                earlier(pipe, job_id)
            if not pipe.killed(effects, lambda twin: act(twin, job_id)):  # noqa: B023 - called at once
                break
        else:
            pytest.fail("it never ended")
        lose_messages(pipe)
        assert isinstance(pipe.engine, ScriptedEngine)
        readings, read_before = pipe.engine.readings, sum(pages_read(pipe, job_id) for job_id in jobs)

        pipe.heal(hours=4, done=lambda: all(told(pipe, job_id) for job_id in jobs))

        assert len(jobs) > 1
        assert pipe.engine.readings - readings == 3 * len(jobs) - read_before
        for effects, job_id in enumerate(jobs):
            assert_ended_once(pipe, job_id, receiver, f"/{effects}")


def test_sweep_killed_between_any_two_of_its_effects_is_healed_by_the_next(pipe: Pipeline, clock: ManualClock) -> None:
    with Receiver() as receiver:
        for effects in range(MOST_EFFECTS):
            job_id = pipe.submit(sized_pdf(200, 210, 220), callback_url=f"{receiver.url}/{effects}")
            prepare(pipe, job_id)
            lose_messages(pipe)
            clock.advance(timedelta(minutes=5))

            died = pipe.killed(effects, lambda twin: twin.sweep())
            lose_messages(pipe)
            pipe.heal(hours=4, done=lambda: told(pipe, job_id))  # noqa: B023 - called at once

            assert_ended_once(pipe, job_id, receiver, f"/{effects}")
            if not died:
                break

    assert not died
    assert effects >= 2


def test_a_submit_killed_between_any_two_of_its_effects_has_stored_the_job_or_nothing(pipe: Pipeline) -> None:
    document = sized_pdf(200)
    for effects in range(MOST_EFFECTS):
        died = pipe.killed(effects, lambda twin: twin.submit(document, idempotency_key=f"key-{effects}"))  # noqa: B023

        job_id = pipe.submit(document, idempotency_key=f"key-{effects}")
        prepare(pipe, job_id)
        read(pipe, job_id)

        assert pipe.job(job_id).status is Status.FINISHED
        jobs = pipe.store.search("default", status=None, batch=None, cursor=None, limit=200).jobs
        assert len(jobs) == effects + 1
        if not died:
            break

    assert not died
    assert effects >= 2


def lose_messages(pipe: Pipeline) -> None:
    pipe.drain(lost=lambda _: True)


def pages_read(pipe: Pipeline, job_id: JobId) -> int:
    return sum(pipe.objects.exists(page_object(job_id, number)) for number in (1, 2, 3))


def told(pipe: Pipeline, job_id: JobId) -> bool:
    return any(callback.end is not None for callback in pipe.job(job_id).callbacks)


def assert_ended_once(pipe: Pipeline, job_id: JobId, receiver: Receiver, path: str) -> None:
    job = pipe.job(job_id)
    assert (job.status, job.partial, job.round) == (Status.FINISHED, False, 1)
    assert pipe.objects.read(result_markdown(job_id, 1)).count(b"<!-- page ") == 3
    calls = [request for request in receiver.received if request.target == path]
    assert calls
    assert len({request.headers["webhook-id"] for request in calls}) == 1
