"""Where a document may come from: a public URL, or an object that the caller uploaded or dropped."""

from typing import BinaryIO

from shared.domain.errors import FetchFailed, TooLarge, UrlNotAllowed
from shared.domain.job import Source, SourceKind
from shared.layout import is_own
from shared.net.guard import Guard
from shared.ports.objects import ObjectStore, ObjectTooLarge, UnknownObject

_OBJECTS = "gs://"


def checked_source(url: str, *, tenant: str, guard: Guard, objects: ObjectStore) -> Source:
    """Raises UrlNotAllowed for a URL that the guard refuses, and for an object that is not this tenant's."""
    if not url.startswith(_OBJECTS):
        checked = str(guard.check(url))
        return Source(kind=SourceKind.URL, location=checked, name=shown_name(checked))
    name = objects.named(url)
    if name is None or not is_own(name, tenant):
        raise UrlNotAllowed(public="Of gs:// objects only those of your own uploads and inbox are read.")
    return Source(kind=SourceKind.OBJECT, location=name, name=name.rpartition("/")[2])


def open_source(source: Source, objects: ObjectStore, *, most: int) -> BinaryIO:
    """Open an object in the version that is meant; the caller closes it.

    Raises FetchFailed where it is not there, and TooLarge where it has more than `most` bytes.
    """
    try:
        return objects.open(source.location, version=source.version, most=most)
    except UnknownObject as error:
        raise FetchFailed(str(error), public="The object is not there, or not as it was.", retryable=False) from error
    except ObjectTooLarge as error:
        raise too_large(most) from error


def too_large(most: int) -> TooLarge:
    return TooLarge(public=f"The document is larger than {most:,} bytes, the most that is accepted.")


def shown_name(url: str) -> str:
    """The last part of the path: no query, which may hold secrets."""
    return url.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0].rstrip("/").rpartition("/")[2] or "document"
