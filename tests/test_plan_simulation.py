"""The simulation against what is known without it: queueing theory, conservation, and the rules that it follows."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

import pytest

from local.plan.arrivals import BULK, EXPRESS, Arrival, arrivals
from local.plan.scenario import CURVES, DAY, Pool, Scenario
from local.plan.simulate import Run, simulate

ONE = Pool(slots=1, full=1.0, alone=1.0, spread=0.0, max_gpus=1, min_gpus=1, tick=1e6)
MANY = 60_000


def poisson(rate: float, count: int = MANY, *, seed: int = 5) -> list[Arrival]:
    chance, at = random.Random(seed), 0.0
    found = []
    for _ in range(count):
        at += chance.expovariate(rate)
        found.append(Arrival(at, 1, BULK))
    return found


def waits(run: Run, lane: int | None = None) -> list[float]:
    return [each.begun - each.arrival.at for each in run.documents if lane in {None, each.arrival.lane}]


def simulated(come: Sequence[Arrival], pool: Pool, *, grain: int = 1, until: float = math.inf) -> Run:
    return simulate(come, pool, seed=1, grain=grain, until=until)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_with_one_slot_and_equal_pages_it_waits_as_in_an_m_d_1_queue(load: float) -> None:
    run = simulated(poisson(load), ONE)

    assert mean(waits(run)) == pytest.approx(load / (2 * (1 - load)), rel=0.05)


def test_with_one_slot_and_uneven_pages_it_waits_as_pollaczek_and_khinchine_say() -> None:
    load, spread = 0.6, 0.8

    run = simulated(poisson(load), replace(ONE, spread=spread))

    assert mean(waits(run)) == pytest.approx(load * (1 + spread**2) / (2 * (1 - load)), rel=0.1)


def test_with_several_slots_it_waits_as_in_an_m_d_c_queue() -> None:
    """By Cosmetatos' approximation, which is good to a few percent."""
    slots, load = 4, 0.8
    offered = slots * load
    terms = [offered**k / math.factorial(k) for k in range(slots)]
    last = offered**slots / math.factorial(slots) / (1 - load)
    of_exponential = last / (sum(terms) + last) / (slots * (1 - load))
    factor = 1 + (1 - load) * (slots - 1) * (math.sqrt(4 + 5 * slots) - 2) / (16 * load * slots)

    run = simulated(poisson(offered), replace(ONE, slots=slots))

    assert mean(waits(run)) == pytest.approx(0.5 * factor * of_exponential, rel=0.06)


@pytest.mark.parametrize("grain", [1, 8])
def test_every_document_ends_once_or_is_counted_as_unfinished(grain: int) -> None:
    scenario = Scenario(pages_a_day=20_000)
    come = arrivals(scenario, random.Random(3))

    whole = simulated(come, scenario.pool(2), grain=grain)
    cut = simulated(come, scenario.pool(1), grain=grain, until=DAY / 2)

    assert [each.arrival for each in whole.documents] == come
    assert all(each.arrival.at <= each.begun < each.ended < math.inf for each in whole.documents)
    unfinished = sum(math.isinf(each.ended) for each in cut.documents)
    assert 0 < unfinished < len(come)
    assert len(cut.documents) == len(come)


def test_the_work_that_is_done_is_the_work_that_came() -> None:
    come = [Arrival(float(number), 3, BULK) for number in range(500)]

    run = simulated(come, replace(ONE, slots=4, full=2.0, alone=2.0))

    assert run.busy_seconds == pytest.approx(500 * 3 * 2.0 / 4)


def test_the_same_seed_is_the_same_day_and_another_is_not() -> None:
    def day(seed: int) -> Run:
        scenario = Scenario(pages_a_day=5_000, seed=seed)
        return simulate(arrivals(scenario, random.Random(seed)), scenario.pool(2), seed=seed)

    assert day(1) == day(1)
    assert day(1) != day(2)


def test_ranges_as_one_event_wait_as_long_as_their_pages_would() -> None:
    scenario = Scenario(pages_a_day=200_000, max_gpus=8, curve=CURVES["flat"])
    come = arrivals(scenario, random.Random(1))

    exact, coarse = (simulated(come, scenario.pool(8), grain=grain) for grain in (1, 8))

    assert coarse.gpu_seconds == pytest.approx(exact.gpu_seconds, rel=0.05)
    assert mean(waits(coarse, BULK)) == pytest.approx(mean(waits(exact, BULK)), rel=0.25)


