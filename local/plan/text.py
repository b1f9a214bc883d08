"""A plan as text: what was assumed, what came of it, and how the day went."""

from collections.abc import Iterator

from local.plan.chart import bucketed, chart, hours
from local.plan.outcome import Outcome, Waits
from local.plan.scenario import DAY, HOUR, Scenario

_COLUMNS = 72


def text(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    yield from _assumed(scenario)
    yield ""
    yield from _found(scenario, outcome)
    yield ""
    yield from _drawn(scenario, outcome)


def _assumed(scenario: Scenario) -> Iterator[str]:
    gpu, rate = scenario.gpu, scenario.worker_rate
    source = "as given" if scenario.rate else gpu.source
    limit = "the layout model on the CPU" if scenario.layout_rate < scenario.gpu_rate else "the GPU"
    yield f"{scenario.pages_a_day:,} pages a day in documents of {scenario.mean_pages:.1f} pages on average"
    yield f"{gpu.name}: {rate:.3g} pages/s a worker, of which {limit} is the limit ({source})"
    yield (
        f"{scenario.blocks:g} blocks a page, {scenario.requests} blocks in flight; a page alone takes"
        f" {scenario.alone:g} s, layout {scenario.layout:g} CPU s on {scenario.layout_processes} processes"
    )
    yield (
        f"a GPU starts in {scenario.boot:g} s, for each {scenario.ranges_per_gpu} ranges that wait, looked at every"
        f" {scenario.tick:g} s as of {scenario.metric_delay:g} s before, and kept for {scenario.idle:g} s"
    )


def _found(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    at_once, least = outcome.most_at_once, outcome.least_gpus
    yield f"GPUs           {outcome.max_gpus} at most ({at_once} at once; the flow needs {least})"
    yield f"starts         {outcome.starts} a day, {outcome.cold_starts} of them from none"
    yield f"GPU hours      {outcome.gpu_hours:,.1f} a day, {outcome.busy_share:.0%} of them reading"
    yield f"late           {outcome.late:,} of {outcome.documents:,} documents, by {scenario.deadline / HOUR:g} h"
    if outcome.unfinished:
        yield f"unfinished     {outcome.unfinished:,} documents: these GPUs don't keep up"
    for name, waits in outcome.waits.items():
        yield from _waited(name, waits)
    yield from _cost(scenario, outcome)


def _waited(name: str, waits: Waits) -> Iterator[str]:
    begun = [_seconds(value) for value in (waits.begun_p50, waits.begun_p95, waits.begun_max)]
    ended = [_seconds(value) for value in (waits.ended_p50, waits.ended_p95, waits.ended_max)]
    yield f"{name:14} {waits.documents:,} documents; p50, p95, longest: begun after {', '.join(begun)}"
    yield f"{'':14} read after {', '.join(ended)}"


def _cost(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    cost = outcome.cost
    parts = f"functions {cost.functions:,.0f}, requests {cost.requests:,.0f}, storage {cost.storage:,.0f}"
    if cost.gpus is None or cost.total is None:
        yield f"USD a month    GPUs not priced (--gpu-hour), {parts}"
        return
    pages = 30 * scenario.pages_a_day
    yield f"USD a month    {cost.total:,.0f}: GPUs {cost.gpus:,.0f}, {parts}"
    yield f"USD            {1000 * cost.total / pages:.3f} a thousand pages"


def _drawn(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    samples = outcome.run.samples
    span = max(DAY, samples[-1].at if samples else 0.0)
    gpus = bucketed([(each.at, each.reading + each.starting) for each in samples], _COLUMNS, span)
    backlog = bucketed([(each.at, each.backlog) for each in samples], _COLUMNS, span)
    yield from chart("pages that wait or are read", backlog)
    yield hours(_COLUMNS, day_hours=span / HOUR)
    price = scenario.gpu.hour
    yield from chart("GPUs" if price is None else "USD an hour for GPUs", [each * (price or 1) for each in gpus])
    yield hours(_COLUMNS, day_hours=span / HOUR)


def _seconds(value: float) -> str:
    if value < 120:  # noqa: PLR2004 - two minutes are told as minutes
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 2 * HOUR else f"{value / HOUR:.1f} h"
