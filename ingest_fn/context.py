"""What every route is given, and who is asking."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from ingest_fn.submit import NewId
from shared.domain.errors import UnknownJob
from shared.domain.job import Job, JobId
from shared.net.guard import Guard
from shared.wiring import Platform

TENANT = "default"
"""Without API keys there is one tenant, whose name is in every key and upload all the same."""


class Links(Protocol):
    """Checks the links that the object store of this installation signed."""

    def allows(self, name: str, *, expires: int, signature: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`links` is None where the object store serves its links by itself; `checks` raise what is missing."""

    platform: Platform
    sources: Guard
    callbacks: Guard
    new_id: NewId
    checks: Mapping[str, Callable[[], object]]
    links: Links | None = None


def new_id() -> str:
    """Return a job's id: 122 random bits, so that knowing one tells nothing of another."""
    return uuid.uuid4().hex


def context(platform: Platform, *, links: Links | None) -> Context:
    """Return what the API needs on this platform, under the settings' address policy."""
    settings, store, objects, clock = platform.settings, platform.store, platform.objects, platform.clock
    sources = Guard(allowed=settings.fetch_allow)
    callbacks = Guard(allowed=settings.fetch_allow, allow_http=settings.callback_allow_http, tls=sources.tls)
    checks = {
        "store": lambda: store.overdue(now=clock.now(), limit=1),
        "objects": objects.check,
    }
    return Context(platform=platform, sources=sources, callbacks=callbacks, new_id=new_id, checks=checks, links=links)


async def _context(request: Request) -> Context:
    """Async, as `_tenant` is, since FastAPI gives every other dependency a turn in its thread pool."""
    return cast("Context", request.app.state.context)


async def _tenant() -> str:
    return TENANT


Ctx = Annotated[Context, Depends(_context)]
Tenant = Annotated[str, Depends(_tenant)]


def _job(job_id: str, context: Ctx, tenant: Tenant) -> Job:
    """A job of another tenant, or one that is being erased, is unknown."""
    job = context.platform.store.get(JobId(job_id))
    if job.tenant != tenant or job.erased_at is not None:
        raise UnknownJob(job_id)
    return job


KnownJob = Annotated[Job, Depends(_job)]
