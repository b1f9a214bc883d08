"""What the job store in Firestore promises beyond what every store does."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.adapters.google.clients import open_clients
from shared.adapters.google.indexes import COMPOSITE_INDEXES, SINGLE_FIELD_INDEXES, TTL_COLLECTIONS, TTL_SLACK
from shared.adapters.google.jobs import FirestoreJobStore
from shared.domain.callback import CallbackAttempt
from shared.domain.errors import IdempotencyConflict, RenderTimeout, UnknownJob
from shared.domain.job import Job, JobId, Progress
from tests.builders import a_cancelled_job, a_job, a_key, a_page, a_page_read, a_range, a_round, a_running_job
from tests.clocks import NOON
from tests.contract.families import GoogleFamily
from tests.contract.test_batch_store import a_batch
from tests.lines import Line
from tests.racing import race

LONG = 2_000


@pytest.fixture
def family(google: Mapping[str, str]) -> Iterator[GoogleFamily]:  # noqa: ARG001 - the environment that it reads
    family = GoogleFamily()
    yield family
    family.close()


@pytest.fixture
def store(family: GoogleFamily) -> FirestoreJobStore:
    return family.store


def checked(job: Job) -> Job:
    return replace(job, checks=job.checks + 1)


def stored(family: GoogleFamily, path: str) -> dict[str, Any] | None:
    fields: dict[str, Any] | None = family.clients.firestore.document(path).get().to_dict()
    return fields


def ids(family: GoogleFamily, collection: str) -> list[str]:
    return sorted(reference.id for reference in family.clients.firestore.collection(collection).list_documents())


def test_of_64_threads_with_20_keys_each_key_starts_one_job(family: GoogleFamily) -> None:
    store = family.store

    answers = race(64, lambda index: [store.add(a_job(f"job{index}-{k}"), a_key(f"key{k}")) for k in range(20)])

    for number, of_key in enumerate(zip(*answers, strict=True)):
        assert [created for _, created in of_key].count(True) == 1, number
        assert len({job.id for job, _ in of_key}) == 1, number
    assert len(ids(family, "jobs")) == len(ids(family, "keys")) == 20


@pytest.fixture
def line(google: Mapping[str, str]) -> Iterator[Line]:
    with Line(int(google["FIRESTORE_EMULATOR_HOST"].rpartition(":")[2])) as line:
        yield line


@pytest.fixture
def far(family: GoogleFamily, line: Line, monkeypatch: pytest.MonkeyPatch) -> Iterator[FirestoreJobStore]:
    """The same store, at the end of that line."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", line.address)
    clients = open_clients(project=family.project, database="(default)")
    store = FirestoreJobStore(clients.firestore)
    store.ranges(JobId("nobody"))
    yield store
    clients.close()


def test_a_change_whose_answer_was_lost_is_not_made_twice(
    store: FirestoreJobStore, far: FirestoreJobStore, line: Line
) -> None:
    job, _ = store.add(a_job(), None)
    lost = iter([True])

    def change(job: Job) -> Job:
        if next(lost, False):
            line.lose_answers(seconds=0.5)
        return checked(job)

    after = far.update(job.id, change)

    assert after.checks == 1
    assert store.get(job.id) == after


def test_a_job_whose_answer_was_lost_was_added(store: FirestoreJobStore, far: FirestoreJobStore, line: Line) -> None:
    line.lose_answers(seconds=0.5)

    assert far.add(a_job(), a_key()) == (a_job(), True)

    assert store.find(a_key()) == a_job()


def test_a_key_whose_job_is_gone_is_free(family: GoogleFamily, store: FirestoreJobStore) -> None:
    store.add(a_job("first"), a_key())
    family.clients.firestore.document("jobs/first").delete()

    assert store.find(a_key(fingerprint="another")) is None
    answers = race(8, lambda index: store.add(a_job(f"job{index}"), a_key()))

    assert [created for _, created in answers].count(True) == 1
    assert {job.id for job, _ in answers} == set(ids(family, "jobs"))


def test_forgetting_a_job_leaves_the_key_that_another_has_by_now(
    family: GoogleFamily, store: FirestoreJobStore
) -> None:
    store.add(a_job("first"), a_key())
    store.add(a_job("second"), None)
    family.clients.firestore.document("keys/key").update({"job": "second"})

    store.forget(JobId("first"), tombstone=False)

    assert store.find(a_key()) == a_job("second")
    with pytest.raises(UnknownJob):
        store.get(JobId("first"))


def test_a_damaged_key_is_no_key(family: GoogleFamily, store: FirestoreJobStore) -> None:
    store.add(a_job("first"), a_key())
    family.clients.firestore.document("keys/key").set({"nothing": "else"})

    assert store.find(a_key()) is None
    assert store.add(a_job("second"), a_key()) == (a_job("second"), True)
    with pytest.raises(IdempotencyConflict):
        store.find(a_key(fingerprint="another"))


def a_long_plan(store: FirestoreJobStore, job_id: JobId) -> None:
    numbers = range(1, LONG + 1)
    pages = [a_page(number) for number in numbers]
    store.plan(
        job_id, pages, [a_range(f"1-{start:04d}", tuple(numbers[start : start + 8])) for start in range(0, LONG, 8)]
    )


