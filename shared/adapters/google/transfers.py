"""How objects travel: on the condition that there is none yet, from where a stream stands, and never by halves."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage import Blob
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from shared.adapters.google.errors import google_errors
from shared.domain.errors import Unavailable
from shared.ports.objects import UnknownObject


def created(write: Callable[..., object], *arguments: object, **options: object) -> bool:
    """Write on the condition that there is no such object; False where there is one."""
    try:
        write(*arguments, if_generation_match=0, **options)
    except PreconditionFailed:
        return False
    return True


def rewritten(target: Blob, source: Blob, **options: Any) -> None:
    """Copy on the server. A large object takes several calls, each of which goes on where the last one ended."""
    token, _, _ = target.rewrite(source, **options)
    while token is not None:
        token, _, _ = target.rewrite(source, token=token, **options)


@contextmanager
def rewindable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """A try that failed is begun anew, and the SDK begins at the beginning: what has none goes to a file first."""
    if stream.seekable() and stream.tell() == 0:
        yield stream
        return
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file)
        file.seek(0)
        yield cast("BinaryIO", file)


def size_of(file: BinaryIO) -> int:
    """Return the size of a file that stands at its beginning, and leave it there."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


@contextmanager
def storage_errors(name: str) -> Iterator[None]:
    try:
        with google_errors(name):
            yield
    except (DataCorruption, InvalidResponse) as error:
        raise Unavailable(f"{name}: {type(error).__name__}") from error


@contextmanager
def known(name: str) -> Iterator[None]:
    with storage_errors(name):
        try:
            yield
        except NotFound as error:
            raise UnknownObject(name) from error
