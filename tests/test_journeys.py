"""Whole journeys of documents, with the faults that the invariants promise to survive."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingest_fn.rounds import cancel, delete, reopen, replay_callback, retry
from shared.consume import HandBack
from shared.domain.callback import CallbackEnd
from shared.domain.errors import EngineUnavailable, IllegalMove, PageRefused, UnknownJob
from shared.domain.job import JobId
from shared.domain.messages import Message, ReadRange, Topic
from shared.domain.page import PageImage, PageStatus
from shared.domain.status import Status
from shared.layout import page_object, result_markdown
from shared.pdf.sandbox import Limits, Sandbox
from tests import samples
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import Pipeline, pipeline, sized_pdf
from tests.servers import Receiver, Reply

TWENTY = samples.pdf([f"page {number}" for number in range(1, 21)])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(page_seconds=2.0, open_seconds=5.0)) as opened:
        yield opened


def readings(pipe: Pipeline) -> int:
    assert isinstance(pipe.engine, ScriptedEngine)
    return pipe.engine.readings


def markdown(pipe: Pipeline, job_id: JobId) -> str:
    return pipe.objects.read(result_markdown(job_id, pipe.job(job_id).round)).decode()


def test_a_document_goes_through(pipe: Pipeline) -> None:
    job_id = pipe.submit(TWENTY)

    pipe.drain()

    assert pipe.job(job_id).status is Status.FINISHED
    assert markdown(pipe, job_id).count("<!-- page ") == 20
    assert readings(pipe) == 20


def test_page_ranges_hold_at_most_eight_pages(pipe: Pipeline) -> None:
    job_id = pipe.submit(TWENTY)

    pipe.drain()

    ranges = pipe.store.ranges(job_id)
    assert [len(each.pages) for each in ranges] == [7, 7, 6]


def test_if_the_bus_loses_every_message_sweep_alone_ends_the_job_by_its_deadline(pipe: Pipeline) -> None:
    job_id = pipe.submit(TWENTY)

    pipe.heal(lost=lambda _: True)

    job = pipe.job(job_id)
    assert job.status is Status.FAILED
    assert job.error is not None
    assert job.error.code == "deadline_exceeded"


def test_if_the_bus_loses_one_message_in_three_the_job_is_finished(pipe: Pipeline) -> None:
    chance = random.Random(3)
    job_id = pipe.submit(TWENTY)

    pipe.heal(lost=lambda _: chance.random() < 1 / 3, hours=10)

    assert pipe.job(job_id).status is Status.FINISHED
    assert readings(pipe) == 20


def test_each_message_delivered_five_times_changes_nothing(pipe: Pipeline) -> None:
    job_id = pipe.submit(TWENTY)

    pipe.drain(times=5)

    assert pipe.job(job_id).status is Status.FINISHED
    assert readings(pipe) == 20
    assert [page.tries for page in pipe.store.pages(job_id)] == [1] * 20


def test_a_bad_page_never_kills_its_document(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, ScriptedEngine(refusing(width=300))) as pipe:
        job_id = pipe.submit(sized_pdf(200, 300, 400))

        pipe.drain()

        job = pipe.job(job_id)
        assert (job.status, job.partial) == (Status.FINISHED, True)
        assert "<!-- page 2 failed: engine_refused -->" in markdown(pipe, job_id)
        assert markdown(pipe, job_id).count("This page was not read.") == 2


def test_a_document_of_which_nothing_can_be_read_fails(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, ScriptedEngine(refusing(width=300))) as pipe:
        job_id = pipe.submit(sized_pdf(300, 300))

        pipe.drain()

        job = pipe.job(job_id)
        assert job.status is Status.FAILED
        assert job.error is not None
        assert job.error.code == "engine_refused"


def test_a_retry_reads_the_failed_pages_only_and_calls_back_again(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    engine = ScriptedEngine(refusing(width=300))
    with Receiver() as receiver, pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        job_id = pipe.submit(sized_pdf(200, 300, 400), callback_url=f"{receiver.url}/hook")
        pipe.drain()
        engine.script = None

        retry(job_id, pipe.platform)
        pipe.drain()

        job = pipe.job(job_id)
        assert (job.status, job.partial, job.round) == (Status.FINISHED, False, 2)
        assert engine.readings == 4
        assert "failed" not in markdown(pipe, job_id)
        assert pipe.objects.exists(result_markdown(job_id, 1))
        ids = [call.headers["webhook-id"] for call in receiver.wait_for(2)]
        assert ids == [f"{job_id}-1", f"{job_id}-2"]


def test_a_retry_that_died_half_way_is_opened_by_sweep(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    engine = ScriptedEngine(refusing(width=300))
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        job_id = pipe.submit(sized_pdf(300, 300, 400))
        pipe.drain()
        engine.script = None
        job = pipe.store.update(job_id, lambda each: each.retried(now=clock.now()))
        pipe.store.update_page(job_id, 1, lambda page: page.retried(round_=job.round, now=clock.now()))

        pipe.heal(hours=1)

        assert (pipe.job(job_id).status, pipe.job(job_id).partial) == (Status.FINISHED, False)


def test_a_late_write_of_an_ended_round_changes_nothing(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, ScriptedEngine(refusing(width=300))) as pipe:
        job_id = pipe.submit(sized_pdf(200, 300))
        pipe.drain()
        before = pipe.job(job_id), pipe.store.pages(job_id)

        read = pipe.store.pages(job_id)[0]
        late = pipe.store.update_page(
            job_id, 2, lambda page: page.failed(read.failure or PageRefused().failure, round_=1, now=clock.now())
        )

        assert late == before[1][1]
        assert (pipe.job(job_id), pipe.store.pages(job_id)) == before


def test_a_page_whose_object_is_there_is_not_read_again(pipe: Pipeline) -> None:
    """The worker died between the page object, which is the commit, and the page record."""
    job_id = pipe.submit(TWENTY)
    pipe.drain(lost=lambda message: isinstance(message, ReadRange))
    donor = pipe.submit(TWENTY)
    pipe.drain()
    assert readings(pipe) == 20
    for number in (1, 2, 3):
        pipe.store.update_page(job_id, number, lambda page: page.started(round_=1, now=pipe.clock.now()))
        pipe.objects.copy(page_object(donor, number), page_object(job_id, number))

    pipe.heal(hours=1)

    assert pipe.job(job_id).status is Status.FINISHED
    assert readings(pipe) == 20 + 17


def test_an_engine_that_is_away_costs_no_page(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    def away(_: PageImage) -> None:
        raise EngineUnavailable("away")

    engine = ScriptedEngine(away)
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        job_id = pipe.submit(TWENTY)
        for _ in range(5):
            pipe.drain(lost=stop_after(3))
            clock.advance(timedelta(minutes=2))
        assert {page.tries for page in pipe.store.pages(job_id)} == {0}
        engine.script = None

        pipe.heal(hours=2)

        assert pipe.job(job_id).status is Status.FINISHED
        assert not pipe.job(job_id).partial


def test_a_hanging_page_fails_in_its_time_and_its_neighbours_are_read(pipe: Pipeline) -> None:
    job_id = pipe.submit(samples.hanging_pdf())

    pipe.drain()

    failures = [page.failure.code for page in pipe.store.pages(job_id) if page.failure]
    assert "render_timeout" in failures


def test_a_cancelled_job_keeps_its_pages_and_is_told(pipe: Pipeline) -> None:
    with Receiver() as receiver:
        job_id = pipe.submit(TWENTY, callback_url=f"{receiver.url}/hook")
        first = stop_after(1)
        pipe.drain(lost=lambda message: isinstance(message, ReadRange) and first(message))

        cancel(job_id, pipe.platform)
        pipe.drain()

        assert pipe.job(job_id).status is Status.CANCELLED
        assert pipe.progress(job_id).done == 7
        assert b'"status": "cancelled"' in receiver.wait_for(1)[0].body
        with pytest.raises(IllegalMove):
            retry(job_id, pipe.platform)


def test_a_deleted_job_leaves_nothing_though_a_worker_held_its_range(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    """The worker was past its last look at the job when it was deleted: it writes after the first erasing."""
    engine = ScriptedEngine()
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        job_id = pipe.submit(TWENTY)
        pipe.drain(lost=lambda message: isinstance(message, ReadRange))
        delete(job_id, pipe.platform)
        pipe.sweep()
        pipe.objects.create(page_object(job_id, 1), b"{}")

        pipe.heal(hours=30, step=timedelta(hours=1))

        assert list(pipe.objects.names(f"jobs/{job_id}/")) == []
        assert list(pipe.objects.names("uploads/")) == []
        with pytest.raises(UnknownJob):
            pipe.job(job_id)


def test_a_tombstone_remembers_nothing_of_the_document(pipe: Pipeline) -> None:
    job_id = pipe.submit(TWENTY, callback_url="http://127.0.0.1:9/hook?token=t", pages="1")
    delete(job_id, pipe.platform)

    pipe.sweep()

    job = pipe.job(job_id)
    assert (job.source.location, job.source.name, job.callback_url, job.pages) == ("", "", None, None)


def test_jobs_are_erased_when_they_were_kept_long_enough(pipe: Pipeline) -> None:
    job_id = pipe.submit(TWENTY)
    pipe.drain()

    pipe.heal(hours=24 * 9, step=timedelta(hours=6))

    assert list(pipe.objects.names("jobs/")) == []
    with pytest.raises(UnknownJob):
        pipe.job(job_id)


def test_a_callback_that_fails_is_tried_again_with_the_same_id_until_it_arrives(pipe: Pipeline) -> None:
    with Receiver(Reply(status=500), Reply(status=302), Reply(status=429, headers={"Retry-After": "30"})) as receiver:
        job_id = pipe.submit(TWENTY, callback_url=f"{receiver.url}/hook")
        pipe.drain()

        pipe.heal(hours=2, step=timedelta(seconds=20))

        calls = receiver.wait_for(4)
        assert len({call.headers["webhook-id"] for call in calls}) == 1
        callback = pipe.job(job_id).callbacks[0]
        assert (callback.attempts, callback.end) == (4, CallbackEnd.DELIVERED)
        assert [attempt.answer for attempt in pipe.store.attempts(job_id)] == [500, 302, 429, 204]


def test_a_receiver_that_is_gone_is_not_called_again(pipe: Pipeline) -> None:
    with Receiver(Reply(status=410)) as receiver:
        job_id = pipe.submit(TWENTY, callback_url=f"{receiver.url}/hook")
        pipe.drain()

        pipe.heal(hours=48, step=timedelta(hours=1))

        assert len(receiver.received) == 1
        assert pipe.job(job_id).callbacks[0].end is CallbackEnd.GONE


def test_a_callback_is_given_up_after_the_last_try_and_can_be_replayed(pipe: Pipeline) -> None:
    with Receiver(*[Reply(status=500) for _ in range(10)]) as receiver:
        job_id = pipe.submit(TWENTY, callback_url=f"{receiver.url}/hook")
        pipe.drain()
        pipe.heal(hours=60, step=timedelta(minutes=10))
        exhausted = pipe.job(job_id).callbacks[0]

        replay_callback(job_id, pipe.platform)
        pipe.drain()

        assert (exhausted.attempts, exhausted.end) == (10, CallbackEnd.EXHAUSTED)
        assert len(receiver.wait_for(11)) == 11
        assert pipe.job(job_id).callbacks[0].end is CallbackEnd.DELIVERED
        assert [attempt.number for attempt in pipe.store.attempts(job_id)] == list(range(1, 12))


def test_reopening_twice_changes_nothing(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    engine = ScriptedEngine(refusing(width=300))
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        job_id = pipe.submit(sized_pdf(200, 300))
        pipe.drain()
        job = retry(job_id, pipe.platform)

        reopen(job, pipe.platform)

        assert [each.pages for each in pipe.store.ranges(job_id) if each.round == 2] == [(2,)]


def test_a_page_that_is_being_read_is_not_blamed_for_a_death(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    """One range, delivered to a second worker three times while the first still reads it."""
    reading, go_on = threading.Event(), threading.Event()

    def slow(_: PageImage) -> None:
        reading.set()
        assert go_on.wait(20)

    with pipeline(tmp_path / "data", clock, sandbox, ScriptedEngine(slow)) as first:
        job_id = first.submit(sized_pdf(200))
        first.drain(topics=[Topic.DOCUMENTS])
        message = ReadRange(job_id=job_id, range_id=first.store.ranges(job_id)[0].id)
        reader = threading.Thread(target=first.handle, args=(message,))
        reader.start()
        assert reading.wait(20)
        with pipeline(tmp_path / "data", clock, sandbox) as second:
            for _ in range(3):
                with pytest.raises(HandBack):
                    second.handle(message)
        tries = first.store.pages(job_id)[0].tries
        go_on.set()
        reader.join()

        assert tries == 1
        assert first.job(job_id).status is Status.FINISHED


def test_a_finished_page_whose_object_was_lost_does_not_hold_its_job_for_ever(pipe: Pipeline) -> None:
    job_id = pipe.submit(sized_pdf(200, 210))
    pipe.drain(topics=[Topic.DOCUMENTS])
    pipe.store.update_page(job_id, 1, lambda page: replace(page, status=PageStatus.DONE))

    pipe.heal(hours=26)

    job = pipe.job(job_id)
    assert (job.status, job.partial) == (Status.FINISHED, True)
    assert "<!-- page 1 failed: gave_up -->" in markdown(pipe, job_id)


def test_a_job_that_was_planned_for_the_engine_of_yesterday_is_read_by_todays(pipe: Pipeline) -> None:
    job_id = pipe.submit(TWENTY)
    pipe.drain(topics=[Topic.DOCUMENTS])
    for each in pipe.store.ranges(job_id):
        pipe.store.update_range(job_id, each.id, lambda range_: replace(range_, recipe="yesterday"))
    pipe.drain(topics=[Topic.PAGES_EXPRESS])
    assert readings(pipe) == 0

    pipe.heal(hours=1)

    assert pipe.job(job_id).status is Status.FINISHED
    assert readings(pipe) == 20


def test_a_sandbox_that_is_down_is_not_the_documents_fault(tmp_path: Path, clock: ManualClock) -> None:
    closed = Sandbox()
    closed.close()
    with pipeline(tmp_path / "data", clock, closed) as pipe:
        job_id = pipe.submit(TWENTY)

        for _ in range(8):
            pipe.drain()
            clock.advance(timedelta(minutes=15))

        job = pipe.job(job_id)
        assert (job.status, job.prepare_tries) == (Status.QUEUED, 0)


def refusing(*, width: int) -> Callable[[PageImage], None]:
    def script(image: PageImage) -> None:
        if image.width == width:
            raise PageRefused("told to")

    return script


def stop_after(count: int) -> Callable[[Message], bool]:
    """Say that every message after the first `count` was lost."""
    seen = SimpleNamespace(count=0)

    def lost(_: Message) -> bool:
        seen.count += 1
        return bool(seen.count > count)

    return lost
