"""Who may post to a function, how much, and how many at once: pushes, events."""

import json
import logging
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from ingest_fn.events import take_event
from ingest_fn.guards import guards
from ingest_fn.inbox import Dropping
from ingest_fn.submit import new_id
from shared.adapters.google.push import OidcVerifier
from shared.callers import verifier
from shared.config import Settings, SettingsError
from shared.domain.job import JobId
from shared.domain.messages import Message, PrepareDocument, Topic, to_bytes
from shared.push import PushEnd, push_end, take_push
from shared.wiring import Platform, embedded

MESSAGE = PrepareDocument(job_id=JobId("1"))
PUSH = json.dumps({"message": {"data": b64encode(to_bytes(MESSAGE)).decode()}}).encode()
OWN = {"push_audience": "https://prepare.example", "push_account": "push@project.iam.gserviceaccount.com"}
STRICT = OidcVerifier(audience=OWN["push_audience"], account=OWN["push_account"])
MOST = 65_536

Take = Callable[[Request], Awaitable[Response]]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    family = embedded(Settings(data=tmp_path, inbox_bucket="inbox-1"), base_url="http://mill.example")
    yield family.platform
    family.close()


class Posted:
    """A request as a server would give it to us, 1 kB at a time; `sent` is what was asked for of its body."""

    def __init__(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.sent = 0
        self._body = body
        pairs = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        self._scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": pairs}

    async def answered(self, take: Take) -> int:
        return (await take(Request(self._scope, self._receive))).status_code

    async def _receive(self) -> dict[str, Any]:
        chunk = self._body[self.sent : self.sent + 1024]
        self.sent += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": self.sent < len(self._body)}


def status(posted: Posted, take: Take) -> int:
    return anyio.run(posted.answered, take)


def an_end(platform: Platform, handle: Callable[[Message], None], **changes: Any) -> PushEnd:
    end = PushEnd(
        platform=platform, topic=Topic.DOCUMENTS, handle=handle, verifier=None, places=CapacityLimiter(1), patience=5
    )
    return replace(end, **changes)


def pushing(end: PushEnd) -> Take:
    return lambda request: take_push(request, end)


def test_without_both_settings_nothing_is_open_to_anybody(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)

    with pytest.raises(SettingsError, match="PUSH_AUDIENCE and PAGEMILL_PUSH_ACCOUNT"):
        push_end(platform, Topic.DOCUMENTS, print)
    assert verifier(replace(platform.settings, **OWN)) is not None  # type: ignore[arg-type]  # strings both


@pytest.mark.parametrize("missing", sorted(OWN))
def test_half_of_the_settings_is_none_on_an_emulator_either(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")

    assert verifier(platform.settings) is None
    with pytest.raises(SettingsError):
        verifier(replace(platform.settings, **{**OWN, missing: None}))  # type: ignore[arg-type]  # as above


def test_only_where_cloud_run_checks_is_the_account_enough(platform: Platform) -> None:
    account = replace(platform.settings, push_account=OWN["push_account"])

    assert verifier(replace(account, push_checked_by="cloud-run")) is not None
    with pytest.raises(SettingsError):
        verifier(account)


def test_a_strangers_push_is_refused_unread(platform: Platform) -> None:
    handled: list[Message] = []
    posted = Posted(PUSH, {"Authorization": "Bearer a.b.c"})

    answer = status(posted, pushing(an_end(platform, handled.append, verifier=STRICT)))

    assert (answer, posted.sent, handled) == (401, 0, [])


def test_a_push_is_handled_and_taken(platform: Platform) -> None:
    handled: list[Message] = []

    assert status(Posted(PUSH), pushing(an_end(platform, handled.append))) == 204

    assert handled == [MESSAGE]


def test_what_is_larger_than_any_message_is_not_read_to_its_end(platform: Platform) -> None:
    posted = Posted(b" " * 10_000_000)

    answer = status(posted, pushing(an_end(platform, print)))

    assert answer == 204
    assert posted.sent <= MOST + 1024
    assert platform.metrics.value("malformed_messages_total") == 1


class Hanging:
    """A handler that hangs until it is let go; meanwhile one of two pushes waits."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, _: Message) -> None:
        self.begun.set()
        self.go_on.wait(10)

    async def with_another(self, end: PushEnd) -> dict[str, int]:
        answers: dict[str, int] = {}

        async def push(name: str) -> None:
            answers[name] = await Posted(PUSH).answered(pushing(end))
            self.go_on.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push, "first")
            await to_thread.run_sync(self.begun.wait, 10)
            tasks.start_soon(push, "second")
            if end.patience > 1:
                await anyio.sleep(0.1)
                self.go_on.set()
        return answers


def test_who_finds_no_place_in_time_is_sent_elsewhere(platform: Platform) -> None:
    hanging = Hanging()

    answers = anyio.run(hanging.with_another, an_end(platform, hanging, patience=0.05))

    assert answers == {"first": 204, "second": 429}


def test_who_finds_a_place_in_time_is_handled(platform: Platform) -> None:
    hanging = Hanging()

    answers = anyio.run(hanging.with_another, an_end(platform, hanging))

    assert answers == {"first": 204, "second": 204}


EVENT = {"ce-id": "1", "ce-source": "//storage", "ce-specversion": "1.0", "ce-type": "finalized"}
JSON = {"Content-Type": "application/json"}


def an_event(**changes: object) -> bytes:
    data = {"bucket": "inbox-1", "name": "inbox/acme/a.pdf", "generation": "7", "size": "3"} | changes
    return json.dumps(data).encode()


def dropped(platform: Platform, posted: Posted, check: OidcVerifier | None = None) -> int:
    sources, callbacks = guards(platform.settings)
    dropping = Dropping(platform=platform, sources=sources, callbacks=callbacks, new_id=new_id)
    return status(posted, lambda request: take_event(request, dropping, check))


def jobs(platform: Platform) -> int:
    return len(platform.store.search("acme", status=None, batch=None, cursor=None, limit=10).jobs)


def test_an_event_starts_a_job(platform: Platform) -> None:
    assert dropped(platform, Posted(an_event(), EVENT | JSON)) == 204

    assert jobs(platform) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (an_event(bucket="another"), EVENT | JSON),
        (an_event(name=None), EVENT | JSON),
        (an_event(generation="x"), EVENT | JSON),
        (an_event(), JSON),
        (b"[]", EVENT | JSON),
        (b"{", EVENT | JSON),
        (b"", EVENT | JSON),
        (b" " * 10_000_000, EVENT | JSON),
    ],
    ids=["bucket", "name", "generation", "no event", "list", "no json", "nothing", "large"],
)
def test_what_is_no_event_of_the_inbox_is_taken_and_said_aloud(
    platform: Platform, body: bytes, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert dropped(platform, Posted(body, headers)) == 204

    assert jobs(platform) == 0
    assert platform.metrics.value("malformed_messages_total") == 1
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["malformed event"]


def test_a_strangers_event_is_refused_unread(platform: Platform) -> None:
    posted = Posted(an_event(), EVENT | JSON)

    assert dropped(platform, posted, STRICT) == 401

    assert (posted.sent, jobs(platform)) == (0, 0)
