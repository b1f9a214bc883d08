"""The life of a job: what may follow what, what is due when, and what a late or second word changes (nothing)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.callback import CallbackEnd, Channel
from shared.domain.errors import DeadlineExceeded, Failure, FetchFailed, GaveUp, IllegalMove, UnknownJob
from shared.domain.job import (
    CALLBACK_GRACE,
    ERASE_LINGER,
    FIRST_CHECK,
    KEY_LIFE,
    LONGEST_CHECK,
    PREPARE_PAUSES,
    Job,
    Limits,
    RoundResult,
)
from shared.domain.options import Lane
from shared.domain.status import Status
from tests.builders import CALLBACK, a_cancelled_job, a_job, a_round, a_running_job
from tests.clocks import NOON

SECOND = timedelta(seconds=1)
LATER = NOON + timedelta(minutes=5)
CLAIM = timedelta(minutes=3)
FAILURE = FetchFailed().failure


def a_finished_job(*, done: int = 3, failed: int = 0, callback_url: str | None = None) -> Job:
    job = a_running_job(callback_url=callback_url)
    return job.ended(a_round(done=done, failed=failed), round_=1, now=NOON)


def a_failed_job(callback_url: str | None = None) -> Job:
    return a_job(callback_url=callback_url).failed(FAILURE, now=NOON)


JOBS: dict[str, Callable[[], Job]] = {
    "queued": a_job,
    "running": a_running_job,
    "finished": a_finished_job,
    "finished partial": lambda: a_finished_job(failed=1),
    "failed": a_failed_job,
    "cancelled": a_cancelled_job,
}
MOVES: dict[str, Callable[[Job], Job]] = {
    "cancelled": lambda job: job.cancelled(now=LATER),
    "retried": lambda job: job.retried(now=LATER),
}
REFUSED = {
    ("queued", "retried"),
    ("running", "retried"),
    ("finished", "cancelled"),
    ("finished", "retried"),
    ("finished partial", "cancelled"),
    ("failed", "cancelled"),
    ("cancelled", "retried"),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("state", JOBS)
def test_a_caller_may_do_what_the_table_allows_and_nothing_else(state: str, move: str) -> None:
    job = JOBS[state]()

    if (state, move) in REFUSED:
        with pytest.raises(IllegalMove):
            MOVES[move](job)
    else:
        assert MOVES[move](job).status in {Status.CANCELLED, Status.RUNNING}


@pytest.mark.parametrize("state", JOBS)
def test_an_unfinished_job_has_a_next_check_no_later_than_its_deadline(state: str) -> None:
    job = JOBS[state]()

    if job.is_unfinished:
        assert job.next_check_at is not None
        assert job.next_check_at <= job.deadline_at
    else:
        assert job.next_check_at == job.expires_at


def test_a_job_is_checked_by_its_deadline_even_when_that_is_nearer_than_the_first_check() -> None:
    soon = Limits(deadline=timedelta(seconds=10))

    job = replace(a_job(), limits=soon, deadline_at=NOON + soon.deadline).claimed(now=NOON)

    assert job.next_check_at == job.deadline_at


def test_the_first_plan_stands() -> None:
    job = a_job().planned(page_count=3, lane=Lane.EXPRESS, now=NOON)

    again = job.planned(page_count=9, lane=Lane.BULK, now=LATER)

    assert again == job
    assert (again.status, again.page_count, again.lane) == (Status.RUNNING, 3, Lane.EXPRESS)


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_an_ended_job_takes_no_plan(state: str) -> None:
    job = replace(JOBS[state](), page_count=None)

    assert job.planned(page_count=3, lane=Lane.BULK, now=LATER) == job


def test_a_plan_erases_the_password_and_starts_the_checks_anew() -> None:
    waiting = a_job(sealed_password="sealed", checks=7)

    job = waiting.planned(page_count=3, lane=Lane.EXPRESS, now=LATER)

    assert job.sealed_password is None
    assert (job.checks, job.next_check_at, job.updated_at) == (0, LATER + FIRST_CHECK, LATER)


def test_a_cancelled_job_keeps_no_password() -> None:
    assert a_job(sealed_password="sealed").cancelled(now=NOON).sealed_password is None


@pytest.mark.parametrize(
    ("done", "failed", "status", "partial"),
    [(3, 0, Status.FINISHED, False), (1, 2, Status.FINISHED, True), (0, 3, Status.FAILED, False)],
)
def test_a_job_fails_only_where_nothing_could_be_read(done: int, failed: int, status: Status, partial: bool) -> None:
    result = replace(a_round(done=done, failed=failed), error=FAILURE)

    job = a_running_job().ended(result, round_=1, now=LATER)

    assert (job.status, job.partial) == (status, partial)
    assert job.error == (FAILURE if status is Status.FAILED else None)
    assert (job.ended_at, job.expires_at) == (LATER, LATER + job.limits.retention)


@pytest.mark.parametrize("round_", [1, 2])
def test_the_end_of_a_round_is_said_once(round_: int) -> None:
    job = a_finished_job(done=2, failed=1)

    assert job.ended(a_round(done=3), round_=round_, now=LATER) == job


def test_the_late_end_of_an_earlier_round_changes_nothing() -> None:
    second = a_finished_job(done=2, failed=1).retried(now=LATER)

    assert second.ended(a_round(done=3), round_=1, now=LATER) == second


def test_a_prepare_that_fails_late_does_not_end_a_job_that_another_has_planned() -> None:
    job = a_running_job()

    assert job.failed(GaveUp().failure, now=LATER) == job


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_a_failure_does_not_end_a_job_twice(state: str) -> None:
    job = JOBS[state]()

    assert job.failed(DeadlineExceeded().failure, now=LATER) == job


def test_cancelling_twice_is_cancelling_once() -> None:
    job = a_cancelled_job()

    assert job.cancelled(now=LATER) == job


def test_a_retry_opens_a_round_with_a_deadline_of_its_own() -> None:
    failed = a_failed_job()

    job = failed.retried(now=LATER)

    assert (job.status, job.round, job.error, job.partial) == (Status.RUNNING, 2, None, False)
    assert (job.ended_at, job.expires_at) == (None, None)
    assert job.deadline_at == LATER + job.limits.deadline
    assert job.next_check_at == LATER + FIRST_CHECK


def test_a_job_that_failed_before_its_plan_is_planned_in_its_next_round() -> None:
    job = a_failed_job().retried(now=LATER).planned(page_count=3, lane=Lane.EXPRESS, now=LATER + SECOND)

    assert (job.status, job.round, job.page_count, job.updated_at) == (Status.RUNNING, 2, 3, LATER + SECOND)


def tried(job: Job, times: int = 1) -> Job:
    """The job after so many tries of prepare that were killed, each begun when the claim of the one before lapsed."""
    for _ in range(times):
        now = job.prepare_after or NOON
        job = job.prepare_started(until=now + CLAIM, now=now)
    return job


def test_a_try_of_prepare_claims_the_job_and_sweep_looks_when_the_claim_lapses() -> None:
    job = tried(a_job())

    assert (job.prepare_tries, job.next_check_at) == (1, NOON + CLAIM)
    assert not job.may_be_prepared(now=NOON + CLAIM - SECOND)
    assert job.may_be_prepared(now=NOON + CLAIM)


def test_a_claimed_job_takes_no_second_try() -> None:
    with pytest.raises(IllegalMove):
        tried(a_job()).prepare_started(until=LATER, now=NOON + SECOND)


@pytest.mark.parametrize("state", ["running", "finished", "failed", "cancelled"])
def test_a_job_that_is_planned_or_has_ended_takes_no_try(state: str) -> None:
    with pytest.raises(IllegalMove):
        JOBS[state]().prepare_started(until=LATER, now=NOON)


def test_a_try_that_failed_and_may_be_made_again_has_a_pause_that_grows() -> None:
    pauses, job, now = [], a_job(), NOON
    for start in range(1, 7):
        job = job.prepare_started(until=now + CLAIM, now=now).prepare_put_off(start=start, now=now)
        assert job.prepare_after is not None
        assert job.next_check_at == job.prepare_after
        assert not job.may_be_prepared(now=job.prepare_after - SECOND)
        pauses.append(job.prepare_after - now)
        now = job.prepare_after

    assert pauses == [*PREPARE_PAUSES, PREPARE_PAUSES[-1], PREPARE_PAUSES[-1]]
    assert pauses == sorted(pauses)
    assert job.prepare_tries == 6


def test_a_retry_gives_prepare_its_tries_back_and_ends_every_claim() -> None:
    failed = tried(a_job(), 2).failed(FAILURE, now=NOON)

    job = failed.retried(now=NOON + SECOND)

    assert job.prepare_tries == 0
    assert job.may_be_prepared(now=NOON + SECOND)


def test_a_try_of_prepare_is_taken_back_once() -> None:
    job = tried(a_job(), 2).prepare_handed_back(start=2, now=LATER).prepare_handed_back(start=2, now=LATER)

    assert job.prepare_tries == 1
    assert job.may_be_prepared(now=LATER)
    assert job.next_check_at == LATER + FIRST_CHECK


def test_a_try_in_hand_keeps_its_claim_and_one_that_lost_it_does_not_take_it_back() -> None:
    second = tried(a_job(), 2)

    kept = second.prepare_kept(start=2, until=LATER + CLAIM, now=LATER)

    assert (kept.prepare_after, kept.next_check_at, kept.prepare_tries) == (LATER + CLAIM, LATER + CLAIM, 2)
    assert second.prepare_kept(start=1, until=LATER + CLAIM, now=LATER) == second


@pytest.mark.parametrize("end", ["prepare_put_off", "prepare_handed_back"])
def test_a_try_that_lost_its_claim_does_not_end_the_claim_of_another(end: str) -> None:
    second = tried(a_job(), 2)

    assert getattr(second, end)(start=1, now=LATER) == second


@pytest.mark.parametrize("end", ["prepare_put_off", "prepare_handed_back"])
def test_a_try_of_a_job_that_was_erased_meanwhile_does_not_delay_the_erasing(end: str) -> None:
    erased = tried(a_job()).erased(now=NOON)

    assert getattr(erased, end)(start=1, now=LATER) == erased


def test_only_the_first_try_ever_knows_that_no_source_is_stored() -> None:
    first = tried(a_job())
    handed_back = first.prepare_handed_back(start=1, now=NOON)
    retried = first.failed(FAILURE, now=NOON).retried(now=NOON)

    assert first.is_first_try
    assert not tried(handed_back).is_first_try
    assert not tried(retried).is_first_try


def test_a_plan_ends_the_claim() -> None:
    job = tried(a_job()).planned(page_count=3, lane=Lane.EXPRESS, now=LATER)

    assert (job.prepare_after, job.next_check_at) == (None, LATER + FIRST_CHECK)


def test_a_callback_that_changes_while_a_job_is_prepared_leaves_the_claim_waited_for() -> None:
    failed = a_failed_job(callback_url=CALLBACK)
    preparing = tried(failed.retried(now=NOON))
    told = replace(preparing.callbacks[0], due_at=None, end=CallbackEnd.DELIVERED)

    job = preparing.callback_changed(told, now=NOON)

    assert job.next_check_at == NOON + CLAIM


def test_a_check_of_a_job_that_is_prepared_comes_no_later_than_its_next_try() -> None:
    job = replace(tried(a_job()), checks=9)

    assert job.claimed(now=NOON + SECOND).next_check_at == NOON + CLAIM


@pytest.mark.parametrize("end", ["ended", "failed", "cancelled"])
def test_every_end_is_told_where_somebody_asked_for_it(end: str) -> None:
    running, queued = a_running_job(callback_url=CALLBACK), a_job(callback_url=CALLBACK)
    ends = {
        "ended": lambda: running.ended(a_round(done=2, failed=1), round_=1, now=LATER),
        "failed": lambda: queued.failed(FAILURE, now=LATER),
        "cancelled": lambda: running.cancelled(now=LATER),
    }

    job = ends[end]()

    (callback,) = job.callbacks
    assert (callback.round, callback.status, callback.partial) == (1, job.status, job.partial)
    assert (callback.error, callback.due_at, callback.end) == (job.error, LATER, None)
    assert callback.is_due(now=LATER)
    assert job.next_check_at == LATER + CALLBACK_GRACE


def test_a_job_of_the_inbox_is_told_in_its_outbox_and_to_its_webhook_each_on_its_own() -> None:
    job = a_job(callback_url=CALLBACK, outbox="outbox/acme/a.pdf").cancelled(now=LATER)
    outbox, webhook = job.callbacks

    told = job.callback_changed(replace(outbox, due_at=None, end=CallbackEnd.DELIVERED), now=LATER)

    assert (outbox.channel, webhook.channel) == (Channel.OUTBOX, Channel.WEBHOOK)
    assert told.callback_of(1, Channel.OUTBOX) != outbox
    assert told.callback_of(1, Channel.WEBHOOK) == webhook
    assert told.next_check_at == LATER + CALLBACK_GRACE


def test_each_round_has_a_callback_of_its_own() -> None:
    first = a_finished_job(done=2, failed=1, callback_url=CALLBACK)

    second = first.retried(now=LATER).ended(a_round(done=3), round_=2, now=LATER)

    assert [(callback.round, callback.partial) for callback in second.callbacks] == [(1, True), (2, False)]


def test_a_callback_that_is_delivered_leaves_only_the_expiry_to_come() -> None:
    job = a_finished_job(callback_url=CALLBACK)
    (callback,) = job.callbacks

    told = job.callback_changed(replace(callback, due_at=None, end=CallbackEnd.DELIVERED), now=LATER)

    assert told.next_check_at == told.expires_at
    assert not told.callbacks[0].is_due(now=LATER)


def test_a_callback_that_changes_while_a_new_round_runs_leaves_that_round_checked() -> None:
    job = a_finished_job(done=2, failed=1, callback_url=CALLBACK).retried(now=LATER)
    (callback,) = job.callbacks

    for due_at, expected in [(None, FIRST_CHECK), (LATER + SECOND, SECOND), (LATER + 9 * FIRST_CHECK, FIRST_CHECK)]:
        changed = job.callback_changed(replace(callback, due_at=due_at), now=LATER)

        assert changed.next_check_at == LATER + expected
        assert changed.status is Status.RUNNING


def test_a_callback_that_was_dropped_does_not_come_back() -> None:
    job = a_finished_job(callback_url=CALLBACK)
    (callback,) = job.callbacks
    erased = job.erased(now=LATER)

    assert erased.callback_changed(callback, now=LATER) == erased


def test_a_claim_moves_the_next_check_on_at_doubling_intervals_up_to_an_hour() -> None:
    job, pauses = a_running_job(), []

    for _ in range(20):
        job = job.claimed(now=NOON)
        assert job.next_check_at is not None
        pauses.append(job.next_check_at - NOON)

    assert pauses[:3] == [FIRST_CHECK, 2 * FIRST_CHECK, 4 * FIRST_CHECK]
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_CHECK


def test_a_claim_never_reaches_beyond_the_deadline() -> None:
    job = a_running_job(checks=10)

    claimed = job.claimed(now=job.deadline_at - SECOND)

    assert claimed.next_check_at == job.deadline_at


def test_a_claim_after_the_deadline_still_moves_on() -> None:
    job = a_running_job()

    assert job.claimed(now=job.deadline_at).next_check_at == job.deadline_at + FIRST_CHECK


def test_a_claim_of_an_ended_job_never_reaches_beyond_its_expiry_or_its_next_callback() -> None:
    job = a_finished_job(callback_url=CALLBACK)
    (callback,) = job.callbacks
    due = replace(job, callbacks=(replace(callback, due_at=LATER),), checks=10)
    assert job.expires_at is not None

    assert due.claimed(now=NOON).next_check_at == LATER
    assert due.claimed(now=job.expires_at - SECOND).next_check_at == job.expires_at


@pytest.mark.parametrize("state", JOBS)
def test_an_erased_job_is_no_longer_live_and_is_due_at_once(state: str) -> None:
    erased = JOBS[state]().erased(now=LATER)

    assert not erased.is_live
    assert erased.is_overdue(now=LATER)
    assert erased.callbacks == ()
    assert erased.erased(now=LATER + SECOND) == erased


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(("state"), ["queued", "running", "failed"])
def test_whoever_comes_too_late_finds_an_erased_job_unknown(state: str, move: str) -> None:
    erased = JOBS[state]().erased(now=NOON)

    if (state, move) in REFUSED:
        with pytest.raises((UnknownJob, IllegalMove)):
            MOVES[move](erased)
    else:
        with pytest.raises(UnknownJob):
            MOVES[move](erased)


def test_what_works_on_an_erased_job_changes_nothing() -> None:
    erased = a_job(callback_url=CALLBACK).erased(now=NOON)

    assert erased.planned(page_count=3, lane=Lane.BULK, now=LATER) == erased
    assert erased.ended(a_round(done=3), round_=1, now=LATER) == erased
    assert erased.failed(FAILURE, now=LATER) == erased


def test_a_tombstone_outlives_the_last_writer_and_the_idempotency_key() -> None:
    young = a_job().erased(now=NOON)
    old = a_finished_job().erased(now=NOON + timedelta(days=7))

    assert young.tombstone_until == NOON + KEY_LIFE
    assert old.tombstone_until == NOON + timedelta(days=7) + ERASE_LINGER
    assert a_job().tombstone_until is None


def test_a_tombstone_tells_nothing_of_its_document() -> None:
    erased = a_job(pages="1-3", callback_url=CALLBACK, sealed_password="sealed").erased(now=NOON)

    buried = erased.buried()

    assert (buried.source.location, buried.source.name) == ("", "")
    assert (buried.pages, buried.callback_url, buried.sealed_password, buried.error) == (None, None, None, None)


def test_an_erased_job_is_erased_again_once_nobody_can_write_and_stands_until_its_key_is_free() -> None:
    buried = a_job().erased(now=NOON).buried()

    again = buried.buried()

    assert buried.next_check_at == NOON + ERASE_LINGER
    assert again.next_check_at == again.tombstone_until == NOON + KEY_LIFE


def test_a_job_that_nobody_erased_is_not_buried() -> None:
    assert a_running_job().buried() == a_running_job()


def test_the_end_of_a_round_carries_what_the_pages_were_and_cost() -> None:
    result = RoundResult(progress=a_round(done=2).progress, flags={"blank": (2,)}, usage={"pages": 2})

    job = a_running_job().ended(result, round_=1, now=NOON)

    assert (job.flags, job.usage) == ({"blank": (2,)}, {"pages": 2})


def test_a_failure_is_its_code_and_its_public_sentence() -> None:
    error = FetchFailed("secret detail", public="The server said no.")

    assert error.failure == Failure(code="fetch_failed", message="The server said no.")
    assert str(error) == "secret detail"
