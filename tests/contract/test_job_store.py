"""What every job store promises."""

import base64
import queue
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.callback import CallbackAttempt
from shared.domain.errors import IdempotencyConflict, IllegalMove, InvalidRequest, RenderTimeout, UnknownJob
from shared.domain.job import Job, JobId, Progress
from shared.domain.page import Page
from shared.domain.status import Status
from shared.ports.jobs import IdempotencyKey, JobStore
from shared.records import UnreadableRecord
from tests.builders import a_cancelled_job, a_job, a_key, a_page, a_page_read, a_range, a_running_job
from tests.clocks import NOON
from tests.contract.families import Family
from tests.racing import race

SECOND = timedelta(seconds=1)
NOBODY = JobId("nobody")


def checked(job: Job) -> Job:
    return replace(job, checks=job.checks + 1)


def found(store: JobStore, tenant: str = "acme", *, limit: int = 100, **where: object) -> list[str]:
    """The ids of a whole listing, page after page."""
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page = store.search(tenant, **{"status": None, "batch": None, **where}, cursor=cursor, limit=limit)  # type: ignore[arg-type]  # by name
        assert len(page.jobs) <= limit
        ids += [job.id for job in page.jobs]
        if page.cursor is None:
            return ids
        cursor = page.cursor


def test_a_new_job_is_stored_as_it_is(store: JobStore) -> None:
    job = a_running_job(now=NOON + timedelta(microseconds=1))

    assert store.add(job, None) == (job, True)
    assert store.get(job.id) == job


def test_a_job_that_nobody_added_is_unknown(store: JobStore) -> None:
    with pytest.raises(UnknownJob):
        store.get(NOBODY)
    with pytest.raises(UnknownJob):
        store.update(NOBODY, checked)
    with pytest.raises(UnknownJob):
        store.update_page(NOBODY, 1, lambda page: page)
    with pytest.raises(UnknownJob):
        store.update_range(NOBODY, "1-0001", lambda range_: range_)
    with pytest.raises(UnknownJob):
        store.get_range(NOBODY, "1-0001")
    assert store.pages(NOBODY) == ()
    assert store.ranges(NOBODY) == ()
    assert store.attempts(NOBODY) == ()
    assert store.progress(a_job(NOBODY)) == Progress()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "__x__", "é", "x" * 3000, "a b", "~nobody"])
def test_an_id_that_no_job_can_have_is_unknown(store: JobStore, name: str) -> None:
    job_id = JobId(name)

    with pytest.raises(UnknownJob):
        store.get(job_id)
    with pytest.raises(UnknownJob):
        store.update(job_id, checked)
    with pytest.raises(UnknownJob):
        store.update_page(job_id, 1, lambda page: page)
    with pytest.raises(UnknownJob):
        store.update_range(job_id, name, lambda range_: range_)
    with pytest.raises(UnknownJob):
        store.get_range(job_id, name)
    assert (store.pages(job_id), store.ranges(job_id), store.attempts(job_id)) == ((), (), ())
    assert store.progress(a_job(job_id)) == Progress()
    store.forget(job_id, tombstone=False)


def test_a_key_finds_the_job_that_it_started(store: JobStore) -> None:
    job, _ = store.add(a_job(), a_key())

    assert store.find(a_key()) == job
    assert store.find(a_key("other")) is None


def test_the_same_key_with_the_same_request_gives_the_first_job_as_it_is_now(store: JobStore) -> None:
    first, _ = store.add(a_job("first"), a_key())
    running = store.update(first.id, checked)

    assert store.add(a_job("second"), a_key()) == (running, False)
    with pytest.raises(UnknownJob):
        store.get(JobId("second"))


def test_the_same_key_with_another_request_conflicts_and_stores_nothing(store: JobStore) -> None:
    store.add(a_job("first"), a_key(fingerprint="one"))

    with pytest.raises(IdempotencyConflict):
        store.add(a_job("second"), a_key(fingerprint="another"))
    with pytest.raises(IdempotencyConflict):
        store.find(a_key(fingerprint="another"))
    assert found(store) == ["first"]


