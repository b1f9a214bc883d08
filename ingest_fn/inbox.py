"""What every job that comes through the inbox has in common: it is stored once, bad ones too, each with its code."""

import hashlib
import json
from dataclasses import dataclass, replace

from ingest_fn.requests import JobBody, checked, read_json
from ingest_fn.submit import NewId, Submission, add_within_budget, announce, check_submission, job_of
from ingest_fn.uploads import note_use
from shared.domain.errors import BudgetExhausted, Failure, InvalidRequest
from shared.domain.job import Job, JobId, Source
from shared.metrics import Metrics
from shared.net.guard import Guard
from shared.ports.jobs import IdempotencyKey
from shared.ports.objects import ObjectStore, ObjectTooLarge, UnknownObject, is_name
from shared.wiring import Platform

SIDECAR = ".options.json"
LARGEST_SIDECAR = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropping:
    """`sources` guards the URLs of lists, `callbacks` those that are to be called."""

    platform: Platform
    sources: Guard
    callbacks: Guard
    new_id: NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A job as it was asked for; with `failure`, one that has failed already."""

    source: Source
    submission: Submission
    failure: Failure | None = None


def inbox_key(*parts: str | int) -> IdempotencyKey:
    """Whatever else has changed since, the same object's event, or the same line, is the same job."""
    named = json.dumps(["inbox", *parts]).encode()
    return IdempotencyKey(hash=hashlib.sha256(named).hexdigest(), fingerprint="")


def start(wanted: Wanted, key: IdempotencyKey, dropping: Dropping) -> Job:
    """Store the job and announce it; where its key is known, return the job that it started before."""
    platform = dropping.platform
    job = job_of(wanted.submission, wanted.source, platform=platform, job_id=JobId(dropping.new_id()), key=key)
    if wanted.failure is None:
        note_use(job.source.location, job.id, platform)
    stored, created = _add(job, key, wanted.failure, platform)
    if created:
        _count(stored, platform.metrics)
    if created or stored.is_live:
        announce(stored, platform)
    return stored


def _add(job: Job, key: IdempotencyKey, failure: Failure | None, platform: Platform) -> tuple[Job, bool]:
    """Store the job, as failed where that is clear already, or where the budget is used up: no line is lost, each has
    its code in the report, and may be retried on another day.
    """
    try:
        if failure is None:
            return add_within_budget(job, key, platform)
    except BudgetExhausted as error:
        failure = error.failure
    return platform.store.add(job.failed(failure, now=platform.clock.now()), key)


def _count(job: Job, metrics: Metrics) -> None:
    metrics.jobs_accepted.labels(job.source.kind).inc()
    if not job.is_unfinished:
        metrics.jobs_ended.labels(job.status).inc()


def submission_of(body: JobBody, bare: Submission, dropping: Dropping) -> Submission:
    """Return `bare`, which says whose and where, with what the body asks for. Raises InvalidRequest, UrlNotAllowed."""
    callback = str(dropping.callbacks.check(body.callback_url)) if body.callback_url else None
    priority = body.priority if "priority" in body.model_fields_set else bare.priority
    asked = body.submission(bare.tenant, callback)
    submission = replace(asked, priority=priority, batch=bare.batch, line=bare.line, outbox=bare.outbox)
    check_submission(submission)
    return submission


def read_sidecar(name: str, objects: ObjectStore) -> dict[str, object]:
    """Return the fields that stand in the object beside this one; none where there is no such object.

    Raises InvalidRequest where it holds anything but fields of a job.
    """
    if not is_name(name + SIDECAR):
        return {}
    try:
        with objects.open(name + SIDECAR, most=LARGEST_SIDECAR) as file:
            return _job_fields(file.read())
    except UnknownObject:
        return {}
    except ObjectTooLarge as error:
        raise _invalid(str(error), f"It is larger than {LARGEST_SIDECAR:,} bytes.") from error
    except InvalidRequest as error:
        raise _invalid(str(error), error.public) from error


def _invalid(detail: str, reason: str) -> InvalidRequest:
    return InvalidRequest(detail, public=f"The {SIDECAR} beside it is not valid. {reason}")


def _job_fields(text: bytes) -> dict[str, object]:
    fields = read_json(text, what="It")
    checked(JobBody, fields)
    return dict(fields)