def test_express_goes_first_but_bulk_has_its_turn() -> None:
    come = [Arrival(0.0, 1, BULK)] * 10 + [Arrival(0.0, 1, EXPRESS)] * 12

    run = simulated(come, ONE)

    order = "".join("be"[each.arrival.lane == EXPRESS] for each in sorted(run.documents, key=lambda each: each.begun))
    assert order == "b" + "eeeeb" * 3 + "b" * 6


def test_a_gpu_is_started_from_none_and_given_back_when_nothing_waits() -> None:
    pool = Pool(
        slots=8, full=4.0, alone=4.0, spread=0.0, max_gpus=3, tick=60.0, metric_delay=0.0, idle=300.0, boot=100.0
    )
    come = [Arrival(10.0, 8, BULK), Arrival(20_000.0, 8, BULK)]

    run = simulated(come, pool)

    assert (run.cold_starts, run.starts) == (2, 2)
    assert [each.begun for each in run.documents] == [60 + 100, 20_040 + 100]
    assert max(sample.reading for sample in run.samples) == 1
    assert run.gpu_seconds == 2 * (480 - 60)  # read at 164, so the tick at 180 is the first without a wish


def test_gpus_that_are_kept_are_paid_for_all_day_and_once_a_day() -> None:
    pool = replace(ONE, min_gpus=2, max_gpus=2)

    idle = simulated([Arrival(10.0, 1, BULK)], pool)
    late = simulated([Arrival(DAY - 10.0, 1000, BULK)], pool)

    assert idle.gpu_seconds == late.gpu_seconds == 2 * DAY
    assert late.documents[0].ended == DAY - 10.0 + 500


def test_gpus_above_the_kept_ones_are_paid_for_past_midnight() -> None:
    pool = replace(ONE, min_gpus=1, max_gpus=2, ranges_per_gpu=1, tick=60.0, metric_delay=0.0, idle=120.0, boot=0.0)

    run = simulated([Arrival(DAY - 60.0, 240, BULK)], pool)

    assert run.gpu_seconds == DAY + 240  # the second, from the tick at which it was asked for until no wish is left
    assert run.samples[-1].reading == 2


def test_a_run_that_is_cut_short_is_paid_until_then() -> None:
    assert simulated([Arrival(10.0, 1, BULK)], ONE, until=1000.0).gpu_seconds == 1000.0


def test_there_are_never_more_gpus_than_allowed() -> None:
    scenario = Scenario(pages_a_day=300_000)

    run = simulated(arrivals(scenario, random.Random(1)), scenario.pool(5), grain=8)

    assert max(sample.reading + sample.starting for sample in run.samples) == 5


def test_a_lane_wishes_by_its_own_backlog_and_the_larger_wish_is_granted() -> None:
    """Twenty ranges in each lane are one GPU, not two."""
    pool = replace(ONE, min_gpus=0, max_gpus=9, tick=60.0, metric_delay=0.0, boot=30.0)
    come = [Arrival(1.0, 8, lane) for lane in (EXPRESS, BULK) for _ in range(20)]

    run = simulated(come, pool)

    assert max(sample.reading + sample.starting for sample in run.samples) == 1


def test_a_gpu_given_up_while_it_starts_never_reads() -> None:
    pool = Pool(
        slots=1,
        full=1.0,
        alone=1.0,
        spread=0.0,
        max_gpus=9,
        ranges_per_gpu=1,
        tick=10.0,
        metric_delay=0.0,
        idle=0.0,
        boot=95.0,
    )
    first = [Arrival(0.0, 1, BULK)] * 2 + [Arrival(1.0, 1, BULK)] * 2

    run = simulated(first, replace(pool, min_gpus=1))

    assert max(sample.reading for sample in run.samples) == 1
    assert all(math.isfinite(each.ended) for each in run.documents)


def test_documents_come_as_the_curve_weighs() -> None:
    scenario = Scenario(pages_a_day=400_000, curve=(3.0, 1.0), express=1.0)

    come = arrivals(scenario, random.Random(1))

    halves = sum(each.at - scenario.prepare < DAY / 2 for each in come) / len(come)
    assert halves == pytest.approx(0.75, abs=0.01)
    assert sum(each.pages for each in come) == pytest.approx(400_000, rel=0.05)
    assert all((each.lane == EXPRESS) == (each.pages <= 32) for each in come)
    assert [each.at for each in come] == sorted(each.at for each in come)
