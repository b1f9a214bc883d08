"""`pagemill plan`: the command's options, each with the default that the scenario has."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from local.plan.outcome import plan as planned
from local.plan.scenario import CURVES, GPUS, HOUR, Scenario
from local.plan.text import text

_RATE_UNITS = {"pages/s": 1.0, "pages/min": 1 / 60}
_DEFAULT = Scenario(pages_a_day=1)
_POSITIVE = click.FloatRange(min=0, min_open=True)
_FROM_NOTHING = click.FloatRange(min=0)


def _lengths(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Mapping[int, float] | None:
    """Read "1:40 10:20": pages, and how many documents of a mix have so many."""
    if text is None:
        return None
    try:
        found = {int(pages): float(weight) for pages, _, weight in (each.partition(":") for each in text.split())}
    except ValueError as error:
        raise click.BadParameter("pages:weight, separated by spaces, as in 1:40 10:20") from error
    if not found or min(found) < 1 or not all(0 < weight < math.inf for weight in found.values()):
        raise click.BadParameter("pages are 1 or more, weights above 0")
    return found


def _bench(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> float | None:
    """Read the rate of one worker from the first figure of a benchmark's --json that is in pages."""
    if path is None:
        return None
    try:
        figures = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
        rates = (each["value"] * _RATE_UNITS[each["unit"]] for each in figures if each["unit"] in _RATE_UNITS)
        return float(next(rates))
    except (ValueError, KeyError, StopIteration) as error:
        raise click.BadParameter(f"no line with a figure in {' or '.join(_RATE_UNITS)}") from error


@click.command()
@click.option("--pages", "pages_a_day", type=click.IntRange(1, 10**9), required=True, help="Pages a day.")
@click.option("--gpu", type=click.Choice([*GPUS]), default="l4", show_default=True, help="Kind of GPU.")
@click.option("--gpu-hour", type=_FROM_NOTHING, help="USD an hour of a worker with it.  [default: list price if known]")
@click.option("--pages-per-second", "rate", type=_POSITIVE, help="What a GPU reads.  [default: the kind's]")
@click.option(
    "--rate-from",
    "measured",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_bench,
    help="Take it from a benchmark's --json instead.",
)
@click.option("--curve", type=click.Choice([*CURVES]), default="office", show_default=True, help="When pages come.")
@click.option("--documents", "lengths", callback=_lengths, metavar="MIX", help='Pages:weight, as "1:40 10:20".')
@click.option("--blocks", type=_POSITIVE, default=_DEFAULT.blocks, show_default=True, help="Blocks a page.")
@click.option(
    "--express",
    type=click.FloatRange(0, 1),
    default=_DEFAULT.express,
    show_default=True,
    help="Share of the short documents that go by express.",
)
@click.option("--deadline-hours", "deadline", type=_POSITIVE, default=24.0, show_default=True)
@click.option("--max-gpus", type=click.IntRange(min=1), help="At most so many.  [default: enough for the deadline]")
@click.option("--min-gpus", type=click.IntRange(min=0), default=_DEFAULT.min_gpus, show_default=True)
@click.option("--alone", type=_POSITIVE, default=_DEFAULT.alone, show_default=True, help="Seconds of a page alone.")
@click.option("--layout", type=_FROM_NOTHING, default=_DEFAULT.layout, show_default=True, help="CPU seconds a page.")
@click.option("--layout-processes", type=click.IntRange(min=1), default=_DEFAULT.layout_processes, show_default=True)
@click.option(
    "--requests",
    type=click.IntRange(min=1),
    default=_DEFAULT.requests,
    show_default=True,
    help="Blocks in flight on a GPU.",
)
@click.option("--boot", type=_FROM_NOTHING, default=_DEFAULT.boot, show_default=True, help="Seconds a GPU starts.")
@click.option("--tick", type=_POSITIVE, default=_DEFAULT.tick, show_default=True, help="Seconds of the autoscaler.")
@click.option(
    "--metric-delay",
    type=_FROM_NOTHING,
    default=_DEFAULT.metric_delay,
    show_default=True,
    help="How old the backlog is that it sees.",
)
@click.option("--idle", type=_FROM_NOTHING, default=_DEFAULT.idle, show_default=True, help="Seconds a GPU is kept.")
@click.option("--ranges-per-gpu", type=click.IntRange(min=1), default=_DEFAULT.ranges_per_gpu, show_default=True)
@click.option("--seed", type=int, default=_DEFAULT.seed, show_default=True, help="Another day of the same kind.")
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON object.")
def plan(*, gpu: str, gpu_hour: float | None, curve: str, measured: float | None, as_json: bool, **given: Any) -> None:
    """Simulate a day: GPUs, waiting times, late documents, and what a month costs.

    No figure of an L4 was published, so its rate is an assumption until you measure yours. Prices are list prices.
    """
    kind = GPUS[gpu] if gpu_hour is None else replace(GPUS[gpu], hour=gpu_hour)
    given["deadline"] *= HOUR
    given["rate"] = measured if given["rate"] is None else given["rate"]
    chosen = {name: value for name, value in given.items() if value is not None}
    scenario = Scenario(gpu=kind, curve=CURVES[curve], **chosen)
    outcome = planned(scenario)
    shown = json.dumps(outcome.as_dict()) if as_json else "\n".join(text(scenario, outcome))
    click.echo(shown)
