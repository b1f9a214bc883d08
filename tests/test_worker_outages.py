"""What a worker does while services of ours are away: no page is blamed for it, and no finished one is read again."""

from datetime import timedelta
from pathlib import Path

from shared.domain.job import JobId
from shared.domain.messages import Topic
from shared.domain.status import Status
from shared.layout import page_object
from shared.pdf.sandbox import Sandbox
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.outages import outage
from tests.pipeline import Pipeline, pipeline, sized_pdf

PAGES = [Topic.PAGES_EXPRESS]


def tries(pipe: Pipeline, job_id: JobId) -> list[tuple[int, int]]:
    return [(page.tries, page.tries_alone) for page in pipe.store.pages(job_id)]


def prepared(pipe: Pipeline, *widths: int) -> JobId:
    job_id = pipe.submit(sized_pdf(*widths))
    pipe.drain(topics=[Topic.DOCUMENTS])
    return job_id


def test_an_outage_of_the_objects_blames_no_page_however_often_it_comes(pipe: Pipeline, clock: ManualClock) -> None:
    job_id = prepared(pipe, 200, 210, 220)
    for _ in range(5):
        with outage(pipe, create=lambda name, _: name.endswith(".json")):
            pipe.drain(topics=PAGES)
        assert tries(pipe, job_id) == [(0, 0)] * 3
        clock.advance(timedelta(minutes=15))

    pipe.drain()

    assert pipe.job(job_id).status is Status.FINISHED
    assert not pipe.job(job_id).partial


def test_a_sandbox_that_is_down_while_pages_are_rendered_blames_none_of_them(
    tmp_path: Path, clock: ManualClock
) -> None:
    sandbox = Sandbox()
    with pipeline(tmp_path / "data", clock, sandbox, dying(sandbox)) as pipe:
        job_id = prepared(pipe, 200, 210, 220)

        pipe.drain(topics=PAGES)

        left = [page for page in pipe.store.pages(job_id) if page.is_open(1)]
        assert left
        assert [page.tries for page in left] == [0] * len(left)


def test_a_page_that_was_committed_before_the_store_went_away_is_not_read_again(
    pipe: Pipeline, clock: ManualClock
) -> None:
    """The try is taken back, and the page's object is there all the same."""
    job_id = prepared(pipe, 200)
    begun: list[int] = []
    with outage(pipe, update_page=lambda _job_id, _number, _change: is_record(pipe, job_id, begun)):
        pipe.drain(topics=PAGES)
    assert pipe.objects.exists(page_object(job_id, 1))
    assert tries(pipe, job_id) == [(0, 0)]
    clock.advance(timedelta(minutes=15))

    pipe.drain()

    assert pipe.job(job_id).status is Status.FINISHED
    assert isinstance(pipe.engine, ScriptedEngine)
    assert pipe.engine.readings == 1


def is_record(pipe: Pipeline, job_id: JobId, seen: list[int]) -> bool:
    """Whether this is the first change of the page's record after its object was created."""
    if seen or not pipe.objects.exists(page_object(job_id, 1)):
        return False
    seen.append(1)
    return True


def dying(sandbox: Sandbox) -> ScriptedEngine:
    """An engine during whose first reading the sandbox goes down."""
    return ScriptedEngine(lambda _: sandbox.close())
