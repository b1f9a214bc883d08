"""What a job cost: whatever ends it, and however its pages overlap, were cached or failed."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gpu_worker.metered import Meter, MeteredEngine
from ingest_fn.rounds import cancel, delete, retry
from ingest_fn.submit import Submission, new_id, submit_url
from shared.cache.entries import page_entry
from shared.domain.costs import COST, LIST_PRICES, Prices, pages_usage, priced
from shared.domain.errors import PageRefused
from shared.domain.job import PREPARE_PAUSES, JobId
from shared.domain.ledger import ROUNDS
from shared.domain.messages import PrepareDocument, ReadRange
from shared.domain.options import Lane, Options
from shared.domain.page import PageImage
from shared.domain.status import Status
from shared.pdf.sandbox import Sandbox
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import Pipeline, pipeline, sized_pdf
from tests.servers import Behaviour, Exchange, Server, answering

WEEK = timedelta(days=7)
TEN = sized_pdf(*range(200, 300, 10))
IMAGE = PageImage(rgb=memoryview(b"rgb"), width=1, height=1, dpi=72)
A_PAGE = {"price_page": 0.001}


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def pipe(tmp_path: Path, clock: ManualClock, sandbox: Sandbox, engine: ScriptedEngine) -> Iterator[Pipeline]:
    with pipeline(tmp_path / "data", clock, sandbox, MeteredEngine(engine), settings=A_PAGE) as opened:
        yield opened


def costs(pipe: Pipeline) -> list[dict[str, float]]:
    today = pipe.clock.now().date()
    return [dict(line.amounts) for line in pipe.store.costs(first=today, last=today)]


def test_every_part_of_a_usage_has_its_price() -> None:
    prices = Prices(worker_hour=3.6, function_hour=0.36, page=0.5, stored_gb_month=0.3)
    usage = {"pages": 2, "engine_seconds": 100, "function_seconds": 10, "source_bytes": 6e8, "stored_bytes": 4e8}

    assert prices.cost(usage, kept=timedelta(days=10)) == pytest.approx(0.1 + 0.001 + 1.0 + 0.1)


def test_where_nothing_is_priced_there_is_no_price() -> None:
    assert COST not in priced({}, {"pages": 3, "engine_seconds": 9}, Prices(), kept=WEEK)


def test_a_page_from_the_cache_used_no_engine_whatever_its_first_reading_did() -> None:
    readings = [{"engine_seconds": 2.0, "prompt_tokens": 9}, {"cached": 1, "engine_seconds": 2.0, "stored_bytes": 5}]

    usage = pages_usage(readings)

    assert usage == {"pages": 2, "cached_pages": 1, "engine_seconds": 2.0, "prompt_tokens": 9, "stored_bytes": 5}


def test_the_shares_of_overlapping_pages_sum_up_to_the_time_in_which_there_were_any() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])

    first = meter.begin()
    now[0] = 2.0
    second = meter.begin()
    now[0] = 6.0
    shares = [meter.end(first)]
    now[0] = 7.0
    shares.append(meter.end(second))
    now[0] = 100.0
    third = meter.begin()
    now[0] = 101.0
    shares.append(meter.end(third))

    assert shares == [4.0, 3.0, 1.0]


def test_a_page_that_fails_is_in_hand_no_longer(engine: ScriptedEngine) -> None:
    now = [0.0]
    metered = MeteredEngine(engine, Meter(lambda: now[0]))
    engine.script = _refuse
    refused = metered.submit(IMAGE, Options(), Lane.BULK)
    engine.script = lambda _: now.__setitem__(0, 8.0)

    read = metered.submit(IMAGE, Options(), Lane.BULK)

    assert isinstance(refused.exception(), PageRefused)
    assert read.result().usage["engine_seconds"] == 8.0


def test_a_finished_job_says_what_it_used_and_what_that_costs(pipe: Pipeline) -> None:
    job_id = pipe.submit(TEN)

    pipe.drain()

    usage = pipe.job(job_id).usage
    assert (usage["pages"], usage["cached_pages"], usage["source_bytes"]) == (10, 0, len(TEN))
    assert usage["engine_seconds"] >= 0
    stored = sum(len(pipe.objects.read(name)) for name in pipe.objects.names(f"jobs/{job_id}/"))
    assert usage["stored_bytes"] == pytest.approx(stored - len(TEN), rel=0.05)
    assert usage[COST] == pytest.approx(0.010)
    assert costs(pipe) == [{ROUNDS: 1.0, **{name: amount for name, amount in usage.items() if amount}}]


def test_messages_delivered_twice_cost_once(pipe: Pipeline) -> None:
    pipe.submit(TEN)

    pipe.drain(times=2)

    (line,) = costs(pipe)
    assert (line[ROUNDS], line["pages"]) == (1.0, 10.0)


@pytest.mark.parametrize("end", [cancel, delete])
def test_a_job_that_is_ended_before_its_pages_costs_those_that_were_read(pipe: Pipeline, end: Any) -> None:
    job_id = pipe.submit(TEN)
    pipe.handle(PrepareDocument(job_id=job_id))
    first, *_ = pipe.store.ranges(job_id)
    pipe.handle(ReadRange(job_id=job_id, range_id=first.id))

    end(job_id, pipe.platform)
    end(job_id, pipe.platform)

    (line,) = costs(pipe)
    assert (line[ROUNDS], line["pages"]) == (1.0, 5.0)
    assert line[COST] == pytest.approx(0.005)


def test_a_second_round_costs_the_pages_that_it_read(pipe: Pipeline, engine: ScriptedEngine) -> None:
    engine.script = lambda image: _refuse(image) if image.width in {210, 250} else None
    job_id = pipe.submit(TEN)
    pipe.drain()
    before = costs(pipe)
    engine.script = None

    retry(job_id, pipe.platform)
    pipe.drain()

    assert [line["pages"] for line in before] == [8.0]
    (line,) = costs(pipe)
    assert (line[ROUNDS], line["pages"]) == (2.0, 10.0)
    assert line[COST] == pytest.approx(0.010)


def test_a_document_that_cannot_be_read_costs_its_preparing_only(pipe: Pipeline) -> None:
    job_id = pipe.submit(b"no document")

    pipe.drain()

    assert pipe.job(job_id).usage["pages"] == 0
    assert [line[ROUNDS] for line in costs(pipe)] == [1.0]


class Slow:
    """A document's server: each request takes its seconds by the pipeline's clock, then its behaviour answers."""

    def __init__(self, clock: ManualClock, *answers: tuple[float, Behaviour]) -> None:
        self._clock, self._answers = clock, list(answers)

    def __call__(self, exchange: Exchange) -> None:
        seconds, behaviour = self._answers.pop(0)
        self._clock.sleep(seconds)
        behaviour(exchange)


class Held:
    """Answers with what is no document, once the test says so."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        assert self.go_on.wait(30)
        exchange.answer(200, b"no document")


