"""The ledger in SQLite: a row for each day, tenant and name; the day of what is held is empty."""

import sqlite3
from collections.abc import Iterable
from datetime import date
from itertools import groupby

from shared.domain.costs import COST
from shared.domain.ledger import HELD, DayCosts, Entry, Spending, spending_of

_HELD_DAY = ""

_ADD = """
INSERT INTO ledger (day, tenant, name, amount) VALUES (?, ?, ?, ?)
ON CONFLICT (day, tenant, name) DO UPDATE SET amount = amount + excluded.amount
"""
_COSTS = """
SELECT day, tenant, name, amount FROM ledger
WHERE day BETWEEN :first AND :last AND (:tenant IS NULL OR tenant = :tenant) ORDER BY day, tenant
"""
_SPENDING = """
SELECT name, amount FROM ledger
WHERE ((day = :day AND name = :cost) OR (day = :held_day AND name = :held)) AND (:tenant IS NULL OR tenant = :tenant)
"""


def post(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add to the sums, within the transaction that changes the job."""
    rows = [(_day(each.day), each.tenant, name, amount) for each in entries for name, amount in each.amounts.items()]
    connection.executemany(_ADD, rows)


def costs(connection: sqlite3.Connection, *, first: date, last: date, tenant: str | None) -> tuple[DayCosts, ...]:
    rows = connection.execute(_COSTS, {"first": _day(first), "last": _day(last), "tenant": tenant})
    return tuple(
        DayCosts(day=date.fromisoformat(day), tenant=who, amounts={name: amount for _, _, name, amount in found})
        for (day, who), found in groupby(rows, key=lambda row: (row[0], row[1]))
    )


def spending(connection: sqlite3.Connection, day: date, tenant: str | None) -> Spending:
    named = {"day": _day(day), "held_day": _HELD_DAY, "cost": COST, "held": HELD, "tenant": tenant}
    return spending_of(connection.execute(_SPENDING, named))


def _day(day: date | None) -> str:
    return day.isoformat() if day is not None else _HELD_DAY
