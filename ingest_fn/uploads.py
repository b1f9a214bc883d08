"""Direct uploads: a link for each, written once, and erased with the jobs that were started on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.errors import UnknownJob
from shared.domain.job import Job, JobId
from shared.layout import UPLOADS, upload_object, upload_users
from shared.ports.objects import ObjectStore, UnknownObject, UploadLink
from shared.wiring import Platform

LINK_LIFE = timedelta(hours=1)
_UPLOAD_LIFE = timedelta(days=2)
"""An upload whose job was never stored has no owner; a job's own is erased with it, and is copied long before."""

_NOTE_LIFE = timedelta(minutes=15)
"""Longer than any request or event may take from the note of its job to the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    link: UploadLink
    uri: str
    expires_at: datetime


def offer_upload(tenant: str, random: str, platform: Platform) -> Offer:
    """Return where the caller may upload one document of the size that this service accepts."""
    name = upload_object(tenant, random)
    link = platform.objects.upload_link(name, LINK_LIFE, max_bytes=platform.settings.max_bytes)
    return Offer(link=link, uri=platform.objects.uri(name), expires_at=platform.clock.now() + LINK_LIFE)


def note_use(name: str, job_id: JobId, platform: Platform) -> None:
    """Note that a job will need this upload, before the job is stored; what lies elsewhere is not ours to erase."""
    if name.startswith(UPLOADS):
        platform.objects.create(upload_users(name) + job_id, platform.clock.now().isoformat().encode())


def erase_upload(job: Job, platform: Platform) -> None:
    """Erase what the job was started on, if it is an upload and no other job has yet to make its own copy of it."""
    name, objects = job.source.location, platform.objects
    if not name.startswith(UPLOADS):
        return
    objects.erase(upload_users(name) + job.id)
    if not any(_needs(other, name, platform) for other in _users(name, objects)):
        objects.erase(name)
        objects.erase(upload_users(name))


def sweep_uploads(platform: Platform) -> int:
    """Erase uploads that no job took; return how many objects there were."""
    return platform.objects.expire(UPLOADS, before=platform.clock.now() - _UPLOAD_LIFE)


def _users(name: str, objects: ObjectStore) -> Iterator[JobId]:
    """The jobs that were started on an upload; what was sent along with a job has the job's own id."""
    yield JobId(name.rpartition("/")[2])
    for used in objects.names(upload_users(name)):
        yield JobId(used.rpartition("/")[2])


def _needs(job_id: JobId, name: str, platform: Platform) -> bool:
    try:
        job = platform.store.get(job_id)
    except UnknownJob:
        return _is_young(upload_users(name) + job_id, platform)
    is_on_it = job.erased_at is None and job.source.location == name
    return is_on_it and not platform.objects.exists(job.source_object)


def _is_young(note: str, platform: Platform) -> bool:
    """Whether the job of this note may be about to be stored; what was sent along with a job has no note."""
    try:
        noted_at = datetime.fromisoformat(platform.objects.read(note).decode())
    except (UnknownObject, ValueError):  # earlier versions wrote empty notes
        return False
    return platform.clock.now() < noted_at + _NOTE_LIFE
