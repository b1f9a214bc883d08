"""What makes two pages or two documents the same: all that a reading depends on, and nothing of whose job it was."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from typing import BinaryIO

from shared.config import Settings
from shared.domain.job import Job
from shared.domain.page import PageImage

_CHUNK = 1 << 20


def may_be_cached(job: Job, settings: Settings) -> bool:
    """Whether a document may be kept and taken from the cache, as far as is known before its plan.

    What came with a password may not: the stored source is decrypted, so this is asked while the password is there.
    """
    return settings.cache_days > 0 and job.options.cache and job.sealed_password is None


def page_key(image: PageImage, recipe: str) -> str:
    """Everything that an engine is given goes in: the pixels, their resolution, and where pictures are embedded.

    The image's flags as well, since they become the reading's.
    """
    pictures, flags = [astuple(each) for each in image.pictures], [astuple(each) for each in image.flags]
    digest = hashlib.sha256(json.dumps([image.width, image.height, image.dpi, pictures, flags]).encode())
    digest.update(image.rgb)
    return f"{recipe}/{digest.hexdigest()}"


def document_key(source: BinaryIO, numbers: Sequence[int], recipe: str) -> str:
    """`source` is the document as it was obtained, read from its beginning; `numbers` are the pages to read."""
    source.seek(0)
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
    selection = hashlib.sha256(json.dumps(list(numbers)).encode()).hexdigest()[:16]
    return f"{recipe}/{digest.hexdigest()}-{selection}"
