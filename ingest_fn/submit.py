"""Accept a document: job and idempotency key in one commit, then a message. What was answered with 202 is stored."""

import hashlib
import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import BinaryIO

from ingest_fn.budget import admitted, check_budget
from ingest_fn.sources import shown_name
from ingest_fn.uploads import note_use
from shared.assemble import tell
from shared.domain.errors import BudgetExhausted, InvalidRequest, Unavailable, UnknownJob
from shared.domain.job import Job, JobId, Source, SourceKind, new_job
from shared.domain.messages import PrepareDocument, Topic
from shared.domain.options import Lane, Options
from shared.domain.page import check_selection
from shared.domain.status import Status
from shared.layout import upload_object
from shared.ports.jobs import IdempotencyKey
from shared.wiring import Platform

log = logging.getLogger(__name__)

LONGEST_KEY = 255
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a caller asks for; where from is told apart. `callback_url` was checked already.

    `batch`, `line` and `outbox` are those of a job that came through the inbox.
    """

    tenant: str
    options: Options = field(default_factory=Options)
    pages: str | None = None
    priority: Lane = Lane.EXPRESS
    callback_url: str | None = None
    password: str | None = None
    idempotency_key: str | None = None
    batch: str | None = None
    line: int | None = None
    outbox: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    job: Job
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload that was received whole. `sha256` is of its content, in hexadecimal."""

    file: BinaryIO
    name: str
    sha256: str


NewId = Callable[[], str]


def new_id() -> str:
    """Return a job's id: 122 random bits, so that knowing one tells nothing of another."""
    return uuid.uuid4().hex


def submit_url(submission: Submission, url: str, *, platform: Platform, new_id: NewId) -> Submitted:
    """Start a job on a URL that was checked already, or return the one that its idempotency key started before.

    Raises InvalidRequest, IdempotencyConflict, UnknownJob (the key's job was deleted), BudgetExhausted (nothing was
    stored, and the key is free) and Unavailable.
    """
    check_submission(submission)
    source = Source(kind=SourceKind.URL, location=url, name=shown_name(url))
    return _submit(submission, source, url, platform=platform, job_id=JobId(new_id()))


def submit_object(submission: Submission, name: str, *, platform: Platform, new_id: NewId) -> Submitted:
    """As `submit_url`, for an object of the caller's own; whether it is there is seen when it is read, as for a URL."""
    check_submission(submission)
    job_id = JobId(new_id())
    note_use(name, job_id, platform)
    source = Source(kind=SourceKind.OBJECT, location=name, name=name.rpartition("/")[2])
    return _submit(submission, source, platform.objects.uri(name), platform=platform, job_id=job_id)


def submit_upload(submission: Submission, upload: Upload, *, platform: Platform, new_id: NewId) -> Submitted:
    """As `submit_url`, for content that the caller sent along; it is stored before the job is."""
    check_submission(submission)
    identity = f"sha256:{upload.sha256}"
    key = _key(submission, identity, platform)
    known = None if key is None else platform.store.find(key)
    if known is not None:
        return _accepted(known, created=False, platform=platform)
    check_budget(submission.tenant, platform)
    job_id = JobId(new_id())
    location = upload_object(submission.tenant, job_id)
    platform.objects.create(location, upload.file)
    source = Source(kind=SourceKind.OBJECT, location=location, name=upload.name)
    return _submit(submission, source, identity, platform=platform, job_id=job_id)


def sha256_of(file: BinaryIO) -> str:
    """Read the file to its end and return to its beginning."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def job_of(
    submission: Submission, source: Source, *, platform: Platform, job_id: JobId, key: IdempotencyKey | None
) -> Job:
    """Return the job that is asked for, not stored yet; its password is sealed."""
    return new_job(
        id=job_id,
        tenant=submission.tenant,
        source=source,
        now=platform.clock.now(),
        options=submission.options,
        limits=platform.settings.limits,
        pages=submission.pages,
        priority=submission.priority,
        callback_url=submission.callback_url,
        sealed_password=platform.sealer.seal(submission.password) if submission.password else None,
        key=key.hash if key else None,
        batch=submission.batch,
        line=submission.line,
        outbox=submission.outbox,
    )


def add_within_budget(job: Job, key: IdempotencyKey | None, platform: Platform) -> tuple[Job, bool]:
    """As the store's `add`, where the budgets allow one more job. Raises BudgetExhausted."""
    with admitted(job.tenant, platform) as space:
        stored, created = platform.store.add(replace(job, reserved=space.reserved), key)
        if not created:
            space.held.dropped()
    return stored, created


def check_submission(submission: Submission) -> None:
    """Raises InvalidRequest."""
    key = submission.idempotency_key
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise InvalidRequest("key", public=f"An idempotency key has 1 to {LONGEST_KEY} characters.")
    if submission.pages is not None:
        try:
            check_selection(submission.pages)
        except ValueError as error:
            raise InvalidRequest("pages", public=f"pages: {error}.") from error


def announce(job: Job, platform: Platform) -> None:
    """Say that the job waits to be prepared, or how it ended. Best effort: `sweep` says later what the bus took not."""
    try:
        if job.status is Status.QUEUED:
            platform.bus.publish(Topic.DOCUMENTS, PrepareDocument(job_id=job.id))
        else:
            tell(job, bus=platform.bus)
    except Unavailable:
        platform.metrics.announcements_lost.inc()
        log.warning("announcement lost", extra={"job_id": job.id}, exc_info=True)


def _submit(submission: Submission, source: Source, identity: str, *, platform: Platform, job_id: JobId) -> Submitted:
    key = _key(submission, identity, platform)
    job = job_of(submission, source, platform=platform, job_id=job_id, key=key)
    try:
        stored, created = add_within_budget(job, key, platform)
    except BudgetExhausted:
        known = None if key is None else platform.store.find(key)
        if known is None:
            raise
        stored, created = known, False
    if created:
        platform.metrics.jobs_accepted.labels(source.kind).inc()
    return _accepted(stored, created=created, platform=platform)


def _accepted(job: Job, *, created: bool, platform: Platform) -> Submitted:
    if job.erased_at is not None:
        raise UnknownJob(job.id, public="The job of this idempotency key was deleted.")
    if job.status is Status.QUEUED:
        announce(job, platform)
    return Submitted(job=job, replayed=not created)


def _key(submission: Submission, identity: str, platform: Platform) -> IdempotencyKey | None:
    """The key is the tenant's own, and its fingerprint is of everything asked for."""
    if submission.idempotency_key is None:
        return None
    named = json.dumps([submission.tenant, submission.idempotency_key]).encode()
    body = asdict(submission) | {"idempotency_key": None, "identity": identity}
    del body["line"], body["outbox"]  # nobody asks for these, and keys from before there were any are still honoured
    body["options"]["include"] = sorted(submission.options.include)
    fingerprint = platform.sealer.fingerprint(json.dumps(body, sort_keys=True).encode())
    return IdempotencyKey(hash=hashlib.sha256(named).hexdigest(), fingerprint=fingerprint)
