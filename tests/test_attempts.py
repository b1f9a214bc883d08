"""Attempts at a callback that overlap: what counts is whether it was delivered, and what was asked for last."""

import threading
from collections.abc import Callable
from datetime import timedelta

from ingest_fn.rounds import replay_callback
from notifier.deliver import deliver
from shared.domain.callback import Callback, CallbackEnd
from shared.domain.job import JobId
from shared.domain.messages import RoundEnded
from tests.builders import a_cancelled_job
from tests.clocks import ManualClock
from tests.pipeline import Pipeline
from tests.servers import Exchange, Server
from tests.serving import until

JOB = JobId("job1")
ENDED = RoundEnded(job_id=JOB, round=1)
PAST_ITS_TIME = timedelta(seconds=41)

Answering = Callable[[Exchange], None]


def receiver(pipe: Pipeline, *answers: Answering) -> Server:
    """The receiver of a job that has ended, which gives these answers in turn."""
    left = list(answers)

    def answer(exchange: Exchange) -> None:
        left.pop(0)(exchange)

    server = Server({}, otherwise=answer)
    pipe.store.add(a_cancelled_job(JOB, callback_url=f"{server.url}/hook"), None)
    return server


def callback(pipe: Pipeline) -> Callback:
    (only,) = pipe.job(JOB).callbacks
    return only


def test_an_attempt_that_fails_while_somebody_asks_for_a_replay_puts_the_replay_off_by_nothing(pipe: Pipeline) -> None:
    def failing(exchange: Exchange) -> None:
        replay_callback(JOB, pipe.platform)
        exchange.answer(500)

    with receiver(pipe, failing, lambda exchange: exchange.answer(204)):
        deliver(ENDED, pipe.delivering)
        assert callback(pipe).is_due(now=pipe.clock.now())
        deliver(ENDED, pipe.delivering)

    assert (callback(pipe).end, callback(pipe).attempts) == (CallbackEnd.DELIVERED, 2)


def test_a_replay_is_sent_though_the_attempt_before_it_succeeds_meanwhile(pipe: Pipeline) -> None:
    def succeeding(exchange: Exchange) -> None:
        replay_callback(JOB, pipe.platform)
        exchange.answer(204)

    with receiver(pipe, succeeding):
        deliver(ENDED, pipe.delivering)

    assert callback(pipe).is_due(now=pipe.clock.now())


def test_a_success_counts_though_a_later_attempt_has_failed_meanwhile(pipe: Pipeline, clock: ManualClock) -> None:
    def slow(exchange: Exchange) -> None:
        clock.advance(PAST_ITS_TIME)
        deliver(ENDED, pipe.delivering)
        exchange.answer(204)

    with receiver(pipe, slow, lambda exchange: exchange.answer(500)) as server:
        deliver(ENDED, pipe.delivering)

    assert len(server.received) == 2
    assert (callback(pipe).end, callback(pipe).due_at) == (CallbackEnd.DELIVERED, None)


def test_a_failure_changes_nothing_where_an_earlier_attempt_has_succeeded_meanwhile(
    pipe: Pipeline, clock: ManualClock
) -> None:
    second_came = threading.Event()

    def slow(exchange: Exchange) -> None:
        assert second_came.wait(20)
        exchange.answer(204)

    def failing(exchange: Exchange) -> None:
        second_came.set()
        until(lambda: callback(pipe).end is not None)
        exchange.answer(500)

    with receiver(pipe, slow, failing) as server:
        first = threading.Thread(target=deliver, args=(ENDED, pipe.delivering))
        first.start()
        server.wait_for(1)
        clock.advance(PAST_ITS_TIME)
        deliver(ENDED, pipe.delivering)
        first.join()

    assert (callback(pipe).end, callback(pipe).due_at) == (CallbackEnd.DELIVERED, None)
