"""Domain values with everything filled in: a test names only what it is about."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain.job import Job, JobId, Progress, RoundResult, Source, SourceKind, new_job
from shared.domain.options import Lane
from shared.domain.page import Block, Box, Label, Page, PageRange, PageRead
from shared.ports.jobs import IdempotencyKey
from tests.clocks import NOON

CALLBACK = "https://receiver.example/hook"


def a_job(job_id: str = "job1", *, now: datetime = NOON, **changes: Any) -> Job:
    source = Source(kind=SourceKind.URL, location="https://documents.example/a.pdf", name="a.pdf")
    return replace(new_job(id=JobId(job_id), tenant="acme", source=source, now=now), **changes)


def a_running_job(job_id: str = "job1", *, now: datetime = NOON, page_count: int = 3, **changes: Any) -> Job:
    return a_job(job_id, now=now, **changes).planned(page_count=page_count, lane=Lane.EXPRESS, now=now)


def a_cancelled_job(job_id: str = "job1", *, now: datetime = NOON, **changes: Any) -> Job:
    return a_job(job_id, now=now, **changes).cancelled(now=now)


def a_round(*, done: int = 0, failed: int = 0) -> RoundResult:
    return RoundResult(progress=Progress(total=done + failed, done=done, failed=failed))


def a_key(name: str = "key", fingerprint: str = "one request") -> IdempotencyKey:
    return IdempotencyKey(hash=name, fingerprint=fingerprint)


def a_block(label: Label = Label.TEXT, content: str = "", **changes: Any) -> Block:
    return replace(Block(id="b1", label=label, bbox=Box(x0=0, y0=0, x1=10, y1=10), content=content), **changes)


def a_page_read(*blocks: Block, **changes: Any) -> PageRead:
    return replace(PageRead(blocks=blocks, width=100, height=200, dpi=72), **changes)


def a_page(number: int = 1, **changes: Any) -> Page:
    return replace(Page(number=number), **changes)


def a_range(range_id: str = "1-0001", pages: tuple[int, ...] = (1, 2, 3), **changes: Any) -> PageRange:
    made = PageRange(id=range_id, round=1, pages=pages, lane=Lane.EXPRESS, recipe="0123456789abcdef")
    return replace(made, **changes)
