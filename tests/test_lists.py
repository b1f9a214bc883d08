"""Lists in an inbox: each line a job, the bad ones too, and a report when all have ended, whatever dies."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest_fn.rounds import cancel, delete, retry
from shared.domain.batch import Batch, BatchId
from shared.domain.job import Job
from shared.domain.messages import RoundEnded
from shared.domain.options import Lane
from shared.domain.status import Status
from shared.layout import upload_object
from shared.pdf.sandbox import Sandbox
from tests import samples
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import Pipeline, pipeline
from tests.servers import Receiver, Server, answering

NAME = "inbox/acme/urls.txt"
FOLDER = "outbox/acme/urls.txt"
PAGE = samples.pdf(["one"])
MOST_EFFECTS = 120


@pytest.fixture(scope="module")
def documents() -> Iterator[Server]:
    with Server(
        {"/missing.pdf": answering(404), "/text.pdf": answering(200, b"text")}, otherwise=answering(200, PAGE)
    ) as it:
        yield it


def jobs(pipe: Pipeline) -> list[Job]:
    """In the order of their lines."""
    found = pipe.store.search("acme", status=None, batch=None, cursor=None, limit=200).jobs
    return sorted(found, key=lambda job: job.line or 0)


def batch_of(pipe: Pipeline) -> Batch:
    (batch_id,) = {job.batch for job in jobs(pipe)}
    assert batch_id is not None
    return pipe.platform.batches.get(BatchId(batch_id))


def only_batch(pipe: Pipeline) -> Batch:
    (batch,) = pipe.platform.batches.overdue(now=pipe.clock.now() + timedelta(days=99), limit=9)
    return batch


def report(pipe: Pipeline, folder: str = FOLDER) -> list[dict[str, Any]]:
    return [json.loads(line) for line in pipe.objects.read(f"{folder}/report.jsonl").splitlines()]


def summary(pipe: Pipeline, name: str = "_SUCCESS", folder: str = FOLDER) -> dict[str, Any]:
    return dict(json.loads(pipe.objects.read(f"{folder}/{name}")))


def has_report(pipe: Pipeline) -> bool:
    return pipe.objects.exists(f"{FOLDER}/_SUCCESS")


def url_list(documents: Server, count: int) -> bytes:
    return "".join(f"{documents.url}/{number}.pdf\n" for number in range(1, count + 1)).encode()


def codes(pipe: Pipeline) -> Mapping[int, str]:
    return {job.line or 0: job.error.code for job in jobs(pipe) if job.error is not None}


def test_of_20_urls_with_3_bad_ones_17_are_finished_and_3_failed(pipe: Pipeline, documents: Server) -> None:
    urls = [f"{documents.url}/{number}.pdf?token=secret" for number in range(1, 18)]
    urls[4:4] = ["ftp://documents.example/a.pdf"]
    urls[9:9] = ["not a URL at all"]
    urls[15:15] = [f"{documents.url}/missing.pdf"]
    pipe.drop(pipe.put(NAME, "\r\n".join(urls).encode()))

    pipe.drain()
    pipe.heal(hours=1)

    lines = report(pipe)
    assert Counter(line["status"] for line in lines) == {"finished": 17, "failed": 3}
    assert [line["line"] for line in lines] == list(range(1, 21))
    assert {line["line"]: line["code"] for line in lines if line["code"]} == {
        5: "url_not_allowed",
        10: "url_not_allowed",
        16: "fetch_failed",
    }
    assert [line["job_id"] for line in lines] == [job.id for job in jobs(pipe)]
    assert summary(pipe) == {
        "batch_id": batch_of(pipe).id,
        "total": 20,
        "counts": {"finished": 17, "failed": 3},
        "erased": 0,
    }
    assert lines[0]["source"] == f"{documents.url}/1.pdf"
    assert b"secret" not in pipe.objects.read(f"{FOLDER}/report.jsonl")
    for line in lines:
        folder = str(line["result"]).removeprefix("gs://pagemill/")
        assert folder == f"{FOLDER}/_line-{line['line']:06d}/"
        assert pipe.objects.exists(folder + ("_SUCCESS" if line["status"] == "finished" else "_ERROR.json"))


def test_blank_lines_and_comments_are_passed_over_and_lines_keep_their_numbers(
    pipe: Pipeline, documents: Server
) -> None:
    text = f"\ufeff{documents.url}/1.pdf\r\n\r\n  # a comment\n\t{documents.url}/2.pdf  \n   \n{documents.url}/3.pdf"
    pipe.drop(pipe.put(NAME, text.encode()))

    pipe.drain()

    assert [(job.line, job.source.name) for job in jobs(pipe)] == [(1, "1.pdf"), (4, "2.pdf"), (6, "3.pdf")]
    assert {(job.status, job.priority, job.lane) for job in jobs(pipe)} == {(Status.FINISHED, Lane.BULK, Lane.BULK)}


def test_a_line_of_json_asks_for_what_a_request_may(pipe: Pipeline, documents: Server) -> None:
    name = upload_object("acme", "0123")
    pipe.objects.create(name, PAGE)
    pipe.objects.create("inbox/acme/scans/a.pdf", PAGE)
    with Receiver() as receiver:
        wanted: list[object] = [
            {"url": f"{documents.url}/1.pdf", "priority": "express", "options": {"page_markers": False}},
            {"pdf_url": pipe.objects.uri(name), "pages": "1"},
            {"image_url": "gs://pagemill/inbox/acme/scans/a.pdf", "callback_url": f"{receiver.url}/hook"},
        ]
        pipe.drop(pipe.put("inbox/acme/urls.jsonl", b"\n".join(json.dumps(each).encode() for each in wanted)))

        pipe.drain()

        assert [job.status for job in jobs(pipe)] == [Status.FINISHED] * 3
        assert [job.priority for job in jobs(pipe)] == [Lane.EXPRESS, Lane.BULK, Lane.BULK]
        assert not jobs(pipe)[0].options.page_markers
        assert len(receiver.wait_for(1)) == 1


BAD_LINES: dict[bytes, str] = {
    b"{": "invalid_request",
    b"[]": "invalid_request",
    b'"https://documents.example/a.pdf"': "invalid_request",
    b"\xff": "invalid_request",
    b"[" * 50_000: "invalid_request",
    b"# a comment": "invalid_request",
    b"{}": "invalid_request",
    b'{"url": "https://documents.example/a.pdf", "pdf_url": "https://documents.example/a.pdf"}': "invalid_request",
    b'{"url": "https://documents.example/a.pdf", "idempotency_key": "k"}': "invalid_request",
    b'{"url": "https://documents.example/a.pdf", "pages": "0"}': "invalid_request",
    b'{"url": "https://documents.example/a.pdf", "dpi": 300}': "invalid_request",
    b'{"url": "gs://pagemill/inbox/other/a.pdf"}': "url_not_allowed",
    b'{"url": "gs://pagemill/uploads/other/a"}': "url_not_allowed",
    b'{"url": "https://user:pass@documents.example/a.pdf"}': "url_not_allowed",
    b'{"url": "https://documents.example/a.pdf", "callback_url": "http://10.0.0.1/"}': "url_not_allowed",
    b'{"url": "https://' + b"x" * 70_000 + b'"}': "too_large",
}


def test_every_bad_line_is_a_job_with_its_code_and_the_next_line_is_read(pipe: Pipeline, documents: Server) -> None:
    good = json.dumps({"url": f"{documents.url}/1.pdf"}).encode()
    pipe.drop(pipe.put("inbox/acme/urls.jsonl", b"\n".join([*BAD_LINES, good])))

    pipe.drain()

    assert codes(pipe) == dict(enumerate(BAD_LINES.values(), 1))
    assert jobs(pipe)[-1].status is Status.FINISHED
    assert not any("pass" in job.source.name + job.source.location for job in jobs(pipe))


def test_a_bad_line_whose_callback_is_good_is_told(pipe: Pipeline) -> None:
    with Receiver() as receiver:
        line = {"url": "ftp://documents.example/a.pdf", "callback_url": f"{receiver.url}/hook"}
        pipe.drop(pipe.put("inbox/acme/urls.jsonl", json.dumps(line).encode()))

        pipe.drain()

        assert json.loads(receiver.wait_for(1)[0].body)["error"]["code"] == "url_not_allowed"


def test_options_beside_a_list_are_each_lines_unless_it_says_otherwise(pipe: Pipeline, documents: Server) -> None:
    name = "inbox/acme/urls.jsonl"
    pipe.put(f"{name}.options.json", b'{"pages": "1", "priority": "express"}')
    lines = [{"url": f"{documents.url}/1.pdf"}, {"url": f"{documents.url}/2.pdf", "pages": "r1"}]
    pipe.drop(pipe.put(name, b"\n".join(json.dumps(line).encode() for line in lines)))

    assert [(job.pages, job.priority) for job in jobs(pipe)] == [("1", Lane.EXPRESS), ("r1", Lane.EXPRESS)]


def test_options_beside_a_list_that_make_no_sense_fail_the_list_as_a_whole(pipe: Pipeline, documents: Server) -> None:
    pipe.put(f"{NAME}.options.json", b'{"url": "https://documents.example/"}')
    pipe.drop(pipe.put(NAME, url_list(documents, 3)))

    pipe.heal(hours=1)

    assert jobs(pipe) == []
    assert summary(pipe, "_ERROR.json")["code"] == "invalid_request"
    assert not has_report(pipe)


@pytest.mark.parametrize("data", [b"", b"\n\n# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_list_has_an_empty_report(pipe: Pipeline, data: bytes) -> None:
    pipe.drop(pipe.put(NAME, data))

    pipe.heal(hours=1)

    assert report(pipe) == []
    assert summary(pipe)["total"] == 0


def test_a_list_that_is_too_long_is_not_begun(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox, documents: Server
) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, settings={"max_list_lines": 3}) as pipe:
        pipe.drop(pipe.put("inbox/acme/three.txt", url_list(documents, 3)))
        pipe.drop(pipe.put(NAME, url_list(documents, 4)))

        pipe.heal(hours=1)

        assert len(jobs(pipe)) == 3
        assert summary(pipe, "_ERROR.json")["code"] == "too_large"
        assert "3" in summary(pipe, "_ERROR.json")["message"]


def test_an_event_that_comes_five_times_starts_each_line_once(pipe: Pipeline, documents: Server) -> None:
    event = pipe.put(NAME, url_list(documents, 5))

    for _ in range(5):
        pipe.drop(event)
        pipe.drain(times=2)
        pipe.heal(hours=0.5)

    assert len(jobs(pipe)) == 5
    assert len(report(pipe)) == 5


def test_if_the_bus_loses_every_announcement_the_list_is_read_all_the_same(pipe: Pipeline, documents: Server) -> None:
    pipe.drop(pipe.put(NAME, url_list(documents, 5)))
    pipe.drain(lost=lambda _: True)

    pipe.heal(hours=2)

    assert Counter(line["status"] for line in report(pipe)) == {"finished": 5}


def test_a_drop_killed_between_any_two_of_its_effects_is_continued_by_sweep(pipe: Pipeline, documents: Server) -> None:
    for effects in range(MOST_EFFECTS):
        name, folder = f"inbox/acme/{effects}.txt", f"outbox/acme/{effects}.txt"
        event = pipe.put(name, url_list(documents, 5))
        died = pipe.killed(effects, lambda twin: twin.drop(event))  # noqa: B023
        if effects < 2:
            pipe.drop(event)  # nothing was stored yet: the event comes again

        pipe.heal(hours=2)

        assert [line["line"] for line in report(pipe, folder)] == [1, 2, 3, 4, 5]
        assert summary(pipe, folder=folder)["counts"] == {"finished": 5}
        if not died:
            break

    assert not died
    assert effects >= 10
    assert isinstance(pipe.engine, ScriptedEngine)
    assert pipe.engine.readings == 5 * (effects + 1)


def test_a_long_list_goes_on_where_it_was(pipe: Pipeline, clock: ManualClock, documents: Server) -> None:
    event = pipe.put(NAME, url_list(documents, 450))
    assert pipe.killed(600, lambda twin: twin.drop(event))
    noted = only_batch(pipe)
    assert noted.total is None
    assert 200 <= noted.started < 450

    clock.advance(timedelta(minutes=2))
    pipe.sweep()

    assert (only_batch(pipe).started, only_batch(pipe).total) == (450, 450)
    assert sum(pipe.store.count("acme", batch=noted.id).values()) == 450


def test_an_event_that_comes_again_starts_nothing_beside_the_start_that_is_under_way(
    pipe: Pipeline, clock: ManualClock, documents: Server
) -> None:
    event = pipe.put(NAME, url_list(documents, 250))
    assert pipe.killed(400, lambda twin: twin.drop(event))
    begun = only_batch(pipe)

    pipe.drop(event)
    assert only_batch(pipe) == begun
    clock.advance(timedelta(minutes=2))
    pipe.sweep()

    assert only_batch(pipe).total == 250


def test_a_sweep_killed_between_any_two_effects_of_a_report_writes_one(pipe: Pipeline, clock: ManualClock) -> None:
    for effects in range(MOST_EFFECTS):
        name, folder = f"inbox/acme/{effects}.txt", f"outbox/acme/{effects}.txt"
        pipe.drop(pipe.put(name, b"ftp://documents.example/a.pdf\n"))
        pipe.drain()
        clock.advance(timedelta(minutes=1))

        died = pipe.killed(effects, lambda twin: twin.sweep())
        pipe.heal(hours=1)

        assert len(report(pipe, folder)) == 1
        assert summary(pipe, folder=folder)["total"] == 1
        if not died:
            break

    assert not died
    assert effects >= 4


def test_the_report_waits_for_the_last_job_and_for_its_results(pipe: Pipeline, documents: Server) -> None:
    pipe.drop(pipe.put(NAME, url_list(documents, 3)))
    last = jobs(pipe)[2]
    pipe.drain(lost=lambda message: message.job_id == last.id)
    for _ in range(3):
        pipe.clock.sleep(50)
        pipe.platform.batches.update(only_batch(pipe).id, lambda each: each)
        pipe.sweep()
        pipe.drain(lost=lambda message: message.job_id == last.id)
    assert not has_report(pipe)

    pipe.heal(hours=1, lost=lambda message: message.job_id == last.id and isinstance(message, RoundEnded))
    assert pipe.job(last.id).status is Status.FINISHED
    assert not has_report(pipe)
    pipe.heal(hours=1)

    assert report(pipe)[2]["result"] is not None


def test_jobs_that_were_deleted_or_cancelled_hold_back_no_report(pipe: Pipeline, documents: Server) -> None:
    pipe.drop(pipe.put(NAME, url_list(documents, 4)))
    first, second, third, _ = jobs(pipe)
    delete(first.id, pipe.platform)
    cancel(second.id, pipe.platform)
    pipe.drain()
    delete(third.id, pipe.platform)

    pipe.heal(hours=1)

    assert [(line["line"], line["status"], line["code"]) for line in report(pipe)] == [
        (2, "cancelled", "cancelled"),
        (4, "finished", None),
    ]
    assert summary(pipe) == {
        "batch_id": batch_of(pipe).id,
        "total": 4,
        "counts": {"finished": 1, "cancelled": 1},
        "erased": 2,
    }


def test_jobs_that_expire_before_the_last_one_ends_hold_back_no_report(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox, documents: Server
) -> None:
    limits = {"retention_days": 0.01, "deadline_hours": 2}
    with pipeline(tmp_path / "data", clock, sandbox, settings=limits) as pipe:
        pipe.drop(pipe.put(NAME, url_list(documents, 3)))
        last = jobs(pipe)[2]

        pipe.heal(hours=4, lost=lambda message: message.job_id == last.id and not isinstance(message, RoundEnded))

        assert [(line["line"], line["code"]) for line in report(pipe)] == [(3, "deadline_exceeded")]
        assert summary(pipe)["erased"] == 2


def test_a_report_is_written_once_though_a_job_is_tried_again_later(pipe: Pipeline, documents: Server) -> None:
    pipe.drop(pipe.put(NAME, f"{documents.url}/missing.pdf".encode()))
    pipe.drain()
    pipe.heal(hours=0.5)
    before = pipe.objects.read(f"{FOLDER}/report.jsonl")

    retry(jobs(pipe)[0].id, pipe.platform)
    pipe.heal(hours=1)

    assert pipe.objects.read(f"{FOLDER}/report.jsonl") == before
    assert pipe.objects.exists(f"{FOLDER}/_line-000001/_round-2/_ERROR.json")


def test_a_bad_line_that_is_tried_again_fetches_nothing(pipe: Pipeline) -> None:
    pipe.drop(pipe.put(NAME, b"http://169.254.169.254/latest\n"))

    retry(jobs(pipe)[0].id, pipe.platform)
    pipe.drain()

    assert codes(pipe) == {1: "url_not_allowed"}


def test_a_list_that_is_gone_before_its_end_says_so_and_what_was_started_is_reported(
    pipe: Pipeline, documents: Server
) -> None:
    event = pipe.put(NAME, url_list(documents, 250))
    assert pipe.killed(400, lambda twin: twin.drop(event))
    pipe.objects.erase(NAME)
    pipe.put(NAME, url_list(documents, 1))

    pipe.heal(hours=2)

    error = summary(pipe, "_ERROR.json")
    assert error["code"] == "fetch_failed"
    assert 100 <= len(report(pipe)) < 250
    assert error["counts"] == {"finished": len(report(pipe))}
    assert not has_report(pipe)


def test_another_version_of_a_list_is_another_batch_with_a_folder_of_its_own(pipe: Pipeline, documents: Server) -> None:
    pipe.drop(pipe.put(NAME, url_list(documents, 3)))
    pipe.drain()
    pipe.heal(hours=1)
    pipe.objects.erase(NAME)
    second = pipe.put(NAME, url_list(documents, 1))

    pipe.drop(second)
    pipe.heal(hours=1)

    assert len(report(pipe)) == 3
    assert len(report(pipe, f"{FOLDER}/_version-{second.version}")) == 1


def test_a_batch_is_forgotten_when_it_was_kept_long_enough(pipe: Pipeline, documents: Server) -> None:
    pipe.drop(pipe.put(NAME, url_list(documents, 2)))

    pipe.heal(hours=24 * 10, step=timedelta(hours=6))

    assert pipe.platform.batches.overdue(now=pipe.clock.now() + timedelta(days=99), limit=9) == ()
    assert pipe.store.overdue(now=pipe.clock.now() + timedelta(days=99), limit=9) == ()
    assert has_report(pipe)


def test_an_event_that_comes_again_within_a_day_finds_its_batch_though_nothing_is_kept_long(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox, documents: Server
) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, settings={"retention_days": 0.001}) as pipe:
        event = pipe.put(NAME, url_list(documents, 2))
        pipe.drop(event)
        pipe.heal(hours=23)

        pipe.drop(event)
        pipe.drain()

        assert jobs(pipe) == []
