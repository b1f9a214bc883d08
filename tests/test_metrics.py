"""What is counted: every job that is stored and every round that ends, once each, and each attempt at a callback."""

from collections.abc import Mapping
from datetime import timedelta

from ingest_fn.rounds import cancel, replay_callback
from shared.assemble import assemble
from shared.domain.messages import RoundEnded
from tests import samples
from tests.clocks import ManualClock
from tests.pipeline import Pipeline
from tests.servers import Receiver, Reply

PAGE = samples.pdf(["one"])


def counted(pipe: Pipeline, name: str, label: str, *values: str) -> Mapping[str, float]:
    metrics = pipe.platform.metrics
    return {value: count for value in values if (count := metrics.value(name, **{label: value}))}


def accepted(pipe: Pipeline) -> Mapping[str, float]:
    return counted(pipe, "jobs_accepted_total", "source", "url", "object")


def ended(pipe: Pipeline) -> Mapping[str, float]:
    return counted(pipe, "jobs_ended_total", "status", "finished", "failed", "cancelled")


def test_a_job_is_counted_once_however_often_it_is_asked_for(pipe: Pipeline) -> None:
    for _ in range(3):
        pipe.submit(PAGE, idempotency_key="key")
    event = pipe.put("inbox/acme/a.pdf", PAGE)
    for _ in range(3):
        pipe.drop(event)

    assert accepted(pipe) == {"object": 2}


def test_the_lines_of_a_list_are_counted_and_the_bad_ones_have_ended(pipe: Pipeline) -> None:
    pipe.drop(pipe.put("inbox/acme/urls.txt", b"https://documents.example/a.pdf\nftp://documents.example/b.pdf\n"))

    assert accepted(pipe) == {"url": 2}
    assert ended(pipe) == {"failed": 1}


def test_a_round_that_ends_is_counted_once_whoever_ends_it(pipe: Pipeline, clock: ManualClock) -> None:
    finished = pipe.submit(PAGE)
    pipe.submit(b"no document")
    pipe.drain(times=3)
    cancelled = pipe.submit(PAGE)
    for _ in range(2):
        cancel(cancelled, pipe.platform)
        clock.advance(timedelta(seconds=1))
    assemble(finished, pipe.platform)

    assert ended(pipe) == {"finished": 1, "failed": 1, "cancelled": 1}


def test_a_job_that_is_given_up_is_counted(pipe: Pipeline) -> None:
    pipe.submit(PAGE)

    pipe.heal(lost=lambda _: True)

    assert ended(pipe) == {"failed": 1}


def test_each_attempt_at_a_callback_is_counted_by_what_came_of_it_and_timed(pipe: Pipeline) -> None:
    with Receiver(Reply(status=410), Reply(status=500)) as receiver:
        job_id = pipe.submit(PAGE, callback_url=f"{receiver.url}/hook")
        pipe.drain()
        for _ in range(2):
            replay_callback(job_id, pipe.platform)
            pipe.drain()
        pipe.handle(RoundEnded(job_id=job_id, round=1))

    assert counted(pipe, "callbacks_total", "verdict", "gone", "retry") == {"gone": 1, "retry": 1}
    assert counted(pipe, "callbacks_total", "verdict", "delivered") == {"delivered": 1}
    assert pipe.platform.metrics.value("callback_seconds_count") == 3