def submitted(pipe: Pipeline, server: Server) -> JobId:
    url = f"{server.url}/a.pdf"
    return submit_url(Submission(tenant="default"), url, platform=pipe.platform, new_id=new_id).job.id


def test_a_retry_takes_nothing_back_of_what_a_failed_preparing_cost(pipe: Pipeline, clock: ManualClock) -> None:
    answers = (5.0, answering(200, b"no document")), (2.0, answering(200, TEN))
    with Server({}, otherwise=Slow(clock, *answers)) as server:
        job_id = submitted(pipe, server)
        pipe.drain()
        (failed,) = costs(pipe)
        retry(job_id, pipe.platform)
        pipe.drain()

    (line,) = costs(pipe)
    assert (failed["function_seconds"], line["function_seconds"]) == (5.0, 7.0)
    assert pipe.job(job_id).usage["function_seconds"] == 7.0


def test_a_try_that_was_put_off_costs_as_well(pipe: Pipeline, clock: ManualClock) -> None:
    answers = (5.0, answering(503)), (2.0, answering(200, TEN))
    with Server({}, otherwise=Slow(clock, *answers)) as server:
        submitted(pipe, server)
        pipe.drain()
        clock.advance(PREPARE_PAUSES[0])
        pipe.sweep()
        pipe.drain()

    (line,) = costs(pipe)
    assert (line["function_seconds"], line["pages"]) == (7.0, 10.0)


