"""What every batch store promises."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.batch import Batch, BatchId, new_batch
from shared.domain.errors import UnknownBatch
from shared.domain.job import Limits
from shared.ports.batches import BatchStore
from tests.clocks import NOON
from tests.contract.families import Family
from tests.racing import race

SECOND = timedelta(seconds=1)
NOBODY = BatchId("nobody")


def a_batch(batch_id: str = "batch1", *, now: datetime = NOON, **changes: Any) -> Batch:
    batch = new_batch(
        id=BatchId(batch_id),
        tenant="acme",
        source="inbox/acme/list.jsonl",
        version="1",
        outbox="outbox/acme/",
        limits=Limits(),
        now=now,
    )
    return replace(batch, **changes)


def checked(batch: Batch) -> Batch:
    return replace(batch, checks=batch.checks + 1)


def test_a_new_batch_is_stored_as_it_is(batches: BatchStore) -> None:
    batch = a_batch(created_at=NOON + timedelta(microseconds=1))

    assert batches.add(batch) == (batch, True)
    assert batches.get(batch.id) == batch


def test_a_batch_whose_id_is_known_stays_as_it_is_now(batches: BatchStore) -> None:
    batches.add(a_batch())
    later = batches.update(a_batch().id, checked)

    assert batches.add(a_batch(source="another")) == (later, False)
    assert batches.get(later.id) == later


def test_of_32_that_race_with_one_id_one_adds_its_batch(batches: BatchStore) -> None:
    answers = race(32, lambda index: batches.add(a_batch(started=index)))

    assert [created for _, created in answers].count(True) == 1
    assert len({batch.started for batch, _ in answers}) == 1


def test_a_batch_that_nobody_added_is_unknown(batches: BatchStore) -> None:
    with pytest.raises(UnknownBatch):
        batches.get(NOBODY)
    with pytest.raises(UnknownBatch):
        batches.update(NOBODY, checked)
    batches.forget(NOBODY)


@pytest.mark.parametrize("batch_id", ["", ".", "..", "a/b", "/", "__x__", "é", "x" * 3000, "a b", "~nobody"])
def test_an_id_that_no_batch_can_have_is_unknown(batches: BatchStore, batch_id: str) -> None:
    with pytest.raises(UnknownBatch):
        batches.get(BatchId(batch_id))
    with pytest.raises(UnknownBatch):
        batches.update(BatchId(batch_id), checked)


def test_of_updates_that_race_none_is_lost(batches: BatchStore) -> None:
    batch, _ = batches.add(a_batch())

    race(8, lambda _: [batches.update(batch.id, checked) for _ in range(5)])

    assert batches.get(batch.id).checks == 40


def test_a_change_that_raises_leaves_the_batch_as_it_was(batches: BatchStore) -> None:
    batch, _ = batches.add(a_batch())

    def broken(_: Batch) -> Batch:
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        batches.update(batch.id, broken)
    assert batches.get(batch.id) == batch


def test_the_longest_overdue_come_first_and_no_more_than_asked_for(batches: BatchStore) -> None:
    for minutes in (3, 1, 2, 9):
        batches.add(a_batch(f"due{minutes}", next_check_at=NOON + timedelta(minutes=minutes)))
    batches.add(a_batch("never", next_check_at=None))
    now = NOON + timedelta(minutes=3)

    assert [batch.id for batch in batches.overdue(now=now, limit=9)] == ["due1", "due2", "due3"]
    assert [batch.id for batch in batches.overdue(now=now, limit=2)] == ["due1", "due2"]
    assert batches.overdue(now=NOON, limit=9) == ()


@pytest.mark.parametrize("microseconds", [0, 1, 123_457, 999_999])
def test_what_the_store_calls_overdue_the_batch_calls_so_too(batches: BatchStore, microseconds: int) -> None:
    due = NOON + timedelta(microseconds=microseconds)
    batches.add(a_batch(next_check_at=due))

    assert [batch.is_overdue(now=due) for batch in batches.overdue(now=due, limit=1)] == [True]
    assert batches.overdue(now=due - timedelta(microseconds=1), limit=1) == ()


def test_a_claimed_batch_is_no_longer_overdue(batches: BatchStore) -> None:
    batch, _ = batches.add(a_batch())
    now = NOON + timedelta(hours=1)

    batches.update(batch.id, lambda each: each.claimed(now=now))

    assert batches.overdue(now=now, limit=9) == ()


def test_one_unreadable_batch_hides_no_other(family: Family) -> None:
    for name in ("first", "damaged", "last"):
        family.batches.add(a_batch(name))
    family.damage_batch("damaged")

    overdue = family.batches.overdue(now=NOON + timedelta(hours=1), limit=2)

    assert {batch.id for batch in overdue} == {"first", "last"}


def test_a_batch_that_is_forgotten_is_unknown_and_its_id_is_free(batches: BatchStore) -> None:
    batch, _ = batches.add(a_batch())
    other, _ = batches.add(a_batch("other"))

    batches.forget(batch.id)
    batches.forget(batch.id)

    with pytest.raises(UnknownBatch):
        batches.get(batch.id)
    assert batches.get(other.id) == other
    assert batches.add(batch) == (batch, True)
