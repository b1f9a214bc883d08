"""The simulation, event by event: documents wait by lane, pages take slots of GPUs, an autoscaler adds and takes GPUs.

It follows `gpu_worker/slots.py` in who comes first, and `terraform/autoscaler.tf` in how many GPUs there are. A GPU
that is taken away finishes the pages that it has; the real one hands them back, and they are read once more.
"""

import math
import random
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from local.plan.arrivals import BULK, EXPRESS, Arrival
from local.plan.scenario import DAY, Pool

EXPRESS_IN_A_ROW = 4
_PAGES, _TICK, _READY, _MIDNIGHT = range(4)
_NEVER = math.inf


class Sample(NamedTuple):
    """The state at a tick of the autoscaler: pages that wait or are read, GPUs that read and that start."""

    at: float
    backlog: int
    reading: int
    starting: int
    busy: int


class Ended(NamedTuple):
    """What became of a document; `begun` and `ended` are infinite where that was not seen."""

    arrival: Arrival
    begun: float
    ended: float


class Run(NamedTuple):
    """What was seen: a line for each document, samples, GPU starts from none, all starts, and GPU seconds paid for."""

    documents: list[Ended]
    samples: list[Sample]
    cold_starts: int
    starts: int
    gpu_seconds: float
    busy_seconds: float


def simulate(arrivals: Sequence[Arrival], pool: Pool, *, seed: int, grain: int = 1, until: float = 4 * DAY) -> Run:
    """Run until every document has ended, the pool is at its minimum and the day is over, or until that moment.

    After midnight only what is above the minimum is paid for: the minimum is the next day's. `grain` pages of a range
    are one event.

    With a grain of 1 each page has its slot; with more, a range's pages begin and end together, which costs less time
    and is as good where there are many more slots than pages in a range.
    """
    return _Simulation(arrivals, pool, random.Random(seed), grain).run(until)  # noqa: S311 - no secret


