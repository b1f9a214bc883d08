"""Assembly: the page objects of a job become its result, and its round ends. Whoever sees the last page end calls it.

Calling it twice, or from two processes at once, changes nothing: the objects are created once, from the same pages, and
the round ends once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from shared.cache.documents import keep_document
from shared.domain.document import PageOutcome, document_markdown, image_names, whole
from shared.domain.errors import Failure, GaveUp
from shared.domain.job import Job, JobId, Progress, RoundResult
from shared.domain.messages import RoundEnded, Topic
from shared.domain.page import Page, PageRead, PageStatus
from shared.layout import image_object, page_object, result_json, result_markdown
from shared.parallel import at_once
from shared.ports.bus import Bus
from shared.ports.objects import ObjectStore, UnknownObject
from shared.records import UnreadableRecord, from_json, to_json
from shared.spending import used
from shared.storing import create_all
from shared.wiring import Platform

_MOST_FLAGGED = 10_000
"""Of the pages that carry a flag, a job's record names so many: Firestore takes 1 MiB, and the result names all."""

_READ_AT_ONCE = 16
"""Page objects; 2,000 of them, a round trip each, would take minutes one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedPage:
    """A page as its worker has just stored it, its reading where there is one, and the job as it was seen last."""

    job: Job
    page: Page
    read: PageRead | None = None


def assemble(job_id: JobId, platform: Platform) -> Job:
    """End the job's round if every page has ended, and say so on the bus; otherwise return the job as it is.

    A page that is done and whose object cannot be read is waited for until the deadline, then counted as failed.
    """
    return _assembled(platform.store.get(job_id), platform.store.pages(job_id), {}, platform)


def assemble_ended(ended: Sequence[EndedPage], platform: Platform) -> Job:
    """As `assemble`, where the caller has just brought all pages of the document to their end: none is asked for."""
    pages = tuple(sorted((each.page for each in ended), key=lambda page: page.number))
    return _assembled(ended[-1].job, pages, {each.page.number: each.read for each in ended}, platform)


def _assembled(job: Job, pages: tuple[Page, ...], reads: Mapping[int, PageRead | None], platform: Platform) -> Job:
    objects, now = platform.objects, platform.clock.now()
    if not job.is_live or not pages or any(page.is_open(job.round) or is_stale(page, job) for page in pages):
        return job
    if job.deadline_at <= now:
        pages = tuple(_readable(job, page, objects) for page in pages)
    linked = partial(_linked, job, objects=objects, reads=reads)
    document = whole(tuple(at_once(linked, pages, most=_READ_AT_ONCE)))
    results = {
        result_markdown(job.id, job.round): document_markdown(document, job.options).encode(),
        result_json(job.id, job.round): to_json(document),
    }
    create_all(objects, results)
    written = sum(map(len, results.values()))
    result = replace(summary(pages), usage=used(job, pages, platform, written=written))
    ended = platform.store.update(job.id, lambda stored: stored.ended(result, round_=job.round, now=now))
    tell_end(ended, platform, now=now)
    keep_document(ended, pages, platform)
    return ended


def _readable(job: Job, page: Page, objects: ObjectStore) -> Page:
    try:
        _linked(job, page, objects=objects, reads={})
    except (UnknownObject, UnreadableRecord):
        return replace(page, status=PageStatus.FAILED, failure=GaveUp().failure)
    return page


def tell_end(job: Job, platform: Platform, *, now: datetime) -> None:
    """Tell of a round that was to end at this moment, and count it where it did: what ended before has another."""
    if job.ended_at == now:
        platform.metrics.jobs_ended.labels(job.status).inc()
    tell(job, bus=platform.bus)


def tell(job: Job, *, bus: Bus) -> None:
    """Say on the bus that the job's round ended, where somebody is to be called."""
    if any(callback.round == job.round for callback in job.callbacks):
        bus.publish(Topic.OUTCOMES, RoundEnded(job_id=job.id, round=job.round))


def is_stale(page: Page, job: Job) -> bool:
    """Whether the page failed in an earlier round and still waits to be opened in this one."""
    return page.status is not PageStatus.DONE and page.round < job.round


def summary(pages: Sequence[Page]) -> RoundResult:
    """What the job's record says of its pages; where all failed, the most frequent failure is the job's."""
    done = [page for page in pages if page.status is PageStatus.DONE]
    failures = [page.failure for page in pages if page.failure is not None and page.status is PageStatus.FAILED]
    flags: dict[str, list[int]] = {}
    for page in done:
        for code in sorted({flag.code for flag in page.flags}):
            flags.setdefault(code, []).append(page.number)
    return RoundResult(
        progress=Progress(total=len(pages), done=len(done), failed=len(failures)),
        error=_most_frequent(failures),
        flags={code: tuple(numbers[:_MOST_FLAGGED]) for code, numbers in flags.items()},
    )


def outcome(job_id: JobId, page: Page, objects: ObjectStore) -> PageOutcome:
    """Raises UnknownObject where the page is done and its object is gone: the job was erased meanwhile."""
    if page.status is not PageStatus.DONE:
        return PageOutcome(number=page.number, failure=page.failure)
    read = from_json(PageRead, objects.read(page_object(job_id, page.number)))
    return PageOutcome(number=page.number, read=read)


def _linked(job: Job, page: Page, *, objects: ObjectStore, reads: Mapping[int, PageRead | None]) -> PageOutcome:
    """As `outcome`, where every image that it links to is there as well. `reads` need not be asked for."""
    read = reads.get(page.number) if page.status is PageStatus.DONE else None
    found = outcome(job.id, page, objects) if read is None else PageOutcome(number=page.number, read=read)
    if found.read is not None:
        _check_links(job, found.read, objects)
    return found


def _check_links(job: Job, read: PageRead, objects: ObjectStore) -> None:
    """No result is written whose Markdown links to an image that is not there."""
    for name in image_names(read, job.options):
        if not objects.exists(image_object(job.id, name)):
            raise UnknownObject(f"{job.id}: {name}")


def _most_frequent(failures: Sequence[Failure]) -> Failure | None:
    return Counter(failures).most_common(1)[0][0] if failures else None
