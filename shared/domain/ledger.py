"""The ledger: what was spent, by day and tenant, without a word of which job. Sums only, so erasing a job leaves them.

What a change of a job adds is computed here from the job before and after it, and written by the job stores in the same
commit as the job: each round is counted once, whatever is tried again, and whoever ends it cannot forget to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.domain.costs import COST
from shared.domain.job import Job

ROUNDS = "rounds"
HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Amounts to add to a tenant's sums of a day (UTC); without a day, to what its unfinished jobs hold."""

    tenant: str
    day: date | None
    amounts: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCosts:
    """What a tenant's rounds used that ended on that day; `amounts` has the names of a job's usage, and `rounds`."""

    day: date
    tenant: str
    amounts: Mapping[str, float]

    @property
    def cost(self) -> float:
        return self.amounts.get(COST, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """In USD: what ended on a day, and what is set aside for jobs that have not ended, whatever their day."""

    spent: float = 0.0
    held: float = 0.0

    @property
    def total(self) -> float:
        return self.spent + self.held


def entries(before: Job | None, after: Job) -> tuple[Entry, ...]:
    """Return what the change from `before` (None: the job is new) to `after` adds to the ledger; mostly nothing.

    A round is counted when the job stops being live: it ended, failed, was cancelled, or is to be erased.
    """
    found = []
    held = _held(after) - _held(before)
    if held:
        found.append(Entry(tenant=after.tenant, day=None, amounts={HELD: held}))
    if not after.is_live and (before is None or before.is_live):
        used = _difference(before.usage if before else {}, after.usage)
        found.append(Entry(tenant=after.tenant, day=after.updated_at.date(), amounts={ROUNDS: 1.0, **used}))
    return tuple(found)


def spending_of(amounts: Iterable[tuple[str, float]]) -> Spending:
    """Return the two sums among amounts by name, each of which may come in parts. What is held is never below zero."""
    spent = held = 0.0
    for name, amount in amounts:
        spent += amount if name == COST else 0.0
        held += amount if name == HELD else 0.0
    return Spending(spent=spent, held=max(0.0, held))


def _held(job: Job | None) -> float:
    return job.reserved if job is not None and job.is_live else 0.0


def _difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """A job's usage is of all its rounds, so a round's is what was added."""
    added = {name: amount - before.get(name, 0.0) for name, amount in after.items()}
    return {name: amount for name, amount in added.items() if amount}
