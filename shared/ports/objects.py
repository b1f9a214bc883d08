"""Where bytes are kept: sources, page objects, images, results."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from shared.domain.errors import PagemillError


class UnknownObject(PagemillError):
    code = "unknown_object"
    public = "There is no such object."


class ObjectStore(Protocol):
    """Objects are written once and read many times. A name is `segment/segment/…` of letters, digits and `._-`.

    Every method raises Unavailable where the store is not, and ValueError for a name that is not one.
    """

    def create(self, name: str, data: bytes | BinaryIO) -> bool:
        """Store an object, whole or not at all; False where it was there already, and stays as it was."""

    def check(self) -> None:
        """Raises Unavailable where objects can be neither read nor stored now."""

    def exists(self, name: str) -> bool: ...

    def open(self, name: str) -> BinaryIO:
        """Return the object as a seekable file with a descriptor, which the caller closes. Raises UnknownObject."""

    def read(self, name: str) -> bytes:
        """Raises UnknownObject."""

    def copy(self, source: str, target: str) -> bool:
        """As `create`, from another object. Raises UnknownObject."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin with `prefix`, in no order; a prefix ends with `/`."""

    def erase(self, prefix: str) -> int:
        """Erase an object, or all below a prefix that ends with `/`; return how many there were."""

    def expire(self, prefix: str, *, before: datetime) -> int:
        """Erase what below `prefix` is older; 0 where the store does so by itself (a bucket's lifecycle rule)."""

    def link(self, name: str, ttl: timedelta) -> str:
        """Return a URL that serves the object to whoever holds it, until `ttl` has passed."""
