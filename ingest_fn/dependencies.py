"""What every route is given, and who is asking."""

from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request

from ingest_fn.context import LOOPBACK, TENANT, Context
from shared.domain.errors import CrossOrigin, UnknownJob
from shared.domain.job import Job, JobId

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def _context(request: Request) -> Context:
    """Async, as `_tenant` is, since FastAPI gives every other dependency a turn in its thread pool."""
    return cast("Context", request.app.state.context)


async def _tenant() -> str:
    return TENANT


async def same_origin(request: Request) -> None:
    """Keep other sites' pages in a user's browser from writing here, or from reading a server on this machine.

    Raises CrossOrigin for a write whose Origin is not this host, and, where only this machine may call, for a Host that
    is not loopback's: a name that was made to point here (DNS rebinding).
    """
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if origin is not None and request.method not in _SAFE_METHODS and urlsplit(origin).netloc != host:
        raise CrossOrigin(f"{request.method} from another origin")
    only_loopback = cast("Context", request.app.state.context).only_loopback
    if only_loopback and urlsplit(f"//{host}").hostname not in LOOPBACK:
        raise CrossOrigin("a host name that is not this machine's")


Ctx = Annotated[Context, Depends(_context)]
Tenant = Annotated[str, Depends(_tenant)]


def _job(job_id: str, context: Ctx, tenant: Tenant) -> Job:
    """A job of another tenant, or one that is being erased, is unknown."""
    job = context.platform.store.get(JobId(job_id))
    if job.tenant != tenant or job.erased_at is not None:
        raise UnknownJob(job_id)
    return job


KnownJob = Annotated[Job, Depends(_job)]
