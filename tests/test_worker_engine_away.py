"""An engine that is away or dies of a page: nothing is lost, nothing fails without fault, work goes on by itself."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.embedded.clock import SystemClock
from shared.domain.errors import EngineDied, EngineUnavailable
from shared.domain.options import Lane
from shared.domain.page import KILLS_ALONE
from shared.pdf.sandbox import Sandbox
from tests.engines import HeldEngine, InHand
from tests.pipeline import Pipeline, pipeline
from tests.serving import until
from tests.working import pages, pending, submit, working

KILLER = 300


@pytest.fixture
def pipe(tmp_path: Path, sandbox: Sandbox) -> Iterator[Pipeline]:
    with pipeline(tmp_path / "data", SystemClock(), sandbox) as opened:
        yield opened


def reading(engine: HeldEngine, page: InHand) -> None:
    engine.end(page)


def leave(engine: HeldEngine, trouble: str) -> None:
    """As a server does that goes: what is asked of it ends as well."""
    engine.trouble = trouble
    engine.end_all(lambda: EngineUnavailable(trouble))


def test_nothing_is_pulled_before_the_engine_is_there(pipe: Pipeline, sandbox: Sandbox) -> None:
    jobs = submit(pipe, [200] * 3, lane=Lane.EXPRESS)
    engine = HeldEngine(capacity=4, script=reading)
    engine.trouble = "vLLM does not answer"

    with working(pipe, sandbox, engine) as worker:
        until(lambda: worker.state()["why_not"] == "vLLM does not answer")
        time.sleep(0.5)
        assert worker.state()["ranges_in_hand"] == 0
        assert pipe.store.ranges(jobs[0])[0].claimed_by is None
        assert pipe.platform.metrics.value("engine_ready") == 0
        engine.trouble = None
        until(lambda: not pending(pipe, *jobs))

        assert worker.state()["pulling"]
        assert pipe.platform.metrics.value("engine_ready") == 1


def test_an_outage_loses_no_page_blames_none_and_ends_by_itself(
    pipe: Pipeline, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="gpu_worker.checkup")
    jobs = submit(pipe, *[[200] * 8] * 4, lane=Lane.BULK)
    engine = HeldEngine(capacity=8)

    with working(pipe, sandbox, engine) as worker:
        engine.wait_for(8)
        leave(engine, "connection refused")
        until(lambda: worker.state()["why_not"] == "connection refused" and worker.state()["ranges_in_hand"] == 0)
        asked = engine.readings
        time.sleep(1.5)
        assert engine.readings == asked
        assert [(page.tries, page.failure) for page in pages(pipe, *jobs)] == [(0, None)] * 32

        engine._script, engine.trouble = reading, None
        until(lambda: not pending(pipe, *jobs))

    assert all(page.failure is None and page.tries == 1 for page in pages(pipe, *jobs))
    said = [record.getMessage() for record in caplog.records if record.name == "gpu_worker.checkup"]
    assert said == [
        "the engine is there: pages are taken",
        "the engine is away: no page is taken",
        "the engine is there: pages are taken",
    ]


def test_an_engine_that_is_closed_with_its_worker_is_not_said_to_be_away(
    pipe: Pipeline, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    class Closing(HeldEngine):
        def close(self) -> None:
            self.trouble = "closed"
            super().close()
            time.sleep(2.5)  # longer than from one look to the next

    caplog.set_level(logging.INFO, logger="gpu_worker.checkup")
    engine = Closing(capacity=4, script=reading)

    with working(pipe, sandbox, engine) as worker:
        until(lambda: not worker.state()["why_not"])

    assert [record.getMessage() for record in caplog.records] == ["the engine is there: pages are taken"]


def test_a_check_that_crashes_is_an_engine_that_is_away(pipe: Pipeline, sandbox: Sandbox) -> None:
    class Crashing(HeldEngine):
        def check(self) -> None:
            if self.trouble is not None:
                raise KeyError(self.trouble)

    jobs = submit(pipe, [200], lane=Lane.EXPRESS)
    engine = Crashing(capacity=4, script=reading)
    engine.trouble = "bug"

    with working(pipe, sandbox, engine) as worker:
        until(lambda: worker.state()["why_not"] == "its check crashed")
        engine.trouble = None

        until(lambda: not pending(pipe, *jobs))


def test_a_page_that_the_engine_dies_of_ends_alone_and_its_neighbours_are_read(
    pipe: Pipeline, sandbox: Sandbox
) -> None:
    beside: list[int] = []

    def die(engine: HeldEngine, page: InHand) -> None:
        """Everything that it reads at the time goes down with it."""
        if page.image.width == KILLER:
            beside.append(len(engine.in_hand) - 1)
            engine.end_all(lambda: EngineDied("vLLM went away"))
        elif beside:
            engine.end(page)

    (job_id,) = submit(pipe, [200, 210, KILLER, 220], lane=Lane.EXPRESS)
    engine = HeldEngine(capacity=8, script=die)

    with working(pipe, sandbox, engine):
        until(lambda: not pending(pipe, job_id))

    read = {page.number: page for page in pages(pipe, job_id)}
    assert beside == [2, *[0] * KILLS_ALONE]
    assert read[3].failure is not None
    assert read[3].failure.code == "page_killed_worker"
    assert [number for number, page in read.items() if page.status == "done"] == [1, 2, 4]


def test_an_engine_that_dies_while_the_worker_stops_blames_no_page(pipe: Pipeline, sandbox: Sandbox) -> None:
    """Both are stopped at the same time where they are one instance."""

    class Neighbour(HeldEngine):
        def close(self) -> None:
            self.end_all(lambda: EngineDied("vLLM went away"))
            super().close()

    (job_id,) = submit(pipe, [200] * 4, lane=Lane.EXPRESS)
    engine = Neighbour(capacity=8)

    with working(pipe, sandbox, engine):
        engine.wait_for(4)

    assert [(page.tries, page.failure) for page in pages(pipe, job_id)] == [(0, None)] * 4
