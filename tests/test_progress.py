"""How far a job is: its record knows where it stands still, and only what moves is counted."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest_fn.context import TENANT, context
from ingest_fn.routes_jobs import list_jobs
from shared.domain.errors import PageRefused
from shared.domain.job import Job, Progress
from shared.domain.page import PageImage
from shared.pdf.sandbox import Sandbox
from shared.records import from_json, to_json
from tests.builders import a_cancelled_job, a_job, a_round, a_running_job
from tests.clocks import NOON, ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import Pipeline, pipeline, sized_pdf
from tests.watched import watched


@pytest.fixture
def pipe(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> Iterator[Pipeline]:
    def refusing(image: PageImage) -> None:
        if image.width == 300:
            raise PageRefused("told to")

    with pipeline(tmp_path / "data", clock, sandbox, ScriptedEngine(refusing)) as opened:
        yield opened


def listed(pipe: Pipeline) -> list[dict[str, Any]]:
    found = list_jobs(context(pipe.platform, links=None), TENANT, limit=50)
    return list(found["jobs"])


def test_a_listing_counts_the_pages_of_running_jobs_alone(pipe: Pipeline) -> None:
    pipe.submit(sized_pdf(200, 300))
    pipe.submit(b"no document")
    pipe.drain()
    queued = pipe.submit(sized_pdf(200))
    running, _ = pipe.store.add(a_running_job(tenant=TENANT), None)
    counted: list[Job] = []
    pipe._build(replace(pipe.platform, store=watched(pipe.store, "progress", counted.append)))

    jobs = {job["job_id"]: (job["status"], job["pages"]) for job in listed(pipe)}

    assert counted == [running]
    assert jobs.pop(queued) == ("queued", {"total": None, "done": 0, "failed": 0})
    del jobs[running.id]
    assert sorted(jobs.values(), key=str) == [
        ("failed", {"total": None, "done": 0, "failed": 0}),
        ("finished", {"total": 2, "done": 1, "failed": 1}),
    ]


def test_many_running_jobs_are_each_told_their_own(pipe: Pipeline) -> None:
    ids = [pipe.submit(sized_pdf(*[200] * pages)) for pages in range(1, 6)]
    pipe.drain()
    for job_id in ids:
        pipe.store.update(job_id, lambda job: replace(job, progress=None))

    told = {job["job_id"]: job["pages"]["total"] for job in listed(pipe)}

    assert [told[job_id] for job_id in ids] == [1, 2, 3, 4, 5]


def test_a_record_knows_its_pages_when_they_stand_still() -> None:
    ended = a_running_job().ended(a_round(done=2, failed=1), round_=1, now=NOON)

    assert a_job().known_progress == Progress()
    assert a_running_job().known_progress is None
    assert ended.known_progress == Progress(total=3, done=2, failed=1)
    assert ended.retried(now=NOON).known_progress is None
    assert a_running_job().cancelled(now=NOON).known_progress is None
    assert a_cancelled_job().known_progress == Progress()


def test_a_record_of_an_earlier_version_is_read_and_counted() -> None:
    record = json.loads(to_json(a_running_job().ended(a_round(done=2, failed=1), round_=1, now=NOON)))
    del record["progress"]

    job = from_json(Job, json.dumps(record))

    assert job.known_progress is None