def test_a_job_that_no_try_could_prepare_by_its_deadline_costs_its_tries(pipe: Pipeline, clock: ManualClock) -> None:
    with Server({}, otherwise=Slow(clock, (5.0, answering(503)))) as server:
        job_id = submitted(pipe, server)
        pipe.drain()
        clock.advance(timedelta(hours=25))
        pipe.sweep()

    (line,) = costs(pipe)
    assert pipe.job(job_id).status is Status.FAILED
    assert (line[ROUNDS], line["function_seconds"]) == (1.0, 5.0)


def test_a_try_that_fails_when_another_has_planned_leaves_no_price_on_the_running_job(
    pipe: Pipeline, clock: ManualClock
) -> None:
    held = Held()
    with Server({}, otherwise=Slow(clock, (0.0, held), (2.0, answering(200, TEN)))) as server:
        job_id = submitted(pipe, server)
        message = PrepareDocument(job_id=job_id)
        slow = threading.Thread(target=pipe.handle, args=(message,))
        slow.start()
        server.wait_for(1)
        clock.advance(timedelta(minutes=5))
        pipe.handle(message)
        held.go_on.set()
        slow.join()
        running = pipe.job(job_id)
        pipe.drain()

    (line,) = costs(pipe)
    assert (running.status, running.usage) == (Status.RUNNING, {})
    assert (line["pages"], line["function_seconds"]) == (10.0, 2.0)
    assert line[COST] == pytest.approx(0.010)


def test_pages_from_the_cache_are_counted_once_however_often_they_are_prepared(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox, engine: ScriptedEngine
) -> None:
    """One of them is gone and is read, and a try is killed when it has claimed the job, stored the source, taken nine
    pages and stored them, before it says that there is a plan.
    """
    cached = MeteredEngine(engine)
    with pipeline(tmp_path / "cached", clock, sandbox, cached, settings=A_PAGE | {"cache_days": 30.0}) as pipe:
        first = pipe.submit(TEN)
        pipe.drain()
        (before,) = costs(pipe)
        (missing,) = [page.cache_key for page in pipe.store.pages(first) if page.number == 4]
        pipe.objects.erase(page_entry("default", str(missing)))
        second = pipe.submit(TEN)
        pipe.drain(lost=lambda _: True)
        assert pipe.killed(21, lambda twin: twin.handle(PrepareDocument(job_id=second)))
        assert (len(pipe.store.pages(second)), pipe.job(second).is_planned) == (10, False)
        clock.advance(timedelta(minutes=5))
        pipe.handle(PrepareDocument(job_id=second))
        pipe.drain(times=2)

        (line,) = costs(pipe)
        usage = pipe.job(second).usage
    assert (usage["pages"], usage["cached_pages"], engine.readings) == (10, 9, 11)
    assert (before["pages"], line["pages"], line["cached_pages"], line[ROUNDS]) == (10.0, 20.0, 9.0, 2.0)
    assert line["stored_bytes"] == pytest.approx(2 * before["stored_bytes"], rel=0.02)
    assert line[COST] == pytest.approx(0.020)


def test_erasing_a_job_leaves_its_money_and_nothing_else(pipe: Pipeline) -> None:
    job_id = pipe.submit(TEN)
    pipe.drain()
    before = costs(pipe)

    delete(job_id, pipe.platform)
    pipe.sweep()

    assert costs(pipe) == before


def test_an_l4_s_page_costs_a_fraction_of_a_cent() -> None:
    """By the list prices and the assumption that budgets begin with."""
    assert 0.0003 < LIST_PRICES.page_estimate(engine_seconds=2.5) < 0.001


def _refuse(_: PageImage) -> None:
    raise PageRefused
