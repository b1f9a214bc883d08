"""Budgets a day: above them new jobs are refused, running ones finish, and nothing is lost without a word."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest_fn.budget import check_budget
from ingest_fn.rounds import retry
from ingest_fn.submit import Submission, new_id, submit_url
from shared.admissions import FRESH, Admissions
from shared.config import SettingsError, read_settings
from shared.domain.budgets import Budgets, parse_tenant_budgets, seconds_left
from shared.domain.errors import BudgetExhausted, IllegalMove, PageRefused
from shared.domain.job import JobId
from shared.domain.ledger import Spending
from shared.domain.status import Status
from shared.pdf.sandbox import Sandbox
from tests.clocks import NOON, ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import OpenFamily, Pipeline, pipeline, sized_pdf
from tests.racing import race
from tests.serving import served

URL = "https://documents.example/a.pdf"
FIVE = sized_pdf(*range(200, 250, 10))
DAY = timedelta(days=1)
PRICES = {"price_page": 1.0, "budget_page_seconds": 0.0, "budget_pages": 5}
"""A page costs a dollar, and a document that was not opened is taken to have five."""

Open = Callable[..., AbstractContextManager[Pipeline]]


@pytest.fixture
def budgeted(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> Open:
    def opened(open_family: OpenFamily | None = None, **settings: Any) -> AbstractContextManager[Pipeline]:
        return pipeline(
            tmp_path / "data", clock, sandbox, ScriptedEngine(), settings=PRICES | settings, open_family=open_family
        )

    return opened


@pytest.fixture
def pipe(either_family: OpenFamily | None, budgeted: Open) -> Iterator[Pipeline]:
    """With a budget of twelve dollars."""
    with budgeted(either_family, budget_day=12.0) as opened:
        yield opened


def accepted(pipe: Pipeline, tenant: str = "default", **asked: Any) -> bool:
    try:
        submit_url(Submission(tenant=tenant, **asked), URL, platform=pipe.platform, new_id=new_id)
    except BudgetExhausted:
        return False
    return True


def test_a_budget_takes_what_fits_and_refuses_what_does_not(pipe: Pipeline) -> None:
    pipe.submit(FIVE)
    pipe.submit(FIVE)

    with pytest.raises(BudgetExhausted) as refused:
        pipe.submit(FIVE)

    assert refused.value.retry_after == 12 * 3600
    assert pipe.platform.metrics.value("jobs_over_budget_total", whose="everybody") == 1


def test_what_was_accepted_is_finished(pipe: Pipeline) -> None:
    jobs = [pipe.submit(FIVE), pipe.submit(FIVE)]

    pipe.drain()

    assert {pipe.job(job_id).status for job_id in jobs} == {Status.FINISHED}
    spending = pipe.store.spending(NOON.date(), None)
    assert spending.spent == pytest.approx(10.0)
    assert spending.held == 0.0
    assert not accepted(pipe)


def test_of_24_threads_as_many_are_accepted_as_fit(pipe: Pipeline) -> None:
    answers = race(24, lambda _: accepted(pipe))

    assert answers.count(True) == 2
    assert pipe.store.spending(NOON.date(), None).held == 10.0


def test_a_new_day_begins_with_what_is_still_held(pipe: Pipeline, clock: ManualClock) -> None:
    pipe.submit(FIVE)
    pipe.drain()
    pipe.submit(FIVE)
    today = accepted(pipe)

    clock.advance(DAY / 2)
    tomorrow = [accepted(pipe), accepted(pipe)]

    assert (today, tomorrow) == (False, [True, False])


def test_a_short_document_gives_back_what_was_held_for_it_when_it_is_opened(budgeted: Open, clock: ManualClock) -> None:
    with budgeted(budget_day=12.0) as pipe:
        pipe.submit(sized_pdf(200))
        pipe.submit(sized_pdf(200))
        before = accepted(pipe)
        pipe.drain()
        clock.advance(FRESH)

        assert (before, accepted(pipe)) == (False, True)


def test_each_tenant_has_its_own_and_one_by_name_another(budgeted: Open) -> None:
    with budgeted(budget_tenant_day=parse_tenant_budgets("* 5 rich 10")) as pipe:
        answers = {tenant: [accepted(pipe, tenant) for _ in range(3)] for tenant in ("poor", "rich", "other")}

    assert answers == {"poor": [True, False, False], "rich": [True, True, False], "other": [True, False, False]}


def test_a_refused_request_leaves_its_key_free_and_a_known_one_is_answered(budgeted: Open, clock: ManualClock) -> None:
    with budgeted(budget_day=5.0) as pipe:
        known = accepted(pipe, idempotency_key="one")
        refused = accepted(pipe, idempotency_key="two")
        again = accepted(pipe, idempotency_key="one")
        pipe.store.update(next(iter(jobs(pipe))).id, lambda job: job.cancelled(now=clock.now()))
        clock.advance(FRESH)

        assert (known, refused, again) == (True, False, True)
        assert accepted(pipe, idempotency_key="two")


def jobs(pipe: Pipeline, tenant: str = "default") -> Any:
    return pipe.store.search(tenant, status=None, batch=None, cursor=None, limit=200).jobs


def test_a_refused_upload_is_not_stored(budgeted: Open) -> None:
    with budgeted(budget_day=0.0) as pipe:
        with suppress(BudgetExhausted):
            pipe.submit(FIVE)

        assert list(pipe.objects.names("uploads/")) == []


def test_a_retry_is_new_work_and_refused_as_well(budgeted: Open, clock: ManualClock) -> None:
    with budgeted(budget_day=5.0) as pipe:
        job_id = pipe.submit(b"no document")
        pipe.drain()
        clock.advance(FRESH)
        pipe.submit(FIVE)
        clock.advance(FRESH)

        with pytest.raises(BudgetExhausted):
            retry(job_id, pipe.platform)

        assert pipe.job(job_id).status is Status.FAILED


def retried(pipe: Pipeline, job_id: JobId) -> bool:
    try:
        retry(job_id, pipe.platform)
    except (BudgetExhausted, IllegalMove):
        return False
    return True


def bad_lines(pipe: Pipeline, count: int) -> list[JobId]:
    """Jobs of a list whose lines cannot be started: stored as failed, and nothing was ever held for them."""
    pipe.drop(pipe.put("inbox/default/list.jsonl", b'{"url": "ftp://nowhere/a.pdf"}\n' * count))
    return [job.id for job in jobs(pipe)]


def test_of_24_threads_that_retry_as_many_are_let_in_as_fit(pipe: Pipeline) -> None:
    failed = bad_lines(pipe, 24)

    answers = race(24, lambda number: retried(pipe, failed[number]))

    assert answers.count(True) == 2
    assert pipe.store.spending(NOON.date(), None).held == 10.0
    assert sum(pipe.job(job_id).is_unfinished for job_id in failed) == 2


def test_24_retries_of_one_job_are_one_round_and_hold_once(pipe: Pipeline) -> None:
    (failed,) = bad_lines(pipe, 1)

    answers = race(24, lambda _: retried(pipe, failed))

    assert (answers.count(True), pipe.job(failed).round) == (1, 2)
    assert pipe.store.spending(NOON.date(), None).held == 5.0
    assert [accepted(pipe), accepted(pipe)] == [True, False]


def test_a_new_round_holds_what_its_failed_pages_may_cost(pipe: Pipeline) -> None:
    engine = pipe.engine
    assert isinstance(engine, ScriptedEngine)
    engine.script = lambda image: _refuse() if image.width in {210, 240} else None
    job_id = pipe.submit(FIVE)
    pipe.drain()

    retry(job_id, pipe.platform)
    opened = pipe.store.spending(NOON.date(), None)
    engine.script = None
    pipe.drain()

    ended = pipe.store.spending(NOON.date(), None)
    assert [opened.spent, opened.held] == [pytest.approx(3.0), 2.0]
    assert [ended.spent, ended.held] == [pytest.approx(5.0), 0.0]


def test_what_cannot_be_retried_says_so_though_the_budget_is_used_up(pipe: Pipeline) -> None:
    job_id = pipe.submit(FIVE)
    pipe.submit(FIVE)

    with pytest.raises(IllegalMove):
        retry(job_id, pipe.platform)


def _refuse() -> None:
    raise PageRefused


def test_every_line_of_a_list_is_a_job_and_those_above_the_budget_say_so_in_the_report(budgeted: Open) -> None:
    lines = "".join(f"{URL}?{number}\n" for number in range(5)).encode()
    with budgeted(budget_tenant_day=parse_tenant_budgets("10")) as pipe:
        pipe.drop(pipe.put("inbox/acme/list.txt", lines))

        found = jobs(pipe, "acme")
        codes = [job.error.code for job in found if job.error]
        assert (len(found), codes) == (5, ["budget_exhausted"] * 3)


def test_a_line_above_the_budget_may_be_retried_on_another_day(budgeted: Open, clock: ManualClock) -> None:
    with budgeted(budget_day=0.5, budget_pages=1) as pipe:
        pipe.drop(pipe.put("inbox/acme/one.pdf", sized_pdf(200)))
        (refused,) = jobs(pipe, "acme")
        clock.advance(DAY)
        with pytest.raises(BudgetExhausted):
            retry(refused.id, pipe.platform)

    with budgeted(budget_day=5.0) as pipe:
        retry(refused.id, pipe.platform)
        pipe.drain()

        assert pipe.job(refused.id).status is Status.FINISHED


def test_another_process_overdraws_by_no_more_than_it_accepts_until_it_reads_again(
    budgeted: Open, clock: ManualClock
) -> None:
    with budgeted(budget_day=12.0) as first, budgeted(budget_day=12.0) as second:
        check_budget("default", second.platform)
        accepted_first = [accepted(first) for _ in range(4)]

        accepted_second = [accepted(second) for _ in range(4)]
        clock.advance(FRESH)

        assert (accepted_first.count(True), accepted_second.count(True)) == (2, 2)
        assert not accepted(second)


def test_the_ledger_is_read_once_in_some_seconds_however_many_ask() -> None:
    admissions, read = Admissions(), []

    def reading(day: Any, scope: str | None) -> Spending:
        read.append((day, scope))
        return Spending()

    for seconds in (0, 1, 4.9, 5, 6, 11):
        race(4, lambda _, at=seconds: admissions.refresh(None, reading, now=NOON + timedelta(seconds=at)))  # type: ignore[misc]  # bound now

    assert len(read) == 3


def test_without_a_budget_the_ledger_is_not_asked_and_nothing_is_held(budgeted: Open) -> None:
    with budgeted() as pipe:
        assert all(accepted(pipe) for _ in range(20))
        assert pipe.store.spending(NOON.date(), None) == Spending()


def test_a_refusal_is_a_429_that_says_when_to_come_again(tmp_path: Path) -> None:
    settings = {"PRICE_PAGE": "1", "BUDGET_DAY": "0"}
    with served(tmp_path / "data", settings) as server:
        answer = server.http.post("/infer", json={"pdf_url": URL})

    midnight = seconds_left(datetime.now(UTC))
    assert (answer.status_code, answer.json()["code"]) == (429, "budget_exhausted")
    assert abs(int(answer.headers["retry-after"]) - midnight) <= 60
    assert json.loads(answer.content)["detail"] == BudgetExhausted.public


def test_the_seconds_that_are_left_of_a_day_are_never_none() -> None:
    assert seconds_left(datetime(2026, 3, 14, 23, 59, 59, 500_000, tzinfo=UTC)) == 1
    assert seconds_left(datetime(2026, 3, 14, tzinfo=UTC)) == 86_400


@pytest.mark.parametrize(
    ("text", "budgets"),
    [("5", {"*": 5.0}), ("* 5 acme 20.5", {"*": 5.0, "acme": 20.5}), ("acme 0", {"acme": 0.0})],
)
def test_budgets_of_tenants_are_read(text: str, budgets: Mapping[str, float]) -> None:
    parsed = parse_tenant_budgets(text)

    assert {each.tenant: each.amount for each in parsed} == budgets
    assert parse_tenant_budgets(" ".join(map(str, parsed))) == parsed


@pytest.mark.parametrize("text", ["", "acme", "acme five", "acme 5 globex", "a 1 a 2", "acme -1", "* inf"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|an amount"):
        parse_tenant_budgets(text)


def test_a_budget_without_a_price_would_never_be_used_up_and_is_refused() -> None:
    with pytest.raises(SettingsError, match="price"):
        read_settings({"PAGEMILL_BUDGET_DAY": "5"})
    assert read_settings({"PAGEMILL_BUDGET_DAY": "5", "PAGEMILL_PLATFORM": "google"}).budgets.are_set


def test_a_document_is_held_for_by_its_pages_once_they_are_known() -> None:
    budgets = Budgets(everybody=1.0, tenants={}, page=0.5, pages=32)

    assert (budgets.reserve(), budgets.reserve(3)) == (16.0, 1.5)
