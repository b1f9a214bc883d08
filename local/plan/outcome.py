"""What a run says: how many GPUs, how long documents wait, how many are late, and what a month costs."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from local.plan.arrivals import BULK, EXPRESS, arrivals
from local.plan.scenario import DAY, DAYS_A_MONTH, HOUR, Scenario
from local.plan.simulate import Ended, Run, simulate

_EXACT_PAGES = 300_000
"""Up to so many pages a day each page is an event of its own; above, there are slots enough for whole ranges."""
_MOST_TRIES = 4
_MORE_GPUS = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """In seconds, from when documents could be read until their first page was begun, and until their last was read."""

    documents: int
    begun_p50: float
    begun_p95: float
    begun_max: float
    ended_p50: float
    ended_p95: float
    ended_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """USD a month of 30 such days; None where a price is not known."""

    gpus: float | None
    functions: float
    requests: float
    storage: float

    @property
    def total(self) -> float | None:
        return None if self.gpus is None else self.gpus + self.functions + self.requests + self.storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`late` are documents that did not end by the deadline, those never seen to end among them."""

    max_gpus: int
    least_gpus: int
    most_at_once: int
    documents: int
    pages: int
    late: int
    unfinished: int
    cold_starts: int
    starts: int
    gpu_hours: float
    busy_share: float
    waits: dict[str, Waits]
    cost: Cost
    run: Run

    def as_dict(self) -> dict[str, object]:
        """Every figure, without the run; None stands for what was never seen to end."""
        nested = {"waits", "cost", "run"}
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in nested}
        waits = {lane: _finite(asdict(waits)) for lane, waits in self.waits.items()}
        return plain | {"waits": waits, "cost": asdict(self.cost) | {"total": self.cost.total}}


def plan(scenario: Scenario) -> Outcome:
    """Simulate a day with the GPUs that are given, or with as few as end every document in time.

    What the arithmetic of flows says is enough comes first; where a run finds documents late, it takes more.
    """
    documents = arrivals(scenario, random.Random(scenario.seed))  # noqa: S311 - no secret
    least = least_gpus(scenario)
    gpus = scenario.max_gpus or least
    for _ in range(_MOST_TRIES):
        run = simulate(documents, scenario.pool(gpus), seed=scenario.seed, grain=_grain(scenario))
        outcome = _outcome(scenario, run, gpus=gpus, least=least)
        if scenario.max_gpus or not outcome.late:
            break
        gpus = math.ceil(gpus * _MORE_GPUS)
    return outcome


def least_gpus(scenario: Scenario) -> int:
    """Return how many GPUs keep up with a day that repeats and, as a flow, end everything by its deadline."""
    low, high = 1, math.ceil(scenario.pages_a_day / scenario.worker_rate / 60) + 1
    while low < high:
        middle = (low + high) // 2
        if _flow_wait(scenario, middle * scenario.worker_rate) <= _patience(scenario):
            high = middle
        else:
            low = middle + 1
    return low


def _patience(scenario: Scenario) -> float:
    """What is left of the deadline once everything else had its time: GPUs to be asked for, to start, and to read."""
    pool = scenario.pool(1)
    return max(0.0, scenario.deadline - scenario.prepare - pool.boot - pool.tick - pool.metric_delay - 2 * pool.full)


def _flow_wait(scenario: Scenario, pages_per_second: float) -> float:
    """The longest wait in seconds in two such days, minute by minute; infinite where it grows from day to day."""
    if scenario.pages_a_day > pages_per_second * DAY:
        return math.inf
    curve, backlog, longest = scenario.curve, 0.0, 0.0
    for minute in range(2 * 24 * 60):
        weight = curve[minute * len(curve) // 1440 % len(curve)] / sum(curve)
        come = scenario.pages_a_day * weight * len(curve) / 1440
        backlog = max(0.0, backlog + come - pages_per_second * 60)
        longest = max(longest, backlog / pages_per_second)
    return longest


def _grain(scenario: Scenario) -> int:
    return 1 if scenario.pages_a_day <= _EXACT_PAGES else scenario.pool(1).pages_a_range


def _outcome(scenario: Scenario, run: Run, *, gpus: int, least: int) -> Outcome:
    documents = run.documents
    ready = scenario.deadline - scenario.prepare
    return Outcome(
        max_gpus=gpus,
        least_gpus=least,
        most_at_once=max((sample.reading for sample in run.samples), default=0),
        documents=len(documents),
        pages=sum(each.arrival.pages for each in documents),
        late=sum(each.ended - each.arrival.at > ready for each in documents),
        unfinished=sum(math.isinf(each.ended) for each in documents),
        cold_starts=run.cold_starts,
        starts=run.starts,
        gpu_hours=run.gpu_seconds / HOUR,
        busy_share=min(1.0, run.busy_seconds / run.gpu_seconds) if run.gpu_seconds else 0.0,
        waits={name: _waits(documents, lane) for name, lane in (("express", EXPRESS), ("bulk", BULK))},
        cost=_cost(scenario, run),
        run=run,
    )


def _waits(documents: Sequence[Ended], lane: int) -> Waits:
    of_lane = [each for each in documents if each.arrival.lane == lane]
    begun = sorted(each.begun - each.arrival.at for each in of_lane)
    ended = sorted(each.ended - each.arrival.at for each in of_lane)
    return Waits(
        documents=len(of_lane),
        begun_p50=_quantile(begun, 0.5),
        begun_p95=_quantile(begun, 0.95),
        begun_max=_quantile(begun, 1.0),
        ended_p50=_quantile(ended, 0.5),
        ended_p95=_quantile(ended, 0.95),
        ended_max=_quantile(ended, 1.0),
    )


def _finite(amounts: Mapping[str, float]) -> dict[str, float | None]:
    return {name: amount if math.isfinite(amount) else None for name, amount in amounts.items()}


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _cost(scenario: Scenario, run: Run) -> Cost:
    """GPUs are paid for from their start to their end, whether they read or not."""
    prices, hours = scenario.prices, run.gpu_seconds / HOUR
    stored = scenario.pages_a_day * scenario.page_bytes * scenario.kept_days / 1e9
    return Cost(
        gpus=None if scenario.gpu.hour is None else hours * scenario.gpu.hour * DAYS_A_MONTH,
        functions=len(run.documents) * scenario.prepare / HOUR * prices.function_hour * DAYS_A_MONTH,
        requests=scenario.pages_a_day * prices.page * DAYS_A_MONTH,
        storage=stored * prices.stored_gb_month,
    )
