"""What an overdue job needs: one action for each state, and nothing for what is not due."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.callback import CallbackEnd
from shared.domain.errors import DeadlineExceeded, FetchFailed, RenderTimeout
from shared.domain.job import CALLBACK_GRACE, Job, Progress, RoundResult
from shared.domain.options import Lane
from shared.domain.page import Page, PageRange, PageStatus, cut
from shared.domain.status import Status
from shared.domain.sweep import (
    Action,
    Assemble,
    Deliver,
    Erase,
    Expire,
    GiveUp,
    PublishPrepare,
    PublishRange,
    Reopen,
    actions,
)
from tests.builders import CALLBACK, a_job, a_page, a_page_read, a_range, a_round, a_running_job
from tests.clocks import NOON

LATER = NOON + timedelta(minutes=10)
SECOND = timedelta(seconds=1)
RANGE = a_range(pages=(1, 2, 3))
PENDING = (a_page(1), a_page(2), a_page(3))
DONE = tuple(page.done(a_page_read(), round_=1, now=NOON) for page in PENDING)
FAILED = tuple(page.failed(RenderTimeout().failure, round_=1, now=NOON) for page in PENDING)


def of(
    job: Job, ranges: tuple[PageRange, ...] = (RANGE,), pages: tuple[Page, ...] = PENDING, *, now: datetime = LATER
) -> tuple[Action, ...]:
    return actions(job, ranges, pages, now=now)


def an_ended_job() -> Job:
    return a_running_job(callback_url=CALLBACK).ended(a_round(done=2, failed=1), round_=1, now=NOON)


def told(job: Job) -> Job:
    return job.callback_changed(replace(job.callbacks[-1], due_at=None, end=CallbackEnd.DELIVERED), now=NOON)


def test_a_queued_job_is_announced_again() -> None:
    assert of(a_job(), (), ()) == (PublishPrepare(),)


def test_a_job_that_failed_before_its_plan_and_was_retried_is_announced_again() -> None:
    job = a_job().failed(FetchFailed().failure, now=NOON).retried(now=NOON)

    assert of(job, (), ()) == (PublishPrepare(),)


def test_a_job_that_is_being_prepared_is_left_alone_until_its_claim_lapses() -> None:
    job = a_job().prepare_started(until=LATER, now=NOON)

    assert of(job, (), (), now=LATER - SECOND) == ()
    assert of(job, (), ()) == (PublishPrepare(),)


def test_a_job_whose_next_try_is_put_off_is_announced_when_it_is_due() -> None:
    job = a_job().prepare_started(until=LATER, now=NOON).prepare_put_off(start=1, now=NOON)
    assert job.prepare_after is not None

    assert of(job, (), (), now=job.prepare_after - SECOND) == ()
    assert of(job, (), (), now=job.prepare_after) == (PublishPrepare(),)


def test_a_range_that_nobody_has_is_published_again() -> None:
    assert of(a_running_job()) == (PublishRange(RANGE),)


def test_a_range_whose_claim_ran_out_is_published_again() -> None:
    assert of(a_running_job(), (replace(RANGE, claimed_until=LATER),)) == (
        PublishRange(replace(RANGE, claimed_until=LATER)),
    )


def test_a_range_that_somebody_has_is_left_alone() -> None:
    assert of(a_running_job(), (replace(RANGE, claimed_until=LATER + SECOND),)) == ()


def test_a_range_is_published_while_one_of_its_pages_is_pending() -> None:
    ranges = (a_range("1-0001", (1, 2)), a_range("1-0002", (3,)))

    assert of(a_running_job(), ranges, (*DONE[:2], PENDING[2])) == (PublishRange(ranges[1]),)
    assert of(a_running_job(), ranges, (DONE[0], *PENDING[1:])) == (PublishRange(ranges[0]), PublishRange(ranges[1]))


def test_a_range_of_an_earlier_round_is_never_published() -> None:
    job = replace(a_running_job(), round=2)
    again = replace(RANGE, id="2-0001", round=2)
    pages = tuple(replace(page, round=2) for page in PENDING)

    assert of(job, (RANGE, again), pages) == (PublishRange(again),)


@pytest.mark.parametrize("pages", [DONE, FAILED, (DONE[0], *FAILED[1:])], ids=["done", "failed", "both"])
def test_a_round_of_which_every_page_has_ended_is_assembled(pages: tuple[Page, ...]) -> None:
    assert of(a_running_job(), (RANGE,), pages) == (Assemble(),)


AGAIN = replace(RANGE, id="2-0001", round=2)
REOPENED = tuple(page.retried(round_=2, now=NOON) for page in FAILED)


@pytest.mark.parametrize(
    ("ranges", "pages"),
    [
        ((RANGE,), FAILED),
        ((RANGE, AGAIN), (REOPENED[0], *FAILED[1:])),
        ((RANGE,), REOPENED),
        ((RANGE, replace(AGAIN, pages=(1, 2))), REOPENED),
    ],
    ids=["no page opened", "some pages opened", "no range", "a page in no range"],
)
def test_a_round_that_was_opened_by_half_is_opened_again(
    ranges: tuple[PageRange, ...], pages: tuple[Page, ...]
) -> None:
    assert of(replace(a_running_job(), round=2), ranges, pages) == (Reopen(),)


def test_a_round_that_was_opened_whole_is_read() -> None:
    pages = (DONE[0], *REOPENED[1:])

    assert of(replace(a_running_job(), round=2), (RANGE, AGAIN), pages) == (PublishRange(AGAIN),)


@pytest.mark.parametrize("job", [a_job(), a_running_job()], ids=["queued", "running"])
def test_a_job_is_given_up_at_its_deadline_and_not_before(job: Job) -> None:
    given_up = (GiveUp(DeadlineExceeded().failure),)

    assert of(job, now=job.deadline_at) == given_up
    assert of(job, now=job.deadline_at - SECOND) != given_up


def test_a_callback_that_is_due_is_delivered_and_one_that_is_not_is_left_alone() -> None:
    job = an_ended_job()

    assert of(job) == (Deliver(1),)
    assert of(job.callback_changed(replace(job.callbacks[0], due_at=LATER + SECOND), now=NOON)) == ()
    assert of(told(job)) == ()


def test_all_channels_of_a_round_are_one_delivery() -> None:
    job = a_running_job(callback_url=CALLBACK, outbox="outbox/acme/a.pdf").ended(a_round(done=3), round_=1, now=NOON)

    assert of(job) == (Deliver(1),)


def test_the_callback_of_an_ended_round_is_delivered_while_the_next_one_runs() -> None:
    job = an_ended_job().retried(now=NOON)
    pages = (DONE[0], *REOPENED[1:])

    assert of(job, (RANGE, AGAIN), pages) == (Deliver(1), PublishRange(AGAIN))


def test_a_job_expires_when_it_was_kept_as_long_as_promised() -> None:
    job = told(an_ended_job())
    assert job.expires_at is not None

    assert of(job, now=job.expires_at - SECOND) == ()
    assert of(job, now=job.expires_at) == (Expire(),)


def test_an_erased_job_is_erased_and_its_tombstone_goes_last() -> None:
    job = a_running_job(callback_url=CALLBACK).erased(now=LATER)
    assert job.tombstone_until is not None

    assert of(job) == (Erase(final=False),)
    assert of(job, now=job.tombstone_until) == (Erase(final=True),)


def act(job: Job, pages: tuple[Page, ...], action: Action, now: datetime) -> Job:
    """What `sweep` does of itself, with every message that it publishes lost."""
    match action:
        case GiveUp(failure=failure) if not job.is_planned:
            return job.failed(failure, now=now)
        case GiveUp() | Assemble():
            done = sum(page.status is PageStatus.DONE for page in pages)
            result = RoundResult(progress=Progress(total=len(pages), done=done, failed=len(pages) - done))
            return job.ended(result, round_=job.round, now=now)
        case _:
            return job


pages_of_any_state = st.lists(
    st.builds(Page, number=st.just(0), round=st.integers(1, 2), status=st.sampled_from(PageStatus)),
    min_size=1,
    max_size=4,
).map(lambda pages: tuple(replace(page, number=number) for number, page in enumerate(pages, 1)))


@given(
    is_planned=st.booleans(),
    pages=pages_of_any_state,
    round_=st.integers(1, 2),
    checks=st.integers(0, 30),
    has_ranges=st.booleans(),
    claimed=st.integers(0, 3000).map(lambda minutes: NOON + timedelta(minutes=minutes)),
)
def test_sweeps_alone_end_every_unfinished_job_by_its_deadline_though_every_message_is_lost(
    *, is_planned: bool, pages: tuple[Page, ...], round_: int, checks: int, has_ranges: bool, claimed: datetime
) -> None:
    plan = {"page_count": len(pages), "status": Status.RUNNING, "lane": Lane.BULK} if is_planned else {}
    job = replace(a_job(), round=round_, checks=checks, **plan)  # type: ignore[arg-type]  # by name
    numbers = [page.number for page in pages] if has_ranges else []
    made = cut(numbers, size=2, round_=round_, lane=Lane.BULK, recipe="abc")
    ranges = tuple(replace(each, claimed_until=claimed) for each in made)
    sweeps = 0

    while job.is_unfinished:
        assert job.next_check_at is not None
        now = job.next_check_at
        assert now <= job.deadline_at
        sweeps += 1
        job = job.claimed(now=now)
        for action in actions(job, ranges, pages, now=now):
            job = act(job, pages, action, now)

    assert sweeps < 60


@given(minutes=st.integers(0, 60 * 24 * 9))
def test_what_is_not_overdue_needs_nothing(minutes: int) -> None:
    job, now = told(an_ended_job()), NOON + timedelta(minutes=minutes)

    if not job.is_overdue(now=now):
        assert of(job, now=now) == ()


def test_a_callback_of_which_the_notifier_was_told_has_a_grace_before_it_is_told_again() -> None:
    job = an_ended_job()

    assert not job.is_overdue(now=NOON + CALLBACK_GRACE - SECOND)
    assert job.is_overdue(now=NOON + CALLBACK_GRACE)
