"""`pagemill costs`: what was spent, by day and tenant, as a table or as JSON lines."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import click

from ingest_fn.views import MOST_DAYS, costs_view
from local.remote import client_of
from shared.config import Settings, read_settings
from shared.domain.costs import COST, CURRENCY
from shared.domain.ledger import ROUNDS
from shared.wiring import opened

Day = Mapping[str, Any]

_COLUMNS = {
    ROUNDS: "rounds",
    "pages": "pages",
    "cached_pages": "cached",
    "engine_seconds": "engine s",
    "function_seconds": "function s",
    "prompt_tokens": "tokens in",
    "completion_tokens": "tokens out",
}


@click.command()
@click.option("--server", metavar="URL", help="Ask this server, for your own; otherwise the store of the settings.")
@click.option(
    "--days", type=click.IntRange(1, MOST_DAYS), default=7, show_default=True, help="Today and the days before (UTC)."
)
@click.option("--tenant", help="Only this tenant; with --server it is always your own.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a day and tenant.")
def costs(server: str | None, days: int, tenant: str | None, as_json: bool) -> None:
    """Show what jobs cost by day and tenant, estimated by the prices of the settings."""
    found = _of_server(server, days) if server else _of_store(read_settings(os.environ), days)
    lines = [each for each in found if tenant in {None, each["tenant"]}]
    if as_json:
        for each in lines:
            click.echo(json.dumps(each, ensure_ascii=False))
    else:
        click.echo("\n".join(table(lines)))


def table(days: Sequence[Day]) -> Iterable[str]:
    """Yield the lines of a table with a sum at its end; what is not priced has no figure."""
    width = max([len("tenant"), *(len(each["tenant"]) for each in days)])
    yield f"{'day':10}  {'tenant':{width}}" + "".join(f"{title:>12}" for title in [*_COLUMNS.values(), CURRENCY])
    for each in days:
        yield f"{each['day']}  {each['tenant']:{width}}" + _figures(each, _price(each))
    prices = [price for price in map(_price, days) if price is not None]
    total = {name: sum(each.get(name, 0.0) for each in days) for name in _COLUMNS}
    yield f"{'':10}  {'all':{width}}" + _figures(total, sum(prices) if prices else None)


def _figures(amounts: Day, price: float | None) -> str:
    shown = "".join(f"{amounts.get(name, 0.0):12,.0f}" for name in _COLUMNS)
    return shown + (f"{'-':>12}" if price is None else f"{price:12,.4f}")


def _price(day: Day) -> float | None:
    return None if day[COST] is None else float(day[COST]["amount"])


def _of_store(settings: Settings, days: int) -> Sequence[Day]:
    with closing(opened(settings, base_url="http://127.0.0.1")) as family:
        today = family.platform.clock.now().date()
        lines = family.platform.store.costs(first=today - timedelta(days=days - 1), last=today)
        return cast("Sequence[Day]", costs_view(lines)["days"])


def _of_server(server: str, days: int) -> Sequence[Day]:
    with client_of(server) as client:
        return cast("Sequence[Day]", client.costs(days)["days"])
