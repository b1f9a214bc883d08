"""What is planned for: every number that the simulation takes, with its default and where that comes from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.costs import LIST_PRICES, Prices

DAY = 86_400.0
HOUR = 3_600.0
DAYS_A_MONTH = 30

BLOCKS_MEASURED = 8.0
"""Blocks a page that a published rate is taken to be for: what was found on average where we measured feeding."""

CURVES: Mapping[str, Sequence[float]] = {
    "flat": (1.0,) * 24,
    "office": (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 12, 14, 17, 17, 15, 11, 7, 5, 3, 2, 2, 1),
    "night": (20, 20, 12, 8, 4, 2) + (1,) * 16 + (6, 14),
}
"""Weights of the hours, UTC. Assumptions: `office` is one time zone's working day, `night` batches after midnight."""

LENGTHS: Mapping[int, float] = {1: 40, 3: 25, 10: 20, 40: 12, 300: 3}
"""Pages of a document and how many have so many, an assumption: mostly letters, and most pages are in reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """`pages_per_second` is for pages of `BLOCKS_MEASURED` blocks; `hour` is a worker's price with it, where known."""

    name: str
    pages_per_second: float
    hour: float | None
    source: str


GPUS: Mapping[str, Gpu] = {
    "l4": Gpu(
        name="l4",
        pages_per_second=0.4,
        hour=LIST_PRICES.worker_hour,
        source="assumption: an A100's 1.35 by the ratio of memory bandwidth is 0.26, by that of compute 0.52",
    ),
    "a100": Gpu(
        name="a100", pages_per_second=1.35, hour=None, source="arXiv 2510.14528, table 13: PaddleOCR-VL v1 on vLLM"
    ),
    "rtx-pro-6000": Gpu(
        name="rtx-pro-6000",
        pages_per_second=1.35,
        hour=None,
        source="assumption: as an A100, whose memory bandwidth it has",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The workers. A page takes `alone` seconds on an idle GPU and `full` on one that has all its `slots` taken.

    `spread` is the standard deviation of a page's work by its mean. Each lane wishes for a GPU for each
    `ranges_per_gpu` of its backlog, and the larger wish is granted, as `terraform/autoscaler.tf` sets it up.
    """

    slots: int
    full: float
    alone: float
    spread: float = 0.5
    max_gpus: int = 2
    min_gpus: int = 0
    ranges_per_gpu: int = 20
    tick: float = 60.0
    metric_delay: float = 120.0
    idle: float = 300.0
    boot: float = 180.0
    pages_a_range: int = 8

    @property
    def pages_per_second(self) -> float:
        """Of one GPU with all its slots taken."""
        return self.slots / self.full


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A day that repeats. Times are in seconds; `rate` overrides the GPU's own.

    Where the defaults come from. Assumptions, until somebody measures them: `alone`, `prepare`, `express`,
    `page_bytes`, `boot` (Google says 5 s for the GPU; the image and the weights take the rest) and `metric_delay`
    (Monitoring samples a backlog once a minute). `layout`: PaddleX's table has 0.4 to 0.6 CPU seconds for a model like
    it. `requests`, `layout_processes` (both beside an L4), `tick`, `idle` and `ranges_per_gpu` are Terraform's.
    """

    pages_a_day: int
    gpu: Gpu = GPUS["l4"]
    rate: float | None = None
    curve: Sequence[float] = CURVES["office"]
    lengths: Mapping[int, float] = field(default_factory=lambda: LENGTHS)
    blocks: float = BLOCKS_MEASURED
    express: float = 0.5
    express_pages: int = 32
    deadline: float = 24 * HOUR
    prepare: float = 2.0
    layout: float = 0.5
    layout_processes: int = 3
    requests: int = 64
    alone: float = 4.0
    boot: float = 180.0
    tick: float = 60.0
    metric_delay: float = 120.0
    idle: float = 300.0
    ranges_per_gpu: int = 20
    max_gpus: int | None = None
    min_gpus: int = 0
    prices: Prices = LIST_PRICES
    page_bytes: float = 400_000.0
    kept_days: float = 7.0
    seed: int = 1

    @property
    def mean_pages(self) -> float:
        return sum(pages * weight for pages, weight in self.lengths.items()) / sum(self.lengths.values())

    @property
    def gpu_rate(self) -> float:
        """Pages a second that the GPU alone would read: its work is by block."""
        return (self.rate or self.gpu.pages_per_second) * BLOCKS_MEASURED / self.blocks

    @property
    def layout_rate(self) -> float:
        """Pages a second whose layout a worker's CPU detects."""
        return self.layout_processes / self.layout if self.layout else math.inf

    @property
    def worker_rate(self) -> float:
        return min(self.gpu_rate, self.layout_rate)

    def pool(self, max_gpus: int) -> Pool:
        slots = max(1, round(self.requests / self.blocks))
        full = slots / self.worker_rate
        return Pool(
            slots=slots,
            full=full,
            alone=min(self.alone, full),
            max_gpus=max_gpus,
            min_gpus=min(self.min_gpus, max_gpus),
            ranges_per_gpu=self.ranges_per_gpu,
            tick=self.tick,
            metric_delay=self.metric_delay,
            idle=self.idle,
            boot=self.boot,
        )
