"""A finished job's result, as the API serves it: inline, by links, or everything in one archive."""

import base64
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from shared.domain.document import linked_images
from shared.domain.job import Job
from shared.layout import image_object, result_json, result_markdown
from shared.ports.objects import ObjectStore
from shared.storing import link_all

LARGEST_INLINE = 20_000_000
"""Bytes of images; above that they come as links, and the answer says so."""
LINK_LIFE = timedelta(hours=1)
_CHUNK = 1 << 18


def result_view(job: Job, objects: ObjectStore, *, as_links: bool) -> dict[str, Any]:
    """Return the seed's `{markdown, images}`; images by the name that the Markdown links to."""
    markdown = objects.read(result_markdown(job.id, job.round)).decode()
    names = linked_images(markdown)
    images = None if as_links else _inline(job, names, objects)
    if images is not None:
        return {"markdown": markdown, "images": images, "images_as": "base64"}
    links = link_all([image_object(job.id, name) for name in names], LINK_LIFE, objects)
    return {"markdown": markdown, "images": dict(zip(names, links, strict=True)), "images_as": "url"}


def _inline(job: Job, names: tuple[str, ...], objects: ObjectStore) -> dict[str, str] | None:
    """None where they are too large together."""
    images, size = {}, 0
    for name in names:
        data = objects.read(image_object(job.id, name))
        size += len(data)
        if size > LARGEST_INLINE:
            return None
        images[name] = base64.b64encode(data).decode()
    return images


class _Sink:
    """A file that is only written to, and whose content is taken away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def archive(job: Job, objects: ObjectStore) -> Iterator[bytes]:
    """Yield a zip of result.md, result.json and the images, without ever holding more than a piece of it."""
    markdown = objects.read(result_markdown(job.id, job.round)).decode()
    members = [("result.md", result_markdown(job.id, job.round)), ("result.json", result_json(job.id, job.round))]
    members += [(name, image_object(job.id, name)) for name in linked_images(markdown)]
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as zipped:  # type: ignore[call-overload]  # write-only works
        for name, location in members:
            with objects.open(location) as source, zipped.open(name, "w", force_zip64=True) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield sink.taken()
    yield sink.taken()
