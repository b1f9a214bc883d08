"""Stored things: each comes back as it was, and what this version cannot read says so."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.batch import BatchId, new_batch
from shared.domain.callback import CallbackAttempt, Channel
from shared.domain.document import Document, PageOutcome
from shared.domain.errors import RenderTimeout
from shared.domain.job import Job, Limits, Progress, RoundResult
from shared.domain.options import Extra, Lane, Options, Tables
from shared.domain.page import Flag, FlagCode, Label, Page, PageRange, PageRead
from shared.records import UnreadableRecord, from_json, to_json, to_plain
from tests.builders import CALLBACK, a_block, a_job, a_page, a_page_read, a_range, a_running_job
from tests.clocks import NOON

FLAGS = (Flag(code=FlagCode.LOW_CONFIDENCE, value="0.31", block="b2"), Flag(code=FlagCode.BLANK))
FAILURE = RenderTimeout().failure
OPTIONS = Options(dpi=200, unwarp=True, tables=Tables.MARKDOWN, include=frozenset(Extra), cache=False)
RESULT = RoundResult(
    progress=Progress(total=3, done=2, failed=1),
    flags={"low_confidence": (1, 3), "blank": (2,)},
    usage={"pages": 2, "seconds": 1.234},
)
JOB = a_running_job(
    now=NOON + timedelta(microseconds=123457),
    options=OPTIONS,
    limits=Limits(deadline=timedelta(hours=1.5), retention=timedelta(days=0.5)),
    pages="1-5,r1",
    priority=Lane.BULK,
    batch="batch",
    key="key",
    callback_url=CALLBACK,
    sealed_password="sealed",
)
READ = a_page_read(
    a_block(Label.TABLE, "<table>\u2028é\ud7ff\U0001f4a7", raw="\x00\x1b", confidence=0.5, level=2),
    a_block(Label.FIGURE, image="images/0123456789abcdef.png"),
    rotation=270,
    flags=FLAGS,
    usage={"seconds": 0.1},
)
BATCH = new_batch(
    id=BatchId("b"),
    tenant="acme",
    source="inbox/acme/märz.txt",
    version="1",
    outbox="outbox/acme/märz.txt",
    limits=Limits(),
    now=NOON,
)
RECORDS = {
    "a queued job": a_job(),
    "a running job": JOB,
    "an ended job": JOB.ended(RESULT, round_=1, now=NOON),
    "a job of the inbox": replace(JOB, line=7, outbox="outbox/acme/urls.txt/_line-000007").ended(
        RESULT, round_=1, now=NOON
    ),
    "a batch": BATCH,
    "a reported batch": BATCH.failed(FAILURE, now=NOON).reported(now=NOON),
    "a failed job": a_job(callback_url=CALLBACK).failed(FAILURE, now=NOON),
    "an erased job": JOB.erased(now=NOON).buried(),
    "a page": a_page(tries=2, tries_alone=1, flags=FLAGS, updated_at=NOON),
    "a done page": a_page().done(READ, round_=1, now=NOON),
    "a failed page": a_page().failed(FAILURE, round_=1, now=NOON),
    "a range": a_range(claimed_until=NOON),
    "a reading": READ,
    "an attempt": CallbackAttempt(round=1, number=2, at=NOON, answer=503, error="no answer", seconds=0.25),
    "a document": Document(pages=(PageOutcome(number=1, read=READ), PageOutcome(number=2, failure=FAILURE))),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_comes_back_as_it_was(name: str) -> None:
    record: Any = RECORDS[name]

    again = from_json(type(record), to_json(record))

    assert again == record
    assert to_json(again) == to_json(record) or isinstance(record, Job)  # a set has no order
    assert json.loads(to_json(record)) == json.loads(json.dumps(to_plain(record))) or isinstance(record, Job)


def test_times_keep_their_zone_and_their_microseconds() -> None:
    again = from_json(Job, to_json(JOB))

    assert again.created_at.utcoffset() == timedelta(0)
    assert again.created_at == JOB.created_at


@pytest.mark.parametrize("name", [name for name, record in RECORDS.items() if hasattr(record, "schema")])
def test_a_record_of_a_later_version_is_unreadable(name: str) -> None:
    record: Any = RECORDS[name]
    later = to_json(replace(record, schema=record.schema + 1))

    with pytest.raises(UnreadableRecord, match="schema"):
        from_json(type(record), later)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[]", b"{", b"\xff", b'{"id": 5}'])
@pytest.mark.parametrize("kind", [Job, Page, PageRange, PageRead])
def test_a_damaged_record_is_unreadable(kind: type[Any], data: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        from_json(kind, data)


def test_a_job_of_a_version_that_knew_webhooks_only_is_read_as_it_was_meant() -> None:
    stored = json.loads(to_json(JOB.ended(RESULT, round_=1, now=NOON)))
    for name in ("line", "outbox"):
        del stored[name]
    del stored["source"]["version"], stored["callbacks"][0]["channel"]

    job = from_json(Job, json.dumps(stored))

    assert job == JOB.ended(RESULT, round_=1, now=NOON)
    assert job.callbacks[0].channel is Channel.WEBHOOK


def test_a_field_of_a_later_version_that_keeps_the_schema_is_left_out() -> None:
    stored = json.loads(to_json(a_page())) | {"new": 1}

    assert from_json(Page, json.dumps(stored)) == a_page()


def test_what_a_damaged_record_held_stays_out_of_the_error() -> None:
    stored = json.loads(to_json(JOB)) | {"status": "secret text"}

    with pytest.raises(UnreadableRecord) as caught:
        from_json(Job, json.dumps(stored))

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
