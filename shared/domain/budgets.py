"""Budgets a day: what all tenants together and each of them may spend, and what is held for a job until it ends."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from shared.domain.ledger import Spending

OTHERS = "*"
"""Stands for every tenant that is not named."""

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantBudget:
    """What the setting says of one tenant, or of the `OTHERS`; its text is as it is set."""

    tenant: str
    amount: float

    def __str__(self) -> str:
        return f"{self.tenant} {self.amount:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """In USD a day, which begins at midnight UTC; None, and a tenant without an entry, have no limit.

    `page` is held for each page that was not read yet, `pages` is how many a document has that nobody opened yet.
    """

    everybody: float | None
    tenants: Mapping[str, float]
    page: float
    pages: int

    @property
    def are_set(self) -> bool:
        return self.everybody is not None or bool(self.tenants)

    def of_tenant(self, tenant: str) -> float | None:
        return self.tenants.get(tenant, self.tenants.get(OTHERS))

    def reserve(self, pages: int | None = None) -> float:
        """Return what is held for a job of so many pages; nothing where there is no budget to hold it against."""
        return (self.pages if pages is None else pages) * self.page if self.are_set else 0.0


def fits(limit: float, spending: Spending, more: float) -> bool:
    """Whether a job that may cost `more` can be taken on top of what was spent and is held."""
    return spending.total + more <= limit


def seconds_left(now: datetime) -> int:
    """Return the seconds until the next day begins, rounded up."""
    tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)
    return -int((now - tomorrow).total_seconds() // 1)


def parse_tenant_budgets(text: str) -> tuple[TenantBudget, ...]:
    """Read `5`, or names and amounts in turn. Raises ValueError."""
    words = text.split()
    if len(words) == 1:
        words = [OTHERS, *words]
    names, amounts = words[::2], words[1::2]
    if not words or len(names) != len(amounts) or len(set(names)) != len(names):
        raise ValueError("must be an amount, or tenants and amounts in turn, each tenant once")
    if not all(_AMOUNT.fullmatch(amount) for amount in amounts):
        raise ValueError("an amount is a number of USD")
    return tuple(TenantBudget(tenant=name, amount=float(amount)) for name, amount in zip(names, amounts, strict=True))
