"""A worker that is asked to stop ends in time, whatever hangs; its claims outlive a store that stumbles."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

from gpu_worker.claims import LIFE, Claims
from gpu_worker.worker import Worker
from shared.adapters.embedded.clock import SystemClock
from shared.domain.job import Job, JobId
from shared.domain.messages import Topic
from shared.domain.options import Lane
from shared.pdf.sandbox import Sandbox
from tests.clocks import ManualClock
from tests.engines import HeldEngine, ScriptedEngine
from tests.outages import away
from tests.pipeline import Pipeline, pipeline, sized_pdf
from tests.serving import environment
from tests.working import GRACE, pages, submit

DOCUMENTS = [Topic.DOCUMENTS]
CLOUD_RUN_KILLS_AFTER = 10.0
PAGES_GRACE = 6.0


class HangingEngine(ScriptedEngine):
    """Neither reads nor closes before the test says so."""

    def __init__(self) -> None:
        self.go_on, self.reading = threading.Event(), threading.Semaphore(0)
        super().__init__(lambda _: self._hang())

    def close(self) -> None:
        self.go_on.wait(60)
        super().close()

    def _hang(self) -> None:
        self.reading.release()
        self.go_on.wait(60)


def test_a_worker_of_which_everything_hangs_stops_within_its_grace(pipe: Pipeline, sandbox: Sandbox) -> None:
    submit_to_both_lanes(pipe)
    engine = HangingEngine()
    worker = Worker(pipe.platform, sandbox, engine)
    worker.start()
    for _ in range(2):
        assert engine.reading.acquire(timeout=20)

    stopping = threading.Thread(target=worker.stop, kwargs={"grace": 1.0}, daemon=True)
    stopping.start()
    stopping.join(10)
    is_late = stopping.is_alive()
    engine.go_on.set()
    stopping.join(30)

    assert not is_late


def test_a_worker_whose_store_stalls_exits_before_it_is_killed(tmp_path: Path, sandbox: Sandbox) -> None:
    data = tmp_path / "data"
    with pipeline(data, ManualClock(), sandbox) as pipe:
        submit_to_both_lanes(pipe)
    with closing(sqlite3.connect(data / "pagemill.sqlite", isolation_level=None)) as connection:
        visible_in(60, connection)
        command = [sys.executable, "-m", "local", "worker"]
        worker = subprocess.Popen(command, env=environment(data), stdout=subprocess.PIPE, text=True)
        try:
            assert worker.stdout is not None
            with worker.stdout:
                assert worker.stdout.readline().startswith("pagemill works on")
            visible_in(0.5, connection)
            connection.execute("BEGIN IMMEDIATE")  # from now on, whoever writes waits, and so who takes the message
            time.sleep(1)

            asked = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            code = worker.wait(timeout=60)
        finally:
            worker.kill()
            worker.wait()

    assert code == 0
    assert time.monotonic() - asked < CLOUD_RUN_KILLS_AFTER


def submit_to_both_lanes(pipe: Pipeline) -> None:
    for lane in (Lane.EXPRESS, Lane.BULK):
        pipe.submit(sized_pdf(200), priority=lane)
    pipe.drain(topics=DOCUMENTS)


def visible_in(seconds: float, connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE messages SET visible_at = ?", (time.time() + seconds,))


def test_claims_that_the_store_refuses_or_keeps_waiting_cost_no_other_its_claim(
    pipe: Pipeline, clock: ManualClock
) -> None:
    job = a_job_of_many_ranges(pipe)
    ranges = [each.id for each in pipe.store.ranges(job.id)]
    refused, stalled, healthy = set(ranges[:3]), set(ranges[3:6]), ranges[6:]
    trouble, go_on = threading.Event(), threading.Event()

    def fails(_: JobId, range_id: str, _change: object) -> bool:
        if trouble.is_set() and range_id in stalled:
            go_on.wait(60)
        return trouble.is_set() and range_id in refused

    claims = Claims(away(pipe.platform, update_range=fails).store, clock, me="me")
    with ExitStack() as held:
        for each in ranges:
            held.enter_context(claims.held(job.id, each))
        trouble.set()
        for _ in range(3):
            clock.advance(timedelta(seconds=10))
            renewing = threading.Thread(target=claims.renew)
            renewing.start()
            renewing.join(30)
            assert not renewing.is_alive()
        until = {each.id: each.claimed_until for each in pipe.store.ranges(job.id)}
        trouble.clear()
        go_on.set()

    claims.close()
    assert {until[each] for each in healthy} == {clock.now() + LIFE}
    assert {pipe.store.ranges(job.id)[0].claimed_until} == {None}


def a_job_of_many_ranges(pipe: Pipeline) -> Job:
    job_id = pipe.submit(sized_pdf(*[200] * 96))
    pipe.drain(topics=DOCUMENTS)
    assert len(pipe.store.ranges(job_id)) == 12
    return pipe.job(job_id)


def test_a_hundred_pages_in_hand_are_handed_back_within_the_grace_though_each_takes_a_round_trip(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    stopping = threading.Event()

    def slow(*_: object) -> bool:
        if stopping.is_set():
            time.sleep(0.1)
        return False

    with pipeline(tmp_path / "data", SystemClock(), sandbox) as pipe:
        jobs = [*submit(pipe, [200] * 120, lane=Lane.BULK), *submit(pipe, *[[200]] * 20, lane=Lane.EXPRESS)]
        engine = HeldEngine(capacity=96)
        worker = Worker(away(pipe.platform, update_page=slow, update_range=slow), sandbox, engine)
        worker.start()
        engine.wait_for(90)

        stopping.set()
        asked = time.monotonic()
        worker.stop(grace=GRACE)

        assert time.monotonic() - asked < PAGES_GRACE
        assert {(page.status, page.tries) for page in pages(pipe, *jobs)} == {("pending", 0)}
        assert {each.claimed_by for job_id in jobs for each in pipe.store.ranges(job_id)} == {None}
