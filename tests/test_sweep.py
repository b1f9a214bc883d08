"""A sweep ends in time, acts on several things at once, and nothing that goes wrong with one of them is another's."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import InvalidArgument

from ingest_fn.sweep import sweep
from ingest_fn.sweep_all import sweep_all
from ingest_fn.sweep_batches import sweep_batches
from notifier.deliver import deliver
from notifier.hosts import HostCap
from shared.adapters.google.errors import google_errors
from shared.assemble import summary
from shared.domain.errors import PagemillError
from shared.domain.job import FIRST_CHECK, Job, JobId
from shared.domain.messages import RoundEnded, Topic
from shared.domain.page import Flag, FlagCode, PageStatus
from shared.pdf.sandbox import Sandbox
from shared.records import to_json
from tests.builders import CALLBACK, a_cancelled_job, a_job, a_page, a_running_job
from tests.clocks import NOON, ManualClock
from tests.pipeline import Pipeline, pipeline
from tests.serving import until
from tests.watched import watched

YEARS = timedelta(days=3650)
LATER = FIRST_CHECK + timedelta(seconds=1)


class HurryingClock(ManualClock):
    """Whatever was put off is overdue again at the next look."""

    def now(self) -> datetime:
        self.advance(timedelta(hours=2))
        return super().now()


def watching(pipe: Pipeline, name: str, first: Callable[[JobId], None]) -> Pipeline:
    pipe._build(replace(pipe.platform, store=watched(pipe.store, name, first)))
    return pipe


def announced(pipe: Pipeline) -> list[str]:
    return [delivery.message.job_id for delivery in pipe.bus.pull(Topic.DOCUMENTS, limit=1000, wait=0)]


def test_a_sweep_ends_when_its_time_is_over_though_there_is_always_more(
    tmp_path: Path, sandbox: Sandbox, clock: ManualClock
) -> None:
    with pipeline(tmp_path / "data", HurryingClock(), sandbox) as pipe:
        pipe.store.add(a_job(now=clock.now(), deadline_at=NOON + 10 * YEARS), None)

        healed = sweep(pipe.platform, seconds=0.2)

        assert healed >= 1
        assert pipe.store.overdue(now=pipe.clock.now(), limit=1)


def test_a_sweep_without_time_begins_nothing(pipe: Pipeline, clock: ManualClock) -> None:
    pipe.store.add(a_job(), None)
    clock.advance(LATER)

    assert sweep(pipe.platform, seconds=0) == sweep_batches(pipe.dropping, seconds=0) == 0

    assert announced(pipe) == []


def test_several_jobs_are_healed_at_once(pipe: Pipeline, clock: ManualClock) -> None:
    """Each waits until all four are being healed; alone, none would go on."""
    for number in range(4):
        pipe.store.add(a_job(str(number)), None)
    clock.advance(LATER)
    meeting = threading.Barrier(4, timeout=20)

    healed = sweep(watching(pipe, "ranges", lambda _: (meeting.wait(), None)[1]).platform)

    assert healed == 4
    assert sorted(announced(pipe)) == ["0", "1", "2", "3"]
    assert pipe.platform.metrics.value("sweeps_failed_total") == 0


def test_one_job_alone_is_healed_without_a_thread(pipe: Pipeline, clock: ManualClock) -> None:
    pipe.store.add(a_job(), None)
    clock.advance(LATER)
    threads: list[threading.Thread] = []

    sweep(watching(pipe, "ranges", lambda _: threads.append(threading.current_thread())).platform)

    assert threads == [threading.current_thread()]


@pytest.mark.parametrize("where", ["update", "ranges"])
def test_an_error_that_nobody_had_thought_of_is_one_jobs_own(pipe: Pipeline, clock: ManualClock, where: str) -> None:
    for number in range(5):
        pipe.store.add(a_job(str(number)), None)
    clock.advance(LATER)

    def fails(job_id: JobId) -> None:
        if job_id == "2":
            raise ZeroDivisionError

    sweep(watching(pipe, where, fails).platform)

    assert sorted(announced(pipe)) == ["0", "1", "3", "4"]
    assert pipe.platform.metrics.value("crashes_total") >= 1
    assert pipe.platform.metrics.value("sweeps_failed_total") >= 1


def test_two_sweeps_at_once_act_on_each_job_once(pipe: Pipeline, clock: ManualClock) -> None:
    for number in range(40):
        pipe.store.add(a_job(str(number)), None)
    clock.advance(LATER)

    sweeps = [threading.Thread(target=sweep, args=(pipe.platform,)) for _ in range(3)]
    for each in sweeps:
        each.start()
    for each in sweeps:
        each.join()

    assert sorted(announced(pipe), key=int) == [str(number) for number in range(40)]


def test_batches_do_not_wait_behind_jobs(pipe: Pipeline, clock: ManualClock) -> None:
    """The job is held until the batch was reported."""
    pipe.drop(pipe.put("inbox/acme/urls.txt", b""))
    pipe.store.add(a_job(), None)
    clock.advance(LATER)

    def wait(_: JobId) -> None:
        until(lambda: pipe.objects.exists("outbox/acme/urls.txt/_SUCCESS"))

    assert sweep_all(watching(pipe, "ranges", wait).dropping)


def a_told_job(number: int) -> Job:
    return a_cancelled_job(f"{number:03d}", callback_url=CALLBACK)


def test_callbacks_that_wait_for_a_busy_receiver_come_back_later_each_time_and_not_together(
    pipe: Pipeline, clock: ManualClock
) -> None:
    jobs = [pipe.store.add(a_told_job(number), None)[0] for number in range(20)]
    busy = replace(pipe.delivering, hosts=HostCap(0))
    pauses = []
    for _ in range(12):
        for job in jobs:
            deliver(RoundEnded(job_id=job.id, round=1), busy)
        due = [each.due_at - clock.now() for job in jobs for each in pipe.job(job.id).callbacks if each.due_at]
        pauses.append(due)
        clock.advance(timedelta(minutes=5))

    assert [len(set(due)) for due in pauses] == [20] * 12
    assert all(timedelta(seconds=2.5) <= pause <= timedelta(seconds=5) for pause in pauses[0])
    assert all(timedelta(minutes=2.5) <= pause <= timedelta(minutes=5) for pause in pauses[-1])
    assert pipe.job(jobs[0].id).callbacks[0].attempts == 0


def test_a_receiver_that_has_room_again_is_told_and_the_pauses_begin_anew(pipe: Pipeline, clock: ManualClock) -> None:
    job, _ = pipe.store.add(a_told_job(1), None)
    message = RoundEnded(job_id=job.id, round=1)
    for _ in range(3):
        deliver(message, replace(pipe.delivering, hosts=HostCap(0)))
        clock.advance(timedelta(minutes=5))

    deliver(message, pipe.delivering)

    (callback,) = pipe.job(job.id).callbacks
    assert (callback.attempts, callback.put_off) == (1, 0)


def test_what_google_does_not_accept_is_one_of_our_errors() -> None:
    with pytest.raises(PagemillError, match="commit"), google_errors("commit"):
        raise InvalidArgument("the value of property body is longer than 1048487 bytes")


def test_the_record_of_the_longest_document_is_one_that_firestore_takes() -> None:
    flags = tuple(Flag(code=code) for code in FlagCode)
    pages = [a_page(number, status=PageStatus.DONE, flags=flags) for number in range(1, 100_001)]

    job = a_running_job(page_count=len(pages)).ended(summary(pages), round_=1, now=NOON)

    assert len(to_json(job)) < 900_000
    assert job.flags["blank"][:3] == (1, 2, 3)
