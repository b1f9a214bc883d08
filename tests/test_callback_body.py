"""What a callback says, and how it gives way to links where it is large."""

import json
from pathlib import Path

import pytest

from notifier.body import LARGEST_BODY, callback_body
from shared.adapters.embedded.objects import FileObjectStore
from shared.domain.callback import Callback
from shared.domain.status import Status
from shared.layout import image_object, result_json, result_markdown
from shared.ports.objects import ObjectStore
from tests.builders import a_job
from tests.clocks import ManualClock


@pytest.fixture
def objects(tmp_path: Path, clock: ManualClock) -> ObjectStore:
    return FileObjectStore(tmp_path, clock=clock, base_url="http://127.0.0.1", key=b"k" * 32)


JOB = a_job()
FINISHED = Callback(round=1, status=Status.FINISHED)


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


def test_a_job_that_read_nothing_has_no_result(objects: ObjectStore) -> None:
    body = json.loads(callback_body(JOB, Callback(round=1, status=Status.CANCELLED), objects))

    assert (body["status"], body["result"]) == ("cancelled", None)