@pytest.mark.parametrize("key", [None, a_key()], ids=["without key", "with key"])
def test_an_add_whose_answer_was_lost_had_succeeded_and_overwrites_nothing(
    store: JobStore, key: IdempotencyKey | None
) -> None:
    job = a_job()
    store.add(job, key)
    later = store.update(job.id, checked)

    assert store.add(job, key) == (later, True)
    assert store.get(job.id) == later


def test_of_32_requests_that_race_with_one_key_one_starts_a_job(store: JobStore) -> None:
    answers = race(32, lambda index: store.add(a_job(f"job{index}"), a_key()))

    assert [created for _, created in answers].count(True) == 1
    assert len({job.id for job, _ in answers}) == 1
    assert found(store) == [answers[0][0].id]


def test_of_updates_that_race_none_is_lost(store: JobStore) -> None:
    job, _ = store.add(a_job(), None)

    race(16, lambda _: [store.update(job.id, checked) for _ in range(5)])

    assert store.get(job.id).checks == 80


def test_a_refused_change_leaves_the_job_as_it_was(store: JobStore) -> None:
    job, _ = store.add(a_cancelled_job(), None)

    with pytest.raises(IllegalMove, match="cancelled"):
        store.update(job.id, lambda job: job.retried(now=NOON))

    assert store.get(job.id) == job
    assert store.update(job.id, checked).checks == 1


def test_a_job_of_a_later_version_is_unreadable_and_says_so(store: JobStore) -> None:
    job, _ = store.add(a_job(schema=a_job().schema + 1), a_key())

    with pytest.raises(UnreadableRecord):
        store.get(job.id)
    with pytest.raises(UnreadableRecord):
        store.update(job.id, checked)


def test_one_unreadable_job_hides_no_other(family: Family) -> None:
    store = family.store
    for name in ("first", "damaged", "last"):
        store.add(a_job(name), None)
    family.damage_job("damaged")

    overdue = store.overdue(now=NOON + timedelta(hours=1), limit=2)

    assert {job.id for job in overdue} == {"first", "last"}
    assert set(found(store, limit=1)) == {"first", "last"}


