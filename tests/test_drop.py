"""What is dropped into an inbox: once for each version, its results beside it, and nothing that is wrong is silent."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest_fn.drop import Dropped
from ingest_fn.rounds import cancel, delete, replay_callback, retry
from shared.domain.callback import Callback, CallbackEnd, Channel
from shared.domain.document import linked_images
from shared.domain.errors import PageRefused, Unavailable
from shared.domain.job import Job
from shared.domain.messages import RoundEnded
from shared.domain.options import Lane
from shared.domain.page import PageImage
from shared.domain.status import Status
from shared.domain.webhook import ATTEMPTS
from shared.layout import image_object, result_markdown
from shared.outbox import outbox_folder
from shared.pdf.sandbox import Sandbox
from tests import samples
from tests.clocks import ManualClock
from tests.engines import ScriptedEngine
from tests.pipeline import Pipeline, pipeline, sized_pdf
from tests.servers import Receiver

NAME = "inbox/acme/2026/März #1.pdf"
FOLDER = "outbox/acme/2026/März #1.pdf"
PAGE = samples.pdf(["one"])
MOST_EFFECTS = 40


def jobs(pipe: Pipeline, tenant: str = "acme") -> tuple[Job, ...]:
    return pipe.store.search(tenant, status=None, batch=None, cursor=None, limit=200).jobs


def outbox(pipe: Pipeline, folder: str = FOLDER) -> set[str]:
    return {name.removeprefix(f"{folder}/") for name in pipe.objects.names(f"{folder}/")}


def read(pipe: Pipeline, name: str, folder: str = FOLDER) -> dict[str, Any]:
    return dict(json.loads(pipe.objects.read(f"{folder}/{name}")))


def copied(job: Job, round_: int = 1) -> Callback:
    callback = job.callback_of(round_, Channel.OUTBOX)
    assert callback is not None
    return callback


def refusing(*, width: int) -> Callable[[PageImage], None]:
    def script(image: PageImage) -> None:
        if image.width == width:
            raise PageRefused("told to")

    return script


def test_a_document_is_read_and_its_results_lie_beside_it(pipe: Pipeline) -> None:
    pipe.drop(pipe.put(NAME, PAGE))

    pipe.drain()

    (job,) = jobs(pipe)
    assert (job.status, job.source.name, job.priority) == (Status.FINISHED, "März #1.pdf", Lane.EXPRESS)
    assert outbox(pipe) == {"_SOURCE.json", "result.md", "result.json", "_SUCCESS"}
    assert pipe.objects.read(f"{FOLDER}/result.md").startswith(b"<!-- page 1 -->")
    assert read(pipe, "_SUCCESS") == {"job_id": job.id, "round": 1, "partial": False, "failed_pages": []}
    assert copied(job).end is CallbackEnd.DELIVERED


def test_images_lie_where_the_markdown_says(pipe: Pipeline) -> None:
    """The null engine finds no figures: the result is given one."""
    pipe.drop(pipe.put(NAME, PAGE))
    pipe.drain(lost=lambda message: isinstance(message, RoundEnded))
    (job,) = jobs(pipe)
    image = "images/0123456789abcdef.png"
    pipe.objects.create(image_object(job.id, image), b"png")
    pipe.objects.erase(result_markdown(job.id, 1))
    pipe.objects.create(result_markdown(job.id, 1), f"![]({image})\n".encode())

    pipe.handle(pipe.ended(job.id))

    linked = linked_images(pipe.objects.read(f"{FOLDER}/result.md").decode())
    assert [pipe.objects.read(f"{FOLDER}/{name}") for name in linked] == [b"png"]


def test_an_event_that_comes_five_times_starts_one_job(pipe: Pipeline) -> None:
    event = pipe.put(NAME, PAGE)

    for _ in range(5):
        pipe.drop(event)
        pipe.drain(times=3)

    (job,) = jobs(pipe)
    assert copied(job).attempts == 1
    assert len(outbox(pipe)) == 4


def test_an_event_that_comes_after_the_job_was_deleted_starts_nothing(pipe: Pipeline) -> None:
    event = pipe.put(NAME, PAGE)
    pipe.drop(event)
    delete(jobs(pipe)[0].id, pipe.platform)
    pipe.sweep()

    pipe.drop(event)
    pipe.drain()

    assert jobs(pipe) == ()
    assert outbox(pipe) == {"_SOURCE.json"}
    assert pipe.objects.exists(NAME)


@pytest.mark.parametrize(
    "name",
    [
        "inbox/acme/folder/",
        "inbox/acme/",
        "inbox/acme",
        "inbox/a.pdf",
        "inbox/",
        "outbox/acme/a.pdf/result.md",
        "jobs/1/source",
        "inbox/acme//a.pdf",
        "inbox/acme/../other/a.pdf",
        "inbox/acme/a\n.pdf",
        "inbox/acme/" + "x" * 201,
        "inbox/acme/a.pdf.options.json",
        "inbox/acme/list.txt.options.json",
    ],
)
def test_what_is_no_document_by_its_place_or_name_starts_nothing(pipe: Pipeline, name: str) -> None:
    pipe.drop(Dropped(name=name, version="1", size=0))

    assert pipe.store.overdue(now=pipe.clock.now() + timedelta(days=9), limit=9) == ()
    assert list(pipe.objects.names("outbox/")) == []


def test_a_document_is_known_by_its_content_and_anything_else_is_an_error_beside_it(pipe: Pipeline) -> None:
    pipe.drop(pipe.put("inbox/acme/scan.docx", PAGE))
    pipe.drop(pipe.put("inbox/acme/notes.pdf", b"Just some text."))

    pipe.drain()

    assert "_SUCCESS" in outbox(pipe, "outbox/acme/scan.docx")
    assert outbox(pipe, "outbox/acme/notes.pdf") == {"_SOURCE.json", "_ERROR.json"}
    error = read(pipe, "_ERROR.json", "outbox/acme/notes.pdf")
    (job,) = [job for job in jobs(pipe) if job.status is Status.FAILED]
    assert (error["code"], error["job_id"]) == ("not_a_document", job.id)
    assert error["message"] == "The content is not a PDF, PNG, JPEG, TIFF or WebP."


def test_an_object_that_is_too_large_is_not_even_opened(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    with pipeline(tmp_path / "data", clock, sandbox, settings={"max_bytes": 100}) as pipe:
        pipe.drop(Dropped(name=NAME, version="1", size=101))

        pipe.drain()

        assert read(pipe, "_ERROR.json")["code"] == "too_large"


def test_options_beside_the_document_are_its_jobs(pipe: Pipeline) -> None:
    options = {"pages": "2", "priority": "bulk", "options": {"page_markers": False}, "password": "sesame"}
    pipe.put(f"{NAME}.options.json", json.dumps(options).encode())
    pipe.drop(pipe.put(NAME, samples.pdf(["one", "two"])))

    pipe.drain()

    (job,) = jobs(pipe)
    assert (job.status, job.pages, job.priority, job.options.page_markers) == (Status.FINISHED, "2", Lane.BULK, False)
    assert pipe.objects.read(f"{FOLDER}/result.md") == b"This page was not read.\n"


def test_a_job_of_the_inbox_may_have_a_callback_as_well_and_hears_when_the_outbox_is_filled(pipe: Pipeline) -> None:
    with Receiver() as receiver:
        pipe.put(f"{NAME}.options.json", json.dumps({"callback_url": f"{receiver.url}/hook"}).encode())
        pipe.drop(pipe.put(NAME, PAGE))

        pipe.drain(times=2)

        (job,) = jobs(pipe)
        assert [callback.channel for callback in job.callbacks] == [Channel.OUTBOX, Channel.WEBHOOK]
        assert {callback.end for callback in job.callbacks} == {CallbackEnd.DELIVERED}
        assert len(receiver.wait_for(1)) == 1
        assert [attempt.answer for attempt in pipe.store.attempts(job.id)] == [204]


@pytest.mark.parametrize(
    "options",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"dpi": 300}',
        b'{"url": "https://documents.example/a.pdf"}',
        b'{"idempotency_key": "k"}',
        b'{"pages": "0"}',
        b'{"options": {"dpi": 10}}',
        b'{"pages": "' + b" " * 1_000_000 + b'"}',
    ],
    ids=lambda data: ascii(data[:20].decode(errors="replace")),
)
def test_options_that_make_no_sense_fail_the_job_and_say_so(pipe: Pipeline, options: bytes) -> None:
    pipe.put(f"{NAME}.options.json", options)
    pipe.drop(pipe.put(NAME, PAGE))

    pipe.drain()

    (job,) = jobs(pipe)
    assert job.status is Status.FAILED
    assert read(pipe, "_ERROR.json")["code"] == "invalid_request"
    assert "_SUCCESS" not in outbox(pipe)


def test_a_callback_that_may_not_be_called_fails_the_job(pipe: Pipeline) -> None:
    pipe.put(f"{NAME}.options.json", b'{"callback_url": "http://169.254.169.254/hook"}')
    pipe.drop(pipe.put(NAME, PAGE))

    pipe.drain()

    assert read(pipe, "_ERROR.json")["code"] == "url_not_allowed"


def test_options_that_come_late_change_nothing_and_break_nothing(pipe: Pipeline) -> None:
    event = pipe.put(NAME, PAGE)
    pipe.drop(event)
    pipe.put(f"{NAME}.options.json", b"{")

    pipe.drop(event)
    pipe.drain()

    assert [job.status for job in jobs(pipe)] == [Status.FINISHED]


def test_each_round_has_a_folder_of_its_own(tmp_path: Path, clock: ManualClock, sandbox: Sandbox) -> None:
    engine = ScriptedEngine(refusing(width=300))
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        pipe.drop(pipe.put(NAME, sized_pdf(200, 300, 400)))
        pipe.drain()
        (job,) = jobs(pipe)
        engine.script = None

        retry(job.id, pipe.platform)
        pipe.drain()

        first, second = read(pipe, "_SUCCESS"), read(pipe, "_round-2/_SUCCESS")
        assert (first["partial"], [page["page"] for page in first["failed_pages"]]) == (True, [2])
        assert first["failed_pages"][0]["code"] == "engine_refused"
        assert (second["partial"], second["failed_pages"], second["round"]) == (False, [], 2)
        assert b"failed" in pipe.objects.read(f"{FOLDER}/result.md")
        assert b"failed" not in pipe.objects.read(f"{FOLDER}/_round-2/result.md")


def test_a_round_that_is_copied_late_is_the_round_that_ended(
    tmp_path: Path, clock: ManualClock, sandbox: Sandbox
) -> None:
    engine = ScriptedEngine(refusing(width=300))
    with pipeline(tmp_path / "data", clock, sandbox, engine) as pipe:
        pipe.drop(pipe.put(NAME, sized_pdf(200, 300)))
        pipe.drain(lost=lambda message: isinstance(message, RoundEnded))
        engine.script = None
        retry(jobs(pipe)[0].id, pipe.platform)

        pipe.heal(hours=1)

        assert [page["page"] for page in read(pipe, "_SUCCESS")["failed_pages"]] == [2]
        assert read(pipe, "_round-2/_SUCCESS")["failed_pages"] == []


def test_another_version_under_the_same_name_is_another_job_with_a_folder_of_its_own(pipe: Pipeline) -> None:
    first = pipe.put(NAME, samples.pdf(["one"]))
    pipe.drop(first)
    pipe.drain()
    pipe.objects.erase(NAME)
    second = pipe.put(NAME, samples.pdf(["one", "two"]))

    for event in (second, first, second):
        pipe.drop(event)
        pipe.drain()

    folder = f"_version-{second.version}"
    assert len(jobs(pipe)) == 2
    assert pipe.objects.read(f"{FOLDER}/result.md").count(b"<!-- page") == 1
    assert pipe.objects.read(f"{FOLDER}/{folder}/result.md").count(b"<!-- page") == 2
    assert outbox(pipe) == {
        "_SOURCE.json",
        *(f"{below}{name}" for below in ("", f"{folder}/") for name in ("result.md", "result.json", "_SUCCESS")),
    }


def test_a_version_that_was_replaced_before_it_was_read_fails_and_is_never_mistaken_for_the_next(
    pipe: Pipeline,
) -> None:
    first = pipe.put(NAME, samples.pdf(["one"]))
    pipe.objects.erase(NAME)
    second = pipe.put(NAME, samples.pdf(["one", "two"]))

    pipe.drop(first)
    pipe.drop(second)
    pipe.drain()

    assert read(pipe, "_ERROR.json")["code"] == "fetch_failed"
    assert pipe.objects.read(f"{FOLDER}/_version-{second.version}/result.md").count(b"<!-- page") == 2


def test_a_cancelled_job_says_so_in_its_folder(pipe: Pipeline) -> None:
    pipe.drop(pipe.put(NAME, PAGE))
    cancel(jobs(pipe)[0].id, pipe.platform)

    pipe.drain()

    assert read(pipe, "_ERROR.json")["code"] == "cancelled"


def test_results_that_could_not_be_copied_are_copied_by_sweep(pipe: Pipeline) -> None:
    pipe.drop(pipe.put(NAME, PAGE))
    pipe.drain(lost=lambda message: isinstance(message, RoundEnded))
    assert "_SUCCESS" not in outbox(pipe)

    pipe.heal(hours=1)

    assert "_SUCCESS" in outbox(pipe)


def test_an_outbox_that_is_away_is_tried_again_and_holds_back_no_webhook(pipe: Pipeline) -> None:
    with Receiver() as receiver:
        pipe.put(f"{NAME}.options.json", json.dumps({"callback_url": f"{receiver.url}/hook"}).encode())
        pipe.drop(pipe.put(NAME, PAGE))
        pipe.drain(lost=lambda message: isinstance(message, RoundEnded))
        unfinished = pipe.platform.settings.data / "unfinished"
        away = unfinished.rename(unfinished.with_name("away"))

        pipe.handle(pipe.ended(jobs(pipe)[0].id))
        assert len(receiver.wait_for(1)) == 1
        assert "_SUCCESS" not in outbox(pipe)
        away.rename(unfinished)
        pipe.heal(hours=1, step=timedelta(seconds=20))

        (job,) = jobs(pipe)
        assert (copied(job).end, copied(job).attempts) == (CallbackEnd.DELIVERED, 2)
        assert "_SUCCESS" in outbox(pipe)
        assert len(receiver.received) == 1


def test_a_webhook_waits_while_the_outbox_is_being_filled_and_no_longer(pipe: Pipeline, clock: ManualClock) -> None:
    """Somebody else has begun to copy, and was killed."""
    with Receiver() as receiver:
        pipe.put(f"{NAME}.options.json", json.dumps({"callback_url": f"{receiver.url}/hook"}).encode())
        pipe.drop(pipe.put(NAME, PAGE))
        pipe.drain(lost=lambda message: isinstance(message, RoundEnded))
        ended = pipe.ended(jobs(pipe)[0].id)
        assert pipe.killed(2, lambda twin: twin.handle(ended))

        pipe.handle(ended)
        assert (receiver.received, "_SUCCESS" in outbox(pipe)) == ([], False)
        clock.advance(timedelta(minutes=11))
        pipe.handle(ended)

        assert len(receiver.wait_for(1)) == 1
        assert "_SUCCESS" in outbox(pipe)


def test_copying_that_kills_its_process_each_time_is_given_up_and_the_job_expires(
    pipe: Pipeline, clock: ManualClock
) -> None:
    pipe.drop(pipe.put(NAME, PAGE))
    pipe.drain(lost=lambda message: isinstance(message, RoundEnded))
    ended = pipe.ended(jobs(pipe)[0].id)
    for _ in range(ATTEMPTS):
        assert pipe.killed(1, lambda twin: twin.handle(ended))
        clock.advance(timedelta(minutes=11))

    pipe.handle(ended)

    (job,) = jobs(pipe)
    assert (copied(job).end, copied(job).attempts) == (CallbackEnd.EXHAUSTED, ATTEMPTS)
    assert job.next_check_at == job.expires_at


def test_results_are_copied_again_when_somebody_asks_and_has_made_room(pipe: Pipeline) -> None:
    pipe.drop(pipe.put(NAME, PAGE))
    pipe.drain()
    (job,) = jobs(pipe)
    pipe.objects.erase(f"{FOLDER}/")

    replay_callback(job.id, pipe.platform)
    pipe.drain()

    assert {"result.md", "_SUCCESS"} <= outbox(pipe)


@pytest.mark.parametrize("stage", ["drop", "notifier"])
def test_killed_between_any_two_effects_the_document_is_read_once_and_copied_once(pipe: Pipeline, stage: str) -> None:
    assert isinstance(pipe.engine, ScriptedEngine)
    for effects in range(MOST_EFFECTS):
        event = pipe.put(f"inbox/acme/{effects}.pdf", PAGE)
        if stage == "drop":
            died = pipe.killed(effects, lambda twin: twin.drop(event))  # noqa: B023
            pipe.drop(event)
        else:
            pipe.drop(event)
            pipe.drain(lost=lambda message: isinstance(message, RoundEnded))
            ended = RoundEnded(job_id=jobs(pipe)[0].id, round=1)
            died = pipe.killed(effects, lambda twin: twin.handle(ended))  # noqa: B023
        pipe.heal(hours=1)

        assert pipe.engine.readings == effects + 1
        assert "_SUCCESS" in outbox(pipe, f"outbox/acme/{effects}.pdf")
        if not died:
            break

    assert not died
    assert effects >= 3
    assert len(jobs(pipe)) == effects + 1


def test_a_store_that_is_away_is_an_event_that_comes_again(pipe: Pipeline) -> None:
    event = pipe.put(NAME, PAGE)
    pipe.opened.close()

    with pytest.raises(Unavailable):
        pipe.drop(event)


LONG = "/".join(["x" * 100] * 10)
NAMES = [
    "inbox/acme/a.pdf",
    "inbox/acme/a.pdf/_round-2",
    "inbox/acme/a.pdf/__round-2",
    "inbox/acme/a.pdf/_version-1",
    "inbox/acme/a.pdf/_line-000001",
    "inbox/acme/_line-000001/a.pdf",
    f"inbox/acme/_long-{hashlib.sha256(LONG.encode()).hexdigest()[:32]}",
    "inbox/acme/_scan.pdf",
    "inbox/acme/__scan.pdf",
    "inbox/other/a.pdf",
    f"inbox/acme/{LONG}",
    "inbox/acme/" + "/".join(["x" * 100] * 9),
    "inbox/acme/" + "/".join(["x" * 100] * 9) + "y",
    "inbox/acme/" + "é" * 100,
]


def test_no_two_names_share_a_folder_and_ours_are_nobodys() -> None:
    folders = [outbox_folder(name) for name in NAMES]

    ours = {f"{folder}/{below}" for folder in folders for below in ("_round-2", "_version-1", "_line-000001")}
    assert len(set(folders)) == len(NAMES)
    assert not ours & set(folders)
    assert folders[0] == "outbox/acme/a.pdf"
    assert folders[7] == "outbox/acme/_scan.pdf"
