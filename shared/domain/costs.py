"""What a job cost: the pages' usage summed, and an estimate of its price by a table of prices.

The estimate is a share, not a bill: each page has its part of the time in which its engine was busy (`engine_seconds`),
and what no page can be blamed for (an idle or starting worker, the free tier, networking, taxes) is in none of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

CURRENCY = "USD"

COST = "estimated_cost"
"""The name under which a usage holds its price, in USD."""

_OF_CACHED = frozenset({"stored_bytes"})
"""What a page from the cache still costs; anything else was paid for when it was first read."""
_HOUR = 3600.0
_GB = 1e9
_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """In USD; zero says that it is not priced.

    `worker_hour` is for a worker with its GPU, `function_hour` for an instance of a function, `page` for the requests
    that a page makes of the services, `stored_gb_month` for 10^9 bytes kept for 30 days.
    """

    worker_hour: float = 0.0
    function_hour: float = 0.0
    page: float = 0.0
    stored_gb_month: float = 0.0

    @property
    def is_priced(self) -> bool:
        return any((self.worker_hour, self.function_hour, self.page, self.stored_gb_month))

    def cost(self, usage: Mapping[str, float], *, kept: timedelta) -> float:
        """Return the price of what was used, when its bytes are kept so long."""
        stored = usage.get("source_bytes", 0.0) + usage.get("stored_bytes", 0.0)
        return (
            usage.get("engine_seconds", 0.0) / _HOUR * self.worker_hour
            + usage.get("function_seconds", 0.0) / _HOUR * self.function_hour
            + usage.get("pages", 0.0) * self.page
            + stored / _GB * (kept / _MONTH) * self.stored_gb_month
        )

    def page_estimate(self, *, engine_seconds: float) -> float:
        """Return what a page may cost that was not read yet."""
        return engine_seconds / _HOUR * self.worker_hour + self.page


LIST_PRICES = Prices(worker_hour=1.36, function_hour=0.2088, page=0.000024, stored_gb_month=0.02)
"""Google's list prices as of November 2026, in a cheap region and without what is free.

`worker_hour`: an L4 on Cloud Run without zonal redundancy, 0.672, with 8 vCPU and 24 GiB at 0.000018 and 0.000002 a
second; that is what services pay, worker pools rather less. `function_hour`: `prepare` with 2 vCPU and 4 GiB, at
0.000024 and 0.0000025 a second. terraform/machines.tf has the same machines. `page`: 4 objects created at 0.005 a
thousand, and 4 documents written to Firestore at 0.09 a hundred thousand. `stored_gb_month`: Cloud Storage, standard.
"""


def preparing_usage(
    before: Mapping[str, float], *, seconds: float, source_bytes: int | None = None
) -> dict[str, float]:
    """Add a try of preparing a document, its wall-clock time, to the tries before."""
    usage = dict(before)
    usage["function_seconds"] = round(usage.get("function_seconds", 0.0) + max(0.0, seconds), 3)
    return usage if source_bytes is None else usage | {"source_bytes": float(source_bytes)}


def pages_usage(readings: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sum what pages used that are done, each under its engine's names; one from the cache used no engine."""
    usage: Counter[str] = Counter(pages=0, cached_pages=0)
    for reading in readings:
        usage["pages"] += 1
        if reading.get("cached"):
            usage["cached_pages"] += 1
            usage.update({name: amount for name, amount in reading.items() if name in _OF_CACHED})
        else:
            usage.update(reading)
    return {name: round(amount, 3) for name, amount in usage.items()}


def priced(
    prepared: Mapping[str, float], pages: Mapping[str, float], prices: Prices, *, kept: timedelta
) -> dict[str, float]:
    """Return a job's usage: what preparing it used, what its pages did, and the price of both if there are prices."""
    usage = {**prepared, **pages}
    return usage | {COST: round(prices.cost(usage, kept=kept), 9)} if prices.is_priced else usage
