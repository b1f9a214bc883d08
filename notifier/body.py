"""What a callback says: the seed's `{job_id, status, result}`, and links that the receiver can follow for a while."""

import json
from collections.abc import Iterator
from datetime import timedelta

from shared.domain.callback import Callback
from shared.domain.document import linked_images
from shared.domain.job import Job
from shared.domain.status import Status
from shared.layout import image_object, result_json, result_markdown
from shared.ports.objects import ObjectStore
from shared.storing import link_all

LARGEST_BODY = 256_000
"""In bytes. Above it the Markdown itself, then the images, give way to links."""
LINK_LIFE = timedelta(hours=12)
"""The longest that Cloud Storage honours a link signed by IAM; embedded links live as long."""


def callback_body(job: Job, callback: Callback, objects: ObjectStore) -> bytes:
    """Return the JSON body; raises UnknownObject where the result was erased meanwhile."""
    body: dict[str, object] = {
        "job_id": job.id,
        "round": callback.round,
        "status": callback.status,
        "partial": callback.partial,
        "result": None,
    }
    if callback.error is not None:
        body["error"] = {"code": callback.error.code, "message": callback.error.message}
    if callback.status is not Status.FINISHED:
        return _encoded(body)
    for result in _results(job, callback, objects, room=LARGEST_BODY - len(_encoded(body))):
        encoded = _encoded(body | {"result": result})
        if len(encoded) <= LARGEST_BODY:
            break
    return encoded


def _results(job: Job, callback: Callback, objects: ObjectStore, *, room: int) -> Iterator[dict[str, object]]:
    """Yield the result in full, without its Markdown, and without its images: whichever is small enough is sent.

    A link costs a call to IAM, so the images' are made only where all of them are likely to fit: they are about as
    long as the document's.
    """
    markdown = objects.read(result_markdown(job.id, callback.round)).decode()
    names = linked_images(markdown)
    documents = [result_markdown(job.id, callback.round), result_json(job.id, callback.round)]
    in_markdown, in_json = link_all(documents, LINK_LIFE, objects)
    links: dict[str, object] = {"markdown_url": in_markdown, "json_url": in_json}
    if len(_encoded(links | {"images": dict.fromkeys(names, in_json)})) <= room:
        signed = link_all([image_object(job.id, name) for name in names], LINK_LIFE, objects)
        images = dict(zip(names, signed, strict=True))
        yield links | {"markdown": markdown, "images": images}
        yield links | {"images": images}
    yield links


def _encoded(body: dict[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