class _Simulation:
    def __init__(self, arrivals: Sequence[Arrival], pool: Pool, chance: random.Random, grain: int) -> None:
        self._arrivals, self._pool, self._grain = arrivals, pool, grain
        variance = math.log1p(pool.spread**2)
        self._sigma, self._mu, self._draw = math.sqrt(variance), -variance / 2, chance.lognormvariate
        self._queues: tuple[deque[tuple[int, int]], ...] = (deque(), deque())
        self._ranges = [0, 0]
        self._left = [arrival.pages for arrival in arrivals]
        self._begun, self._ended = [_NEVER] * len(arrivals), [_NEVER] * len(arrivals)
        self._events: list[tuple[float, int, int, int, int]] = []
        self._number = self._open = 0
        self._now = self._paid = self._work = 0.0
        self._reading, self._starting = pool.min_gpus, 0
        self._busy = self._in_a_row = self._waiting = 0
        self._starts = self._cold_starts = self._given_up = 0
        self._is_day = True
        self._wishes: deque[tuple[float, int]] = deque()
        self._samples: list[Sample] = []

    def run(self, until: float) -> Run:
        self._push(0.0, _TICK)
        self._push(DAY, _MIDNIGHT)
        come, total = 0, len(self._arrivals)
        while come < total or self._is_on():
            arrival = self._arrivals[come].at if come < total else _NEVER
            moment = min(arrival, self._events[0][0])
            self._pay(min(moment, until))
            if moment > until:
                break
            if arrival <= self._events[0][0]:
                self._come(come)
                come += 1
            else:
                self._happen(*heappop(self._events)[2:])
            self._dispatch()
        return self._seen()

    def _is_on(self) -> bool:
        above = self._reading + self._starting - self._pool.min_gpus
        return self._open > 0 or self._is_day or above > 0

    def _pay(self, until: float) -> None:
        own = 0 if self._is_day else self._pool.min_gpus
        self._paid += (self._reading + self._starting - own) * (until - self._now)
        self._now = until

    def _push(self, at: float, kind: int, document: int = 0, pages: int = 0) -> None:
        self._number += 1
        heappush(self._events, (at, self._number, kind, document, pages))

    def _happen(self, kind: int, document: int, pages: int) -> None:
        if kind == _PAGES:
            self._read(document, pages)
        elif kind == _TICK:
            self._sample()
            self._scale()
            self._push(self._now + self._pool.tick, _TICK)
        elif kind == _MIDNIGHT:
            self._is_day = False
        elif self._given_up:
            self._given_up -= 1
        else:
            self._starting -= 1
            self._reading += 1

    def _come(self, document: int) -> None:
        arrival = self._arrivals[document]
        queue, left = self._queues[arrival.lane], arrival.pages
        self._open += 1
        self._waiting += left
        self._ranges[arrival.lane] += self._cut(left)
        while left:
            pages = min(left, self._grain)
            queue.append((document, pages))
            left -= pages

    def _read(self, document: int, pages: int) -> None:
        arrival = self._arrivals[document]
        before, left = self._left[document], self._left[document] - pages
        self._busy -= pages
        self._ranges[arrival.lane] -= self._cut(before) - self._cut(left)
        self._left[document] = left
        if not left:
            self._ended[document] = self._now
            self._open -= 1

    def _cut(self, pages: int) -> int:
        """Return how many ranges so many pages of a document are: a range counts until its last page is read."""
        return -(-pages // self._pool.pages_a_range)

    def _dispatch(self) -> None:
        slots = self._reading * self._pool.slots
        while self._busy < slots and self._waiting:
            queue = self._queues[self._next_lane()]
            document, pages = queue[0]
            if self._busy and self._busy + pages > slots:
                return
            queue.popleft()
            self._begin(document, pages, slots)

    def _begin(self, document: int, pages: int, slots: int) -> None:
        pool = self._pool
        self._busy += pages
        self._waiting -= pages
        self._in_a_row = self._in_a_row + 1 if self._arrivals[document].lane == EXPRESS else 0
        if self._begun[document] is _NEVER:
            self._begun[document] = self._now
        share = min(1.0, self._busy / slots)
        seconds = (pool.alone + (pool.full - pool.alone) * share) * self._draw(self._mu, self._sigma)
        self._work += pages * seconds
        self._push(self._now + seconds, _PAGES, document, pages)

    def _next_lane(self) -> int:
        express, bulk = self._queues
        if not express:
            return BULK
        return BULK if bulk and self._in_a_row >= EXPRESS_IN_A_ROW else EXPRESS

    def _sample(self) -> None:
        self._samples.append(Sample(self._now, self._waiting + self._busy, self._reading, self._starting, self._busy))

    def _scale(self) -> None:
        """Grant at once the most that was wished for in the last `idle` seconds, of what the metric shows by now."""
        pool = self._pool
        wish = max(math.ceil(ranges / pool.ranges_per_gpu) for ranges in self._ranges)
        self._wishes.append((self._now, max(pool.min_gpus, min(wish, pool.max_gpus))))
        while self._wishes[0][0] < self._now - pool.metric_delay - pool.idle:
            self._wishes.popleft()
        shown = [wish for at, wish in self._wishes if at <= self._now - pool.metric_delay]
        self._grant(max(shown, default=pool.min_gpus))

    def _grant(self, gpus: int) -> None:
        more = gpus - self._reading - self._starting
        if more > 0:
            self._cold_starts += not (self._reading + self._starting)
            self._starts += more
            self._starting += more
            for _ in range(more):
                self._push(self._now + self._pool.boot, _READY)
        elif more < 0:
            given_up = min(self._starting, -more)
            self._starting -= given_up
            self._given_up += given_up
            self._reading += more + given_up

    def _seen(self) -> Run:
        seen = zip(self._arrivals, self._begun, self._ended, strict=True)
        documents = [Ended(arrival, begun, ended) for arrival, begun, ended in seen]
        busy = self._work / self._pool.slots
        return Run(documents, self._samples, self._cold_starts, self._starts, self._paid, busy)
