"""A round's results beside the inbox: copied first, and then the one object that says that they are all there."""

import json

from shared.domain.callback import Callback
from shared.domain.document import Document, linked_images
from shared.domain.errors import Cancelled
from shared.domain.job import Job
from shared.domain.status import Status
from shared.layout import image_object, result_json, result_markdown
from shared.outbox import ERROR, SUCCESS, round_folder
from shared.ports.objects import ObjectStore
from shared.records import from_json


def copy_results(job: Job, callback: Callback, outbox: str, objects: ObjectStore) -> None:
    """Fill the round's folder. Calling it again, or twice at once, changes nothing: each object is created once.

    Raises UnknownObject where the result was erased meanwhile.
    """
    folder = round_folder(outbox, callback.round)
    if callback.status is not Status.FINISHED:
        objects.create(f"{folder}/{ERROR}", _error(job, callback))
        return
    markdown = result_markdown(job.id, callback.round)
    for name in linked_images(objects.read(markdown).decode()):
        objects.copy(image_object(job.id, name), f"{folder}/{name}")
    objects.copy(result_json(job.id, callback.round), f"{folder}/result.json")
    objects.copy(markdown, f"{folder}/result.md")
    objects.create(f"{folder}/{SUCCESS}", _success(job, callback, objects))


def _error(job: Job, callback: Callback) -> bytes:
    failure = callback.error or Cancelled().failure
    return _encoded({"code": failure.code, "message": failure.message, "job_id": job.id, "round": callback.round})


def _success(job: Job, callback: Callback, objects: ObjectStore) -> bytes:
    failed = _failed_pages(job, callback, objects) if callback.partial else []
    return _encoded(
        {"job_id": job.id, "round": callback.round, "partial": callback.partial, "failed_pages": failed},
    )


def _failed_pages(job: Job, callback: Callback, objects: ObjectStore) -> list[dict[str, object]]:
    """As the round's result says: the job's records may be those of a later round by now."""
    document = from_json(Document, objects.read(result_json(job.id, callback.round)))
    failures = [(page.number, page.failure) for page in document.pages if page.failure is not None]
    return [{"page": number, "code": failure.code, "message": failure.message} for number, failure in failures]


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
