"""What every job store promises of the ledger: each round is counted once and for good, with no word of its job."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.costs import COST
from shared.domain.errors import Corrupt
from shared.domain.job import Job, RoundResult
from shared.domain.ledger import ROUNDS, DayCosts
from shared.ports.jobs import JobStore
from tests.builders import a_job, a_round, a_running_job
from tests.clocks import NOON
from tests.racing import race

DAY = timedelta(days=1)
TODAY = NOON.date()
USED = {"pages": 3.0, "prompt_tokens": 700.0, COST: 0.25}


def ended(job: Job, usage: dict[str, float] | None = None, *, days: int = 0, failed: int = 0) -> Job:
    result = RoundResult(progress=a_round(done=3, failed=failed).progress, usage=USED if usage is None else usage)
    return job.ended(result, round_=job.round, now=NOON + days * DAY)


def costs(store: JobStore, *, days: int = 0, tenant: str | None = None) -> tuple[DayCosts, ...]:
    return store.costs(first=TODAY, last=TODAY + days * DAY, tenant=tenant)


def test_nothing_was_spent_where_nothing_ended(store: JobStore) -> None:
    store.add(a_running_job(), None)

    assert costs(store) == ()
    assert (store.spending(TODAY, "acme").total, store.spending(TODAY, None).total) == (0.0, 0.0)


def test_a_round_that_ends_is_counted_with_all_that_it_used(store: JobStore) -> None:
    job, _ = store.add(a_running_job(), None)

    store.update(job.id, ended)

    assert costs(store) == (DayCosts(day=TODAY, tenant="acme", amounts={ROUNDS: 1.0, **USED}),)
    assert store.spending(TODAY, "acme").spent == store.spending(TODAY, None).spent == 0.25


def test_a_round_that_16_end_at_once_is_counted_once(store: JobStore) -> None:
    job, _ = store.add(a_running_job(reserved=2.0), None)

    race(16, lambda _: store.update(job.id, ended))

    assert [line.amounts for line in costs(store)] == [{ROUNDS: 1.0, **USED}]
    assert store.spending(TODAY, None).held == 0.0


def test_sums_are_by_day_and_tenant_in_their_order(store: JobStore) -> None:
    for number, (tenant, day) in enumerate([("b c/ä", 1), ("a", 1), ("a", 0), ("a", 1)]):
        job, _ = store.add(a_running_job(f"job{number}", tenant=tenant), None)
        store.update(job.id, lambda each, day=day: ended(each, days=day))  # type: ignore[misc]  # bound now

    found = [((line.day - TODAY).days, line.tenant, line.amounts[ROUNDS], line.cost) for line in costs(store, days=1)]

    assert found == [(0, "a", 1.0, 0.25), (1, "a", 2.0, 0.5), (1, "b c/ä", 1.0, 0.25)]
    assert [line.tenant for line in costs(store)] == ["a"]
    assert [line.cost for line in costs(store, days=1, tenant="a")] == [0.25, 0.5]
    assert store.spending(TODAY + DAY, None).spent == 0.75
    assert store.spending(TODAY + DAY, "a").spent == 0.5


def test_a_retried_round_adds_only_what_it_used_itself(store: JobStore) -> None:
    job, _ = store.add(a_running_job(), None)
    store.update(job.id, lambda each: ended(each, failed=1))
    store.update(job.id, lambda each: each.retried(now=NOON))

    store.update(job.id, lambda each: ended(each, {**USED, "pages": 4.0, COST: 0.375}))

    (line,) = costs(store)
    assert line.amounts == {ROUNDS: 2.0, "pages": 4.0, "prompt_tokens": 700.0, COST: 0.375}


@pytest.mark.parametrize(
    "end",
    [
        lambda job: job.cancelled(now=NOON),
        lambda job: job.erased(now=NOON),
        lambda job: replace(job, page_count=None).failed(Corrupt().failure, now=NOON),
    ],
    ids=["cancelled", "erased", "failed"],
)
def test_whatever_ends_a_job_counts_what_it_had_used_and_frees_what_it_held(store: JobStore, end: object) -> None:
    job, _ = store.add(a_running_job(reserved=1.5), None)
    held = store.spending(TODAY, "acme").held

    store.update(job.id, lambda each: end(each.used(USED)))  # type: ignore[operator]  # one of the above

    assert held == 1.5
    assert [line.cost for line in costs(store)] == [0.25]
    assert store.spending(TODAY, "acme").held == 0.0


def test_what_is_held_follows_the_plan_and_is_held_from_day_to_day(store: JobStore) -> None:
    first, _ = store.add(a_job("job1", reserved=0.5), None)
    store.add(a_job("job2", reserved=0.25), None)
    store.add(a_job("job3", reserved=0.125, tenant="other"), None)

    store.update(first.id, lambda each: each.reckoned(prepared={}, reserved=1.0))

    assert store.spending(TODAY, "acme").held == store.spending(TODAY + DAY, "acme").held == 1.25
    assert store.spending(TODAY, None).held == 1.375


def test_a_job_that_is_added_twice_holds_once(store: JobStore) -> None:
    job = a_job(reserved=0.5)

    race(8, lambda _: store.add(job, None))

    assert store.spending(TODAY, "acme").held == 0.5


def test_forgetting_a_job_leaves_its_money_in_the_sums(store: JobStore) -> None:
    job, _ = store.add(a_running_job(), None)
    store.update(job.id, ended)
    store.update(job.id, lambda each: each.erased(now=NOON))

    store.forget(job.id, tombstone=False)

    assert [line.amounts for line in costs(store)] == [{ROUNDS: 1.0, **USED}]


def test_jobs_that_end_at_the_same_moment_are_all_counted(store: JobStore) -> None:
    for number in range(24):
        store.add(a_running_job(f"job{number}", reserved=0.125), None)

    race(24, lambda number: store.update(a_job(f"job{number}").id, ended))

    (line,) = costs(store)
    assert (line.amounts[ROUNDS], line.cost) == (24.0, 6.0)
    assert store.spending(TODAY, None).spent == 6.0
    assert store.spending(TODAY, None).held == 0.0
