"""Where bytes are kept: sources, page objects, images, results."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from shared.domain.errors import PagemillError

_SEGMENT = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_LONGEST_SEGMENT = 200
_LONGEST_NAME = 1024
"""Cloud Storage's limit, so that both families refuse the same names."""


class UnknownObject(PagemillError):
    code = "unknown_object"
    public = "There is no such object."


class ObjectTooLarge(PagemillError):
    code = "object_too_large"
    public = "The object is larger than was asked for."


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLink:
    """Where one object may be uploaded once, by a PUT that sends exactly these headers."""

    url: str
    headers: Mapping[str, str]


class ObjectStore(Protocol):
    """Objects are written once and read many times.

    A name is `segment/segment/…`, at most 1,024 bytes of UTF-8; a segment is neither empty, `.` nor `..`, has at most
    200 bytes, and no control character, backslash or lone surrogate: whoever drops a file into an inbox names it. The
    first segment may choose where an object is kept: `inbox/`, `uploads/` and `outbox/` may each be a bucket of its
    own.

    Every method raises Unavailable where the store is not, and ValueError for a name that is not one.
    """

    def create(self, name: str, data: bytes | BinaryIO) -> bool:
        """Store an object, whole or not at all; False where it was there already, and stays as it was."""

    def check(self) -> None:
        """Raises Unavailable where objects can be neither read nor stored now."""

    def exists(self, name: str) -> bool: ...

    def open(self, name: str, *, version: str | None = None, most: int | None = None) -> BinaryIO:
        """Return the object as a seekable file with a descriptor, which the caller closes.

        Raises UnknownObject; also where `version` is given and the object has another one by now. Raises ObjectTooLarge
        where it has more than `most` bytes, before any of them is moved: give it for what a stranger may have stored.
        """

    def version(self, name: str) -> str:
        """Return what tells this object from any other that ever had its name. Raises UnknownObject."""

    def read(self, name: str) -> bytes:
        """Raises UnknownObject."""

    def copy(self, source: str, target: str) -> bool:
        """As `create`, from another object. Raises UnknownObject."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin with `prefix`, in no order; a prefix ends with `/`."""

    def erase(self, prefix: str) -> int:
        """Erase an object, or all below a prefix that ends with `/`; return how many there were."""

    def expire(self, prefix: str, *, before: datetime, dated_by: str | None = None) -> int:
        """Erase what below `prefix` is older; 0 where the store does so by itself (a bucket's lifecycle rule).

        All that lies below a folder with an object called `dated_by` is as old as that object, and goes with it.
        """

    def link(self, name: str, ttl: timedelta) -> str:
        """Return a URL that serves the object to whoever holds it, until `ttl` has passed."""

    def upload_link(self, name: str, ttl: timedelta, *, max_bytes: int) -> UploadLink:
        """Return where whoever holds it may create the object, of at most so many bytes, until `ttl` has passed."""

    def uri(self, name: str) -> str:
        """Return the object's `gs://bucket/name`."""

    def named(self, uri: str) -> str | None:
        """Return the name of the object that a `gs://` URI means; None where it is not in a bucket of this store."""


def is_name(name: str) -> bool:
    """Whether an object may have this name, in every family of adapters."""
    segments = name.split("/")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        return False
    longest = max(len(segment.encode()) for segment in segments)
    return longest <= _LONGEST_SEGMENT and len(name.encode()) <= _LONGEST_NAME


def check_name(name: str) -> str:
    """Return the name. Raises ValueError where it is not one."""
    if not is_name(name):
        raise ValueError(f"{name!r} is not an object's name")
    return name