def test_a_long_plan_that_two_make_at_once_and_one_makes_again_stands_once(store: FirestoreJobStore) -> None:
    job, _ = store.add(a_running_job(page_count=LONG), None)

    race(2, lambda _: a_long_plan(store, job.id))
    store.update_page(job.id, LONG, lambda page: page.done(a_page_read(), round_=1, now=NOON))
    a_long_plan(store, job.id)

    assert store.progress(job) == Progress(total=LONG, done=1)
    assert [page.number for page in store.pages(job.id)] == list(range(1, LONG + 1))
    assert len(store.ranges(job.id)) == LONG / 8
    assert [page.number for page in store.pages(job.id, range(1, LONG, 2))] == list(range(1, LONG, 2))


def test_a_long_job_is_forgotten_whole(family: GoogleFamily, store: FirestoreJobStore) -> None:
    job, _ = store.add(a_running_job(page_count=LONG), a_key())
    a_long_plan(store, job.id)
    store.log_attempt(job.id, CallbackAttempt(round=1, number=1, at=NOON))

    store.forget(job.id, tombstone=False)

    for collection in ("jobs", "keys", f"jobs/{job.id}/pages", f"jobs/{job.id}/ranges", f"jobs/{job.id}/callbacks"):
        assert ids(family, collection) == []


def test_progress_never_shows_an_end_that_is_not_there(store: FirestoreJobStore) -> None:
    """Pages fail, are retried and succeed while others count; one stays pending."""
    job, _ = store.add(a_running_job(page_count=40), None)
    store.plan(job.id, [a_page(number) for number in range(1, 41)], [])

    def read(number: int) -> None:
        failure = RenderTimeout().failure
        store.update_page(job.id, number, lambda page: page.failed(failure, round_=1, now=NOON))
        store.update_page(job.id, number, lambda page: page.retried(round_=2, now=NOON))
        store.update_page(job.id, number, lambda page: page.done(a_page_read(), round_=2, now=NOON))

    with ThreadPoolExecutor(4) as readers:
        working = [readers.submit(read, number) for number in range(2, 41)]
        while not all(future.done() for future in working):
            progress = store.progress(job)
            assert progress.total == 40
            assert progress.pending >= 1
        for future in working:
            future.result()

    assert store.progress(job) == Progress(total=40, done=39)


def test_nothing_is_written_where_nothing_changed(family: GoogleFamily, store: FirestoreJobStore) -> None:
    job, _ = store.add(a_job(), None)
    before = family.clients.firestore.document(f"jobs/{job.id}").get().update_time

    store.update(job.id, lambda each: each)

    assert family.clients.firestore.document(f"jobs/{job.id}").get().update_time == before


def everything(family: GoogleFamily) -> dict[str, dict[str, Any]]:
    """One document of each collection."""
    store = family.store
    job, _ = store.add(a_running_job(), a_key())
    store.plan(job.id, [a_page()], [a_range()])
    store.log_attempt(job.id, CallbackAttempt(round=1, number=1, at=NOON))
    family.batches.add(a_batch())
    store.add(a_cancelled_job("job2"), None)
    paths = {
        "jobs": f"jobs/{job.id}",
        "keys": "keys/key",
        "pages": f"jobs/{job.id}/pages/000001",
        "ranges": f"jobs/{job.id}/ranges/1-0001",
        "callbacks": f"jobs/{job.id}/callbacks/000001-000001",
        "batches": "batches/batch1",
        "ledger": f"ledger/{ids(family, 'ledger')[0]}",
    }
    return {name: stored(family, path) or {} for name, path in paths.items()}


def test_for_each_stored_field_it_was_decided_whether_it_is_indexed(family: GoogleFamily) -> None:
    fields = {name: set(document) for name, document in everything(family).items()}

    assert fields == {name: set(decided) for name, decided in SINGLE_FIELD_INDEXES.items()}
    for index in COMPOSITE_INDEXES:
        assert {name for name, _ in index.fields} <= fields[index.collection]
    for collection in TTL_COLLECTIONS:
        assert "ttl" in fields[collection]


def ttl(family: GoogleFamily, path: str) -> datetime | None:
    fields = stored(family, path)
    assert fields is not None
    moment: datetime | None = fields["ttl"]
    return moment


def test_firestore_erases_no_job_that_is_not_over(family: GoogleFamily, store: FirestoreJobStore) -> None:
    job, _ = store.add(a_running_job(), a_key())
    assert ttl(family, f"jobs/{job.id}") is None

    ended = store.update(job.id, lambda each: each.ended(a_round(done=1, failed=1), round_=1, now=NOON))
    assert ended.expires_at is not None
    assert ttl(family, f"jobs/{job.id}") == ended.expires_at + TTL_SLACK

    store.update(job.id, lambda each: each.retried(now=NOON))
    assert ttl(family, f"jobs/{job.id}") is None


def test_firestore_erases_what_was_left_of_a_job_long_after_us(family: GoogleFamily, store: FirestoreJobStore) -> None:
    job, _ = store.add(a_cancelled_job(), a_key())

    erased = store.update(job.id, lambda each: each.erased(now=NOON))

    assert erased.tombstone_until is not None
    assert ttl(family, f"jobs/{job.id}") == erased.tombstone_until + TTL_SLACK
    of_key = ttl(family, "keys/key")
    assert of_key is not None
    assert of_key - job.created_at > job.limits.deadline + job.limits.retention + timedelta(days=300)