def test_a_listing_is_newest_first(store: JobStore) -> None:
    for age in (2, 0, 1):
        store.add(a_job(f"age{age}", now=NOON - age * SECOND), None)

    assert found(store) == ["age0", "age1", "age2"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_a_cursor_shows_every_job_once(store: JobStore, limit: int) -> None:
    names = [f"job{index}" for index in range(7)]
    for index, name in enumerate(names):
        store.add(a_job(name, now=NOON + (index // 3) * timedelta(microseconds=1)), None)

    assert sorted(found(store, limit=limit)) == names


def test_a_listing_goes_on_though_jobs_come_and_change(store: JobStore) -> None:
    for index in range(4):
        store.add(a_job(f"job{index}", now=NOON + index * SECOND), None)
    first = store.search("acme", status=None, batch=None, cursor=None, limit=2)
    store.add(a_job("newer", now=NOON + timedelta(hours=1)), None)
    store.update(JobId("job1"), checked)

    rest = store.search("acme", status=None, batch=None, cursor=first.cursor, limit=9)

    assert [job.id for job in (*first.jobs, *rest.jobs)] == ["job3", "job2", "job1", "job0"]


def test_a_listing_is_of_one_status_or_one_batch(store: JobStore) -> None:
    store.add(a_job("queued", batch="one"), None)
    store.add(a_cancelled_job("cancelled", batch="one"), None)
    store.add(a_cancelled_job("other", batch="two"), None)

    assert found(store, status=Status.QUEUED) == ["queued"]
    assert set(found(store, status=Status.CANCELLED)) == {"cancelled", "other"}
    assert set(found(store, batch="one")) == {"queued", "cancelled"}
    assert found(store, batch="one", status=Status.CANCELLED) == ["cancelled"]
    assert found(store, batch="three") == []


def test_a_batch_counts_its_jobs_by_what_became_of_them(store: JobStore) -> None:
    for index in range(3):
        store.add(a_job(f"queued{index}", batch="one"), None)
    store.add(a_cancelled_job("cancelled", batch="one"), None)
    store.add(a_job("two", batch="two"), None)
    store.add(a_job("other", batch="one", tenant="other"), None)
    store.update(store.add(a_job("erased", batch="one"), None)[0].id, lambda job: job.erased(now=NOON))

    assert store.count("acme", batch="one") == {Status.QUEUED: 3, Status.CANCELLED: 1}
    assert store.count("other", batch="one") == {Status.QUEUED: 1}
    assert store.count("acme", batch="three") == {}


def test_a_listing_follows_what_a_job_becomes(store: JobStore) -> None:
    job, _ = store.add(a_job(), None)
    store.update(job.id, lambda each: each.cancelled(now=NOON))

    assert found(store, status=Status.QUEUED) == []
    assert found(store, status=Status.CANCELLED) == [job.id]


def test_the_jobs_of_other_tenants_and_erased_ones_are_not_listed(store: JobStore) -> None:
    store.add(a_job("mine"), None)
    store.add(a_job("others", tenant="other"), None)
    store.add(a_job("erased"), None)
    store.update(JobId("erased"), lambda job: job.erased(now=NOON))

    assert found(store) == ["mine"]
    assert found(store, "other") == ["others"]
    assert found(store, "nobody") == []


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "é", "\ud800", "===="),
        *map(encoded, ("[]", "{}", '["a", 1]', "[" * 50_000, f"[1{'0' * 400}, 1]", '[1, "\\ud800"]')),
        *map(encoded, ("nan a", "1.0 a\nb", "1.0 ", "1.0")),
    ],
    ids=lambda cursor: ascii(cursor)[:12],
)
def test_a_cursor_that_is_not_ours_is_refused(store: JobStore, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        store.search("acme", status=None, batch=None, cursor=cursor, limit=10)


def test_the_longest_overdue_come_first_and_no_more_than_asked_for(store: JobStore) -> None:
    for minutes in (3, 1, 2, 9):
        store.add(a_job(f"due{minutes}", next_check_at=NOON + timedelta(minutes=minutes)), None)
    store.add(a_job("never", next_check_at=None), None)
    now = NOON + timedelta(minutes=3)

    assert [job.id for job in store.overdue(now=now, limit=9)] == ["due1", "due2", "due3"]
    assert [job.id for job in store.overdue(now=now, limit=2)] == ["due1", "due2"]
    assert store.overdue(now=NOON, limit=9) == ()


@pytest.mark.parametrize("microseconds", [0, 1, 123_457, 999_999])
def test_what_the_store_calls_overdue_the_job_calls_so_too(store: JobStore, microseconds: int) -> None:
    due = NOON + timedelta(microseconds=microseconds)
    store.add(a_job(next_check_at=due), None)

    assert [job.is_overdue(now=due) for job in store.overdue(now=due, limit=1)] == [True]
    assert store.overdue(now=due - timedelta(microseconds=1), limit=1) == ()


def test_a_claimed_job_is_no_longer_overdue(store: JobStore) -> None:
    job, _ = store.add(a_job(), None)
    now = NOON + timedelta(hours=1)

    store.update(job.id, lambda each: each.claimed(now=now))

    assert store.overdue(now=now, limit=9) == ()


def a_planned_job(store: JobStore, *, pages: int = 3) -> JobId:
    job, _ = store.add(a_running_job(page_count=pages), None)
    numbers = range(1, pages + 1)
    store.plan(job.id, [a_page(number) for number in numbers], [a_range(pages=tuple(numbers))])
    return job.id


def test_the_first_plan_stands(store: JobStore) -> None:
    job_id = a_planned_job(store)
    store.update_page(job_id, 2, done)
    pages, ranges = store.pages(job_id), store.ranges(job_id)

    store.plan(job_id, [a_page(number, round=9) for number in (1, 2, 3)], [a_range(pages=(9,))])

    assert store.pages(job_id) == pages
    assert store.ranges(job_id) == ranges


def test_a_plan_of_another_round_is_added(store: JobStore) -> None:
    job_id = a_planned_job(store)

    store.plan(job_id, [], [a_range("2-0001", (1,), round=2)])

    assert [(each.id, each.round) for each in store.ranges(job_id)] == [("1-0001", 1), ("2-0001", 2)]


def done(page: Page) -> Page:
    return page.done(a_page_read(), round_=1, now=NOON)


def failed(page: Page) -> Page:
    return page.failed(RenderTimeout().failure, round_=1, now=NOON)


def test_pages_come_by_number_all_or_some(store: JobStore) -> None:
    job_id = a_planned_job(store, pages=12)

    assert [page.number for page in store.pages(job_id)] == list(range(1, 13))
    assert [page.number for page in store.pages(job_id, (11, 2, 99))] == [2, 11]
    assert store.pages(job_id, ()) == ()


@pytest.mark.parametrize("count", [3, 12])
def test_progress_counts_the_pages_by_what_became_of_them(store: JobStore, count: int) -> None:
    job_id = a_planned_job(store, pages=count)
    assert store.progress(store.get(job_id)) == Progress(total=count)

    store.update_page(job_id, 1, done)
    store.update_page(job_id, 3, failed)

    progress = store.progress(store.get(job_id))
    assert progress == Progress(total=count, done=1, failed=1)
    assert progress.pending == count - 2


def test_a_page_that_is_done_stands_whoever_comes_later(store: JobStore) -> None:
    job_id = a_planned_job(store)

    page = store.update_page(job_id, 1, done)

    assert store.update_page(job_id, 1, failed) == page
    assert store.pages(job_id, [1]) == (page,)


def test_of_page_updates_that_race_none_is_lost(store: JobStore) -> None:
    job_id = a_planned_job(store)

    race(16, lambda _: store.update_page(job_id, 1, lambda page: page.started(round_=1, now=NOON)))

    assert store.pages(job_id, [1])[0].tries == 16


def test_a_page_or_range_that_was_never_planned_is_unknown(store: JobStore) -> None:
    job_id = a_planned_job(store)

    with pytest.raises(UnknownJob):
        store.update_page(job_id, 4, done)
    with pytest.raises(UnknownJob):
        store.update_range(job_id, "2-0001", lambda each: each)
    with pytest.raises(UnknownJob):
        store.get_range(job_id, "2-0001")


def test_a_range_is_claimed(store: JobStore) -> None:
    job_id = a_planned_job(store)

    claimed = store.update_range(job_id, "1-0001", lambda each: replace(each, claimed_until=NOON))

    assert store.ranges(job_id) == (claimed,)
    assert claimed.claimed_until == NOON


def test_a_range_is_claimed_by_who_got_it_with_its_job_and_by_nobody_who_got_it_before(store: JobStore) -> None:
    job_id = a_planned_job(store)
    assert store.get_range(job_id, "1-0001") == (store.get(job_id), *store.ranges(job_id))
    by_another = replace(store.ranges(job_id)[0], claimed_by="another")
    store.update_range(job_id, "1-0001", lambda _: by_another)

    claimed = store.update_range(
        job_id, "1-0001", lambda each: each if each.claimed_by else replace(each, claimed_by="me")
    )

    assert claimed == by_another


def an_attempt(round_: int, number: int, answer: int | None = None) -> CallbackAttempt:
    return CallbackAttempt(round=round_, number=number, at=NOON, answer=answer)


def test_the_delivery_log_is_oldest_first_and_a_line_written_twice_stands_once(store: JobStore) -> None:
    job, _ = store.add(a_job(), None)
    for round_, number in [(2, 1), (1, 10), (1, 2), (1, 1)]:
        store.log_attempt(job.id, an_attempt(round_, number))
    store.log_attempt(job.id, an_attempt(1, 2, answer=200))

    lines = [(line.round, line.number, line.answer) for line in store.attempts(job.id)]

    assert lines == [(1, 1, None), (1, 2, 200), (1, 10, None), (2, 1, None)]


def a_job_with_everything(store: JobStore) -> Job:
    job, _ = store.add(a_running_job(), a_key())
    store.plan(job.id, [a_page()], [a_range()])
    store.log_attempt(job.id, an_attempt(1, 1))
    return job


def test_a_tombstone_keeps_the_job_and_its_key_and_nothing_else(store: JobStore) -> None:
    job = a_job_with_everything(store)

    store.forget(job.id, tombstone=True)

    assert (store.pages(job.id), store.ranges(job.id), store.attempts(job.id)) == ((), (), ())
    assert store.get(job.id) == job
    assert store.find(a_key()) == job
    assert store.add(a_job("second"), a_key()) == (job, False)


def test_without_a_tombstone_the_job_is_gone_and_its_key_is_free(store: JobStore) -> None:
    job = a_job_with_everything(store)

    store.forget(job.id, tombstone=False)
    store.forget(job.id, tombstone=False)

    with pytest.raises(UnknownJob):
        store.get(job.id)
    assert store.find(a_key(fingerprint="another")) is None
    assert store.add(a_job("second"), a_key(fingerprint="another")) == (a_job("second"), True)


def test_forgetting_one_job_leaves_the_others(store: JobStore) -> None:
    job = a_job_with_everything(store)
    other, _ = store.add(a_running_job("job10"), a_key("other"))
    store.plan(other.id, [a_page()], [a_range()])

    store.forget(job.id, tombstone=False)

    assert store.find(a_key("other")) == other
    assert len(store.pages(other.id)) == len(store.ranges(other.id)) == 1


def cancelled(job: Job) -> Job:
    return job.cancelled(now=NOON)


def two_running(store: JobStore) -> tuple[Job, Job]:
    return store.add(a_running_job("one"), None)[0], store.add(a_running_job("two"), None)[0]


def test_who_watches_a_job_is_told_whoever_changes_its_status(store: JobStore, family: Family) -> None:
    mine, others = two_running(store)
    told: queue.Queue[Job] = queue.Queue()

    with store.watch(mine, told.put), store.watch(others, told.put):
        mine = store.update(mine.id, cancelled)
        others = family.other_store().update(others.id, cancelled)

        assert [told.get(timeout=10), told.get(timeout=10)] == [mine, others]


def test_who_watches_a_job_that_stays_as_it_is_is_left_alone(store: JobStore, family: Family) -> None:
    quiet, loud = two_running(store)
    told: queue.Queue[Job] = queue.Queue()

    with store.watch(quiet, told.put), store.watch(loud, told.put):
        store.update(quiet.id, checked)
        family.other_store().update(quiet.id, checked)
        loud = family.other_store().update(loud.id, cancelled)

        assert told.get(timeout=10) == loud
    assert told.empty()


def test_a_job_that_changed_between_being_seen_and_being_watched_is_told(store: JobStore) -> None:
    seen, _ = two_running(store)
    latest = store.update(seen.id, cancelled)
    told: queue.Queue[Job] = queue.Queue()

    with store.watch(seen, told.put):
        assert told.get(timeout=10) == latest


def test_a_job_that_nobody_can_read_is_told_to_nobody_and_others_are(store: JobStore, family: Family) -> None:
    damaged, other = two_running(store)
    latest = [store.update(job.id, cancelled) for job in (damaged, other)][-1]
    family.damage_job(damaged.id)
    told: queue.Queue[Job] = queue.Queue()

    with store.watch(damaged, told.put), store.watch(other, told.put):
        assert told.get(timeout=10) == latest
    assert told.empty()


def test_nobody_looks_for_jobs_once_nobody_waits(store: JobStore) -> None:
    job, _ = two_running(store)

    for _ in range(2):  # and again, when the thread of the first has ended
        with store.watch(job, lambda _: None):
            assert looks_for_jobs()
        until = time.monotonic() + 10
        while looks_for_jobs():
            assert time.monotonic() < until
            time.sleep(0.01)


def looks_for_jobs() -> bool:
    return "watchers" in [thread.name for thread in threading.enumerate()]
