"""An engine that counts requests is kept busy, whatever its pages have; and no lane waits for the other."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.embedded.clock import SystemClock
from shared.domain.options import Lane
from shared.pdf.sandbox import Sandbox
from tests.engines import HeldEngine, RequestsEngine
from tests.pipeline import Pipeline, pipeline
from tests.serving import until
from tests.working import pages, pending, submit, working

SLOTS = 8
BUSY = 0.9


@pytest.fixture
def pipe(tmp_path: Path, sandbox: Sandbox) -> Iterator[Pipeline]:
    with pipeline(tmp_path / "data", SystemClock(), sandbox) as opened:
        yield opened


@pytest.mark.parametrize(
    ("blocks", "seconds", "documents"),
    [
        pytest.param(1, 1.0, [[200]] * 48, id="one block, documents of a page"),
        pytest.param(1, 1.0, [[200] * 48], id="one block, one long document"),
        pytest.param(40, 0.1, [[200]] * 12, id="forty blocks, documents of a page"),
        pytest.param(40, 0.1, [[200] * 12], id="forty blocks, one long document"),
    ],
)
def test_requests_are_there_for_every_slot_while_pages_are_left(
    pipe: Pipeline, sandbox: Sandbox, blocks: int, seconds: float, documents: list[list[int]]
) -> None:
    jobs = submit(pipe, *documents, lane=Lane.BULK)
    engine = RequestsEngine(blocks, slots=SLOTS, seconds=seconds, capacity=24)

    with working(pipe, sandbox, engine):
        until(lambda: len(engine.pages) == sum(map(len, documents)))

    full = next(at for at, asked in engine.asked if asked >= SLOTS)
    assert engine.busy_share(full, engine.pages[-1][0]) >= BUSY
    assert all(page.failure is None for page in pages(pipe, *jobs))


def test_no_more_is_taken_than_would_be_worked_on(pipe: Pipeline, sandbox: Sandbox) -> None:
    """Another worker may be idle."""
    submit(pipe, *[[200] * 8] * 20, lane=Lane.BULK)
    engine = RequestsEngine(40, slots=SLOTS, seconds=0.5, capacity=24)

    with working(pipe, sandbox, engine) as worker:
        until(lambda: bool(engine.pages))
        time.sleep(1)

        assert int(worker.state()["ranges_in_hand"]) <= 8


def test_an_express_page_is_read_while_bulk_pages_hang(pipe: Pipeline, sandbox: Sandbox) -> None:
    submit(pipe, *[[200] * 8] * 4, lane=Lane.BULK)
    engine = HeldEngine(capacity=15, script=lambda held, page: held.end(page) if page.lane is Lane.EXPRESS else None)

    with working(pipe, sandbox, engine):
        engine.wait_for(14, lane=Lane.BULK)
        express = submit(pipe, [300], lane=Lane.EXPRESS)

        until(lambda: not pending(pipe, *express), seconds=10)

        assert len(engine.in_hand) == 14


def test_an_express_page_behind_five_hundred_bulk_pages_overtakes_nearly_all(pipe: Pipeline, sandbox: Sandbox) -> None:
    (bulk,) = submit(pipe, [200] * 500, lane=Lane.BULK)
    engine = RequestsEngine(8, slots=SLOTS, seconds=0.1, capacity=24)

    with working(pipe, sandbox, engine):
        until(lambda: len(engine.pages) >= 20)
        (express,) = submit(pipe, [300], lane=Lane.EXPRESS)
        before = pending(pipe, bulk)
        until(lambda: not pending(pipe, express))
        after = pending(pipe, bulk)

    assert before - after <= 24


def test_a_bulk_range_that_comes_late_is_read_while_express_pages_leave_no_room(
    pipe: Pipeline, sandbox: Sandbox
) -> None:
    submit(pipe, *[[300]] * 100, lane=Lane.EXPRESS)
    engine = RequestsEngine(1, slots=2, seconds=0.1, capacity=6)

    with working(pipe, sandbox, engine):
        until(lambda: len(engine.pages) >= 20)
        submit(pipe, [200] * 4, lane=Lane.BULK)
        before = len(engine.pages)
        until(lambda: [lane for _, lane in engine.pages].count(Lane.BULK) == 4)

        assert len(engine.pages) - before < 60  # its own four, and about four of express before each
