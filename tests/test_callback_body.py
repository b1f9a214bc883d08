"""What a callback says, and how it gives way to links where it is large."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from notifier.body import LARGEST_BODY, LINK_LIFE, callback_body
from shared.adapters.embedded.objects import FileObjectStore
from shared.domain.callback import Callback
from shared.domain.status import Status
from shared.layout import image_object, result_json, result_markdown
from shared.ports.objects import ObjectStore
from shared.storing import link_all
from tests.builders import a_job
from tests.clocks import ManualClock


@pytest.fixture
def objects(tmp_path: Path, clock: ManualClock) -> ObjectStore:
    return FileObjectStore(tmp_path, clock=clock, base_url="http://127.0.0.1", key=b"k" * 32)


JOB = a_job()
FINISHED = Callback(round=1, status=Status.FINISHED)


class WatchedLinks:
    """The real store, which tells of each link that it makes."""

    def __init__(self, objects: ObjectStore, seen: Callable[[str], object]) -> None:
        self._objects, self._seen = objects, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def link(self, name: str, ttl: timedelta) -> str:
        self._seen(name)
        return self._objects.link(name, ttl)


def watched(objects: ObjectStore, seen: Callable[[str], object]) -> ObjectStore:
    return cast("ObjectStore", WatchedLinks(objects, seen))


def body_of(objects: ObjectStore, markdown: str, images: int = 0) -> dict[str, object]:
    names = [f"images/{number:016x}.png" for number in range(images)]
    for name in names:
        objects.create(image_object(JOB.id, name), b"png")
    linked = "\n".join(f"![]({name})" for name in names)
    objects.create(result_markdown(JOB.id, 1), f"{markdown}\n{linked}\n".encode())
    objects.create(result_json(JOB.id, 1), b"{}")
    data = callback_body(JOB, FINISHED, objects)
    assert len(data) <= LARGEST_BODY
    result = json.loads(data)["result"]
    assert isinstance(result, dict)
    return result


def test_a_small_result_is_whole(objects: ObjectStore) -> None:
    result = body_of(objects, "text", images=2)

    assert str(result["markdown"]).startswith("text")
    assert isinstance(result["images"], dict)
    assert len(result["images"]) == 2


def test_a_large_result_comes_as_links(objects: ObjectStore) -> None:
    result = body_of(objects, "x" * 300_000, images=2)

    assert set(result) == {"markdown_url", "json_url", "images"}


def test_a_result_with_very_many_images_links_to_the_document_alone(objects: ObjectStore) -> None:
    result = body_of(objects, "text", images=2_000)

    assert set(result) == {"markdown_url", "json_url"}


@pytest.mark.parametrize(("images", "links"), [(0, 2), (50, 52), (2_000, 2)])
def test_no_link_is_signed_that_cannot_be_told(objects: ObjectStore, images: int, links: int) -> None:
    signed: list[str] = []

    body_of(watched(objects, signed.append), "text", images=images)

    assert len(signed) == links


def test_links_are_signed_at_once(objects: ObjectStore) -> None:
    """Each waits for seven others."""
    names = [f"jobs/1/images/{number}.png" for number in range(16)]
    meeting = threading.Barrier(8, timeout=20)

    links = link_all(names, LINK_LIFE, watched(objects, lambda _: meeting.wait()))

    assert links == [objects.link(name, LINK_LIFE) for name in names]


def test_a_job_that_read_nothing_has_no_result(objects: ObjectStore) -> None:
    body = json.loads(callback_body(JOB, Callback(round=1, status=Status.CANCELLED), objects))

    assert (body["status"], body["result"]) == ("cancelled", None)
