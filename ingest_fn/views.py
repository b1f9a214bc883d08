"""Jobs, pages and callbacks as callers see them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.domain.batch import Batch
from shared.domain.callback import Callback, CallbackAttempt, Channel
from shared.domain.costs import COST, CURRENCY
from shared.domain.document import page_markdown
from shared.domain.errors import Failure
from shared.domain.job import Job, Progress
from shared.domain.ledger import DayCosts
from shared.domain.page import Page, PageRead
from shared.domain.status import Status
from shared.outbox import REPORT
from shared.ports.objects import ObjectStore
from shared.records import to_plain

MOST_DAYS = 366
"""Of costs, in one answer."""


def job_view(job: Job, progress: Progress) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "status": job.status,
        "partial": job.partial,
        "round": job.round,
        "pages": {"total": progress.total, "done": progress.done, "failed": progress.failed},
        "error": failure_view(job.error),
        "flags": {code: list(pages) for code, pages in job.flags.items()},
        "usage": usage_view(job.usage),
        "callback": _last_view(job, Channel.WEBHOOK),
        "outbox": _last_view(job, Channel.OUTBOX),
        "source": job.source.name,
        "priority": job.lane or job.priority,
        "selection": job.pages,
        "options": to_plain(job.options),
        "batch_id": job.batch,
        "line": job.line,
        "created_at": job.created_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
        "deadline_at": job.deadline_at.isoformat(),
        "ended_at": job.ended_at.isoformat() if job.ended_at else None,
        "expires_at": job.expires_at.isoformat() if job.expires_at else None,
    }


def usage_view(usage: Mapping[str, float]) -> dict[str, Any]:
    """What was used, and its estimated price; null where nothing is priced, or the job has not ended."""
    amounts = {name: amount for name, amount in usage.items() if name != COST}
    cost = {"amount": usage[COST], "currency": CURRENCY} if COST in usage else None
    return amounts | {COST: cost}


def costs_view(lines: Iterable[DayCosts]) -> dict[str, Any]:
    days = [{"day": each.day.isoformat(), "tenant": each.tenant, **usage_view(each.amounts)} for each in lines]
    return {"days": days}


def line_view(job: Job) -> dict[str, Any]:
    """A job as its list shows it."""
    return {
        "job_id": job.id,
        "line": job.line,
        "source": job.source.name,
        "status": job.status,
        "partial": job.partial,
        "error": failure_view(job.error),
    }


def batch_view(batch: Batch, counts: Mapping[Status, int], objects: ObjectStore) -> dict[str, Any]:
    report = f"{batch.outbox}/{REPORT}"
    return {
        "batch_id": batch.id,
        "status": _batch_status(batch),
        "source": batch.source.rpartition("/")[2],
        "total": batch.total,
        "started": batch.started,
        "counts": {status: counts.get(status, 0) for status in Status},
        "error": failure_view(batch.error),
        "report": objects.uri(report) if batch.reported_at else None,
        "created_at": batch.created_at.isoformat(),
        "reported_at": batch.reported_at.isoformat() if batch.reported_at else None,
    }


def _batch_status(batch: Batch) -> str:
    if batch.error is not None:
        return "failed"
    if batch.reported_at is not None:
        return "finished"
    return "starting" if batch.total is None else "running"


def failure_view(failure: Failure | None) -> dict[str, str] | None:
    return {"code": failure.code, "message": failure.message} if failure else None


def page_summary(page: Page) -> dict[str, Any]:
    return {
        "page": page.number,
        "status": page.status,
        "error": failure_view(page.failure),
        "flags": sorted({flag.code for flag in page.flags}),
    }


def page_view(job: Job, page: Page, read: PageRead | None) -> dict[str, Any]:
    view = {"job_id": job.id, "page": page.number, "status": page.status, "error": failure_view(page.failure)}
    if read is None:
        return view
    return view | {
        "markdown": page_markdown(read, job.options),
        "image": f"/jobs/{job.id}/pages/{page.number}/image",
        **{name: value for name, value in to_plain(read).items() if name != "schema"},
    }


def callbacks_view(job: Job, attempts: Sequence[CallbackAttempt]) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "callbacks": [
            _callback_view(callback)
            | {
                "log": [
                    {
                        "attempt": attempt.number,
                        "at": attempt.at.isoformat(),
                        "answer": attempt.answer,
                        "error": attempt.error,
                        "seconds": attempt.seconds,
                    }
                    for attempt in attempts
                    if attempt.round == callback.round and callback.channel is Channel.WEBHOOK
                ]
            }
            for callback in job.callbacks
        ],
    }


def _last_view(job: Job, channel: Channel) -> dict[str, Any] | None:
    told = [callback for callback in job.callbacks if callback.channel is channel]
    return _callback_view(told[-1]) if told else None


def _callback_view(callback: Callback) -> dict[str, Any]:
    return {
        "round": callback.round,
        "channel": callback.channel,
        "state": callback.end or "due",
        "attempts": callback.attempts,
        "due_at": callback.due_at.isoformat() if callback.due_at else None,
    }
