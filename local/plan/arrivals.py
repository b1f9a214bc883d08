"""The documents of a day: when they come, how long they are, and by which lane they go."""

import random
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from local.plan.scenario import DAY, Scenario

EXPRESS, BULK = 0, 1


class Arrival(NamedTuple):
    """A document that is ready to be read at a moment, in seconds from midnight."""

    at: float
    pages: int
    lane: int


def arrivals(scenario: Scenario, chance: random.Random) -> list[Arrival]:
    """Return a day's documents in their order: given how many there are, each comes by itself, as the curve weighs."""
    moments = sorted(_moment(scenario.curve, chance) for _ in range(_count(scenario)))
    sizes = chance.choices(list(scenario.lengths), list(scenario.lengths.values()), k=len(moments))
    return [
        Arrival(at + scenario.prepare, pages, _lane(pages, scenario, chance))
        for at, pages in zip(moments, sizes, strict=True)
    ]


def _count(scenario: Scenario) -> int:
    return max(1, round(scenario.pages_a_day / scenario.mean_pages))


def _moment(curve: Sequence[float], chance: random.Random) -> float:
    """Where a point that is uniform under the curve lies in the day."""
    ends = _ends(tuple(curve))
    point = chance.random() * ends[-1]
    hour = bisect(ends, point)
    start = ends[hour - 1] if hour else 0.0
    return DAY / len(curve) * (hour + (point - start) / (ends[hour] - start))


_ENDS: dict[tuple[float, ...], list[float]] = {}


def _ends(curve: tuple[float, ...]) -> list[float]:
    if curve not in _ENDS:
        _ENDS[curve] = list(accumulate(curve))
    return _ENDS[curve]


def _lane(pages: int, scenario: Scenario, chance: random.Random) -> int:
    """Long documents go to bulk by themselves, as in `ingest_fn/plan.py`."""
    return EXPRESS if pages <= scenario.express_pages and chance.random() < scenario.express else BULK
