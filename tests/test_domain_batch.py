"""A batch: what it needs next from the stored facts alone, and nothing that could hang."""

from datetime import datetime, timedelta

import pytest

from shared.domain.batch import (
    LATEST_CHECK,
    SOONEST_CHECK,
    Batch,
    BatchId,
    Forget,
    Report,
    StartLines,
    batch_action,
    new_batch,
)
from shared.domain.errors import FetchFailed
from shared.domain.job import FIRST_CHECK, KEY_LIFE, Limits
from shared.domain.status import Status
from tests.clocks import NOON

SECOND = timedelta(seconds=1)
LIMITS = Limits(deadline=timedelta(hours=2), retention=timedelta(days=7))
FAILURE = FetchFailed().failure


def a_batch(limits: Limits = LIMITS, *, now: datetime = NOON) -> Batch:
    source = "inbox/acme/urls.txt"
    return new_batch(
        id=BatchId("b"),
        tenant="acme",
        source=source,
        version="1",
        outbox="outbox/acme/urls.txt",
        limits=limits,
        now=now,
    )


def a_started_batch() -> Batch:
    return a_batch().started_all(3, now=NOON)


def test_a_batch_whose_lines_nobody_starts_any_more_is_gone_on_with() -> None:
    assert batch_action(a_batch().advanced(100, now=NOON), {}, now=NOON) == StartLines()


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_a_batch_with_a_job_that_has_not_ended_waits(status: Status) -> None:
    assert batch_action(a_started_batch(), {status: 1, Status.FINISHED: 2}, now=NOON) is None


@pytest.mark.parametrize(
    "counts",
    [{Status.FINISHED: 3}, {Status.FAILED: 1, Status.CANCELLED: 1}, {Status.FINISHED: 3, Status.RUNNING: 0}, {}],
    ids=str,
)
def test_a_batch_whose_jobs_have_ended_or_are_gone_is_reported(counts: dict[Status, int]) -> None:
    assert batch_action(a_started_batch(), counts, now=NOON) == Report()


def test_a_batch_is_reported_once_and_forgotten_when_it_was_kept_as_long_as_a_job() -> None:
    reported = a_started_batch().reported(now=NOON + SECOND)

    assert batch_action(reported, {}, now=NOON + LIMITS.retention) is None
    assert reported.next_check_at == reported.expires_at == NOON + SECOND + LIMITS.retention
    assert batch_action(reported, {}, now=NOON + SECOND + LIMITS.retention) == Forget()


def test_a_batch_is_kept_as_long_as_a_repeated_event_may_come() -> None:
    short = Limits(deadline=SECOND, retention=SECOND)

    reported = a_batch(short).started_all(0, now=NOON).reported(now=NOON)

    assert reported.expires_at == NOON + KEY_LIFE


def test_a_batch_that_can_never_be_reported_is_forgotten_when_all_its_jobs_are() -> None:
    batch = a_started_batch()

    assert batch.expires_at is not None
    assert batch.expires_at > NOON + LIMITS.deadline + LIMITS.retention
    assert batch_action(batch, {Status.RUNNING: 1}, now=batch.expires_at) == Forget()


def test_a_list_that_cannot_be_read_on_ends_with_what_was_started_of_it() -> None:
    batch = a_batch().advanced(100, now=NOON).failed(FAILURE, now=NOON)

    assert (batch.total, batch.error) == (100, FAILURE)
    assert batch.is_overdue(now=NOON)
    assert batch_action(batch, {}, now=NOON) == Report()


def test_two_that_start_lines_at_once_take_nothing_back() -> None:
    ahead = a_batch().advanced(200, now=NOON)
    done = ahead.started_all(250, now=NOON)

    assert ahead.advanced(100, now=NOON).started == 200
    assert done.advanced(100, now=NOON) == done
    assert done.failed(FAILURE, now=NOON) == done
    assert done.started_all(240, now=NOON) == done
    assert done.reported(now=NOON).reported(now=NOON + SECOND).reported_at == NOON


def test_whoever_starts_lines_keeps_sweep_away_for_a_minute_after_each_step() -> None:
    later = NOON + timedelta(hours=1)

    assert a_batch().next_check_at == NOON + FIRST_CHECK
    assert a_batch().advanced(100, now=later).next_check_at == later + FIRST_CHECK
    assert a_batch().claimed(now=later).next_check_at == later + FIRST_CHECK


@pytest.mark.parametrize(
    ("age", "pause"),
    [(SECOND, SOONEST_CHECK), (timedelta(minutes=10), timedelta(minutes=1)), (timedelta(days=1), LATEST_CHECK)],
)
def test_a_batch_is_looked_at_after_a_tenth_of_its_age(age: timedelta, pause: timedelta) -> None:
    claimed = a_started_batch().claimed(now=NOON + age)

    assert claimed.next_check_at == NOON + age + pause
    assert not claimed.is_overdue(now=NOON + age)
