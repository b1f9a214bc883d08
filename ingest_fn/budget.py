"""Whether a new job fits today's budgets: the tenant's, and everybody's. What was accepted runs to its end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from shared.admissions import Held, Scope
from shared.domain.budgets import seconds_left
from shared.domain.errors import BudgetExhausted
from shared.wiring import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """`reserved` is to be noted in the job; `held` is to be told where no job was stored."""

    reserved: float
    held: Held


@contextmanager
def admitted(tenant: str, platform: Platform, *, pages: int | None = None) -> Iterator[Admitted]:
    """Let one more job in, or a new round of one, which is stored within the context. Raises BudgetExhausted, and
    Unavailable. It has so many `pages` to be read; None where nobody has opened it yet.

    A budget may be overdrawn by what other processes accept within seconds, and by what documents turn out to be longer
    than was held for them before they were opened.
    """
    budgets, now = platform.settings.budgets, platform.clock.now()
    limits, reserved = _limits(tenant, platform), budgets.reserve(pages)
    for scope in limits:
        platform.admissions.refresh(scope, platform.store.spending, now=now)
    try:
        with platform.admissions.hold(limits, reserved) if limits else nullcontext(Held()) as held:
            yield Admitted(reserved=reserved, held=held)
    except BudgetExhausted as error:
        error.retry_after = seconds_left(now)
        platform.metrics.jobs_over_budget.labels(str(error)).inc()
        raise


def check_budget(tenant: str, platform: Platform) -> None:
    """Raises BudgetExhausted where one more job would not be let in now."""
    with admitted(tenant, platform) as asked:
        asked.held.dropped()


def _limits(tenant: str, platform: Platform) -> Mapping[Scope, float]:
    budgets = platform.settings.budgets
    found = {None: budgets.everybody, tenant: budgets.of_tenant(tenant)}
    return {scope: limit for scope, limit in found.items() if limit is not None}
