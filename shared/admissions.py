"""What a process knows of the budgets: what it read of the ledger a moment ago, and what it has accepted since."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from threading import Lock

from shared.domain.budgets import fits
from shared.domain.errors import BudgetExhausted
from shared.domain.ledger import Spending

FRESH = timedelta(seconds=5)
"""How old what was read may be. Other processes may overdraw a budget by what they accept in that time."""

Scope = str | None
"""A tenant, or None for all together."""
Read = Callable[[date, Scope], Spending]


@dataclass(slots=True)
class _Known:
    """`accepted` are jobs accepted here that `spending` may not hold yet, by number; the numbers only grow."""

    reading: Lock = field(default_factory=Lock)
    read_at: datetime | None = None
    spending: Spending = field(default_factory=Spending)
    accepted: dict[int, float] = field(default_factory=dict)
    stored: set[int] = field(default_factory=set)

    def is_fresh(self, now: datetime) -> bool:
        at = self.read_at
        return at is not None and at.date() == now.date() and at <= now < at + FRESH


class Held:
    """A job that was admitted and is to be stored; `dropped` says that it was not, being known already."""

    def __init__(self) -> None:
        self.is_dropped = False

    def dropped(self) -> None:
        self.is_dropped = True


class Admissions:
    """Threads of one process never overdraw a budget together: checking and holding is one step."""

    def __init__(self) -> None:
        self._lock, self._numbers = Lock(), count(1)
        self._scopes: dict[Scope, _Known] = {}

    def refresh(self, scope: Scope, read: Read, *, now: datetime) -> None:
        """Read what is too old. One thread reads, those that come meanwhile wait for it. Raises what `read` does."""
        known = self._known(scope)
        with known.reading:
            if known.is_fresh(now):
                return
            with self._lock:
                stored_before = set(known.stored)
            spending = read(now.date(), scope)
            with self._lock:
                known.spending, known.read_at = spending, now
                for number in stored_before:  # the ledger holds them
                    known.accepted.pop(number)
                known.stored -= stored_before

    @contextmanager
    def hold(self, limits: Mapping[Scope, float], cost: float) -> Iterator[Held]:
        """Hold the cost of a job that is stored within the context. Raises BudgetExhausted where a limit forbids it."""
        held, scopes = Held(), [self._known(scope) for scope in limits]
        with self._lock:
            number = next(self._numbers)
            for scope, known in zip(limits, scopes, strict=True):
                if not _fits(known, limits[scope], cost):
                    raise BudgetExhausted("everybody" if scope is None else "tenant")
            for known in scopes:
                known.accepted[number] = cost
        is_stored = False
        try:
            yield held
            is_stored = not held.is_dropped
        finally:
            self._settle(number, scopes, is_stored=is_stored)

    def _settle(self, number: int, scopes: list[_Known], *, is_stored: bool) -> None:
        with self._lock:
            for known in scopes:
                if is_stored:
                    known.stored.add(number)
                else:
                    known.accepted.pop(number)

    def _known(self, scope: Scope) -> _Known:
        with self._lock:
            return self._scopes.setdefault(scope, _Known())


def _fits(known: _Known, limit: float, cost: float) -> bool:
    here = Spending(spent=known.spending.spent, held=known.spending.held + sum(known.accepted.values()))
    return fits(limit, here, cost)
