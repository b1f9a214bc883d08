"""Objects in Cloud Storage: created once by the condition that there is none yet, signed links, checksums verified."""

import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from google.api_core.exceptions import Forbidden, NotFound
from google.auth.credentials import Signing
from google.cloud.storage import Blob, Client
from google.cloud.storage.retry import DEFAULT_RETRY

from shared.adapters.google.buckets import Buckets
from shared.adapters.google.calls import SECONDS
from shared.adapters.google.signing import signing_credentials
from shared.adapters.google.transfers import created, known, rewindable, rewritten, size_of, storage_errors
from shared.domain.errors import Unavailable
from shared.ports.objects import ObjectTooLarge, UnknownObject, UploadLink

_CHUNK = 8 << 20
"""What of a large upload is in memory; smaller objects travel in one request."""
_AT_ONCE = 16
_LONGEST_LINK = timedelta(days=7)
"""The limit of signature version 4; a link that IAM signs ends after 12 hours, with IAM's key."""
_MEDIA_TRIES = 6
_GENERATION = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)

_CONTENT_TYPES = {
    ".md": "text/markdown; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
"""Of what we make ourselves. What strangers send stays a stream of bytes, so that no browser runs it."""


class GcsObjectStore:
    """`seconds` is how long a call may take, or how long an upload or a download may stand still.

    Nothing that is written here is ever written over, so an identity that writes needs `storage.objects.create` and no
    more. Of an object that is there it learns from the condition that it breaks, or by looking, if it may look: should
    Cloud Storage refuse the write outright to one who may neither replace nor look, that is Unavailable.
    """

    def __init__(
        self, client: Client, buckets: Buckets, *, signing: Signing | None = None, seconds: float = SECONDS
    ) -> None:
        self._client, self._buckets, self._given_signing = client, buckets, signing
        self._options = {"timeout": seconds, "retry": DEFAULT_RETRY.with_timeout(seconds)}
        self._media = {"timeout": seconds, "retry": DEFAULT_RETRY.with_timeout(_MEDIA_TRIES * seconds)}

    def create(self, name: str, data: bytes | BinaryIO) -> bool:
        blob = self._blob(name)
        kind = _CONTENT_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
        if isinstance(data, bytes):
            with storage_errors(name):
                return self._created(name, blob.upload_from_string, data, kind, **self._options)
        with rewindable(data) as file:
            size = size_of(file)
            if size > _CHUNK and self._is_known(name):
                return False  # without sending it all
            blob.chunk_size = _CHUNK
            with storage_errors(name):
                known_size = {"size": size, "content_type": kind}
                return self._created(name, blob.upload_from_file, file, **known_size, **self._media)

    def check(self) -> None:
        """Looks into the bucket of jobs only: whoever runs this need have no rights beyond it."""
        with storage_errors("bucket"):
            try:
                next(iter(self._client.list_blobs(self._buckets.bucket, max_results=1, **self._options)), None)
            except NotFound as error:
                raise Unavailable(f"no bucket {self._buckets.bucket}") from error

    def exists(self, name: str) -> bool:
        blob = self._blob(name)
        with storage_errors(name):
            return bool(blob.exists(**self._options))

    def open(self, name: str, *, version: str | None = None, most: int | None = None) -> BinaryIO:
        if most is None:
            return self._downloaded(self._blob(name, version))
        checked = self._checked(name, version, most)
        try:
            return self._downloaded(self._blob(name, checked))
        except UnknownObject as error:
            if version is None:
                raise Unavailable(f"{name}: replaced or erased while it was opened") from error
            raise

    def version(self, name: str) -> str:
        blob = self._blob(name)
        with known(name):
            blob.reload(**self._options)
        return str(blob.generation)

    def read(self, name: str) -> bytes:
        blob = self._blob(name)
        with known(name):
            return bytes(blob.download_as_bytes(raw_download=True, **self._options))

    def copy(self, source: str, target: str) -> bool:
        original, copied = self._blob(source), self._blob(target)
        if self._is_known(target):
            return False
        with known(source):
            return self._created(target, rewritten, copied, original, **self._media)

    def names(self, prefix: str) -> Iterator[str]:
        bucket = self._buckets.of_prefix(prefix)
        with storage_errors(prefix):
            found = self._client.list_blobs(bucket, prefix=prefix, fields="items(name),nextPageToken", **self._options)
            yield from (blob.name for blob in found)

    def erase(self, prefix: str) -> int:
        names = self.names(prefix) if prefix.endswith("/") else iter([prefix])
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return sum(threads.map(self._erased, names))

    def expire(self, prefix: str, *, before: datetime, dated_by: str | None = None) -> int:  # noqa: ARG002
        """The bucket's lifecycle rule does it; a copy has an age of its own there."""
        self._buckets.of_prefix(prefix)
        return 0

    def link(self, name: str, ttl: timedelta) -> str:
        return self._signed(name, ttl, method="GET")

    def upload_link(self, name: str, ttl: timedelta, *, max_bytes: int) -> UploadLink:
        headers = {"x-goog-if-generation-match": "0", "x-goog-content-length-range": f"0,{max_bytes}"}
        return UploadLink(url=self._signed(name, ttl, method="PUT", headers=dict(headers)), headers=headers)

    def uri(self, name: str) -> str:
        return self._buckets.uri(name)

    def named(self, uri: str) -> str | None:
        return self._buckets.named(uri)

    def _created(self, name: str, write: Callable[..., object], *arguments: object, **options: object) -> bool:
        try:
            return created(write, *arguments, **options)
        except Forbidden:
            if self._is_known(name):
                return False
            raise

    def _is_known(self, name: str) -> bool:
        """Whether it is there, as far as we may know; whoever may not look finds out by writing."""
        blob = self._blob(name)
        with storage_errors(name):
            try:
                return bool(blob.exists(**self._options))
            except Forbidden:
                return False

    def _checked(self, name: str, version: str | None, most: int) -> str:
        """Return the version that was found to have at most so many bytes."""
        blob = self._blob(name, version)
        with known(name):
            blob.reload(**self._options)
        if blob.size is None or blob.size > most:
            raise ObjectTooLarge(f"{name}: {blob.size} bytes")
        return str(blob.generation)

    def _downloaded(self, blob: Blob) -> BinaryIO:
        with ExitStack() as undo:
            file = undo.enter_context(tempfile.TemporaryFile())
            with known(blob.name):
                blob.download_to_file(file, raw_download=True, **self._media)
            file.seek(0)
            undo.pop_all()
        return cast("BinaryIO", file)

    def _blob(self, name: str, version: str | None = None) -> Blob:
        if version is not None and not _GENERATION.fullmatch(version):
            raise UnknownObject(f"{name}: no version of ours")
        generation = None if version is None else int(version)
        return self._client.bucket(self._buckets.of(name)).blob(name, generation=generation)

    def _erased(self, name: str) -> bool:
        blob = self._blob(name)
        with storage_errors(name):
            try:
                blob.delete(**self._options)
            except NotFound:
                return False
        return True

    @cached_property
    def _signing(self) -> Signing:
        return self._given_signing or signing_credentials(self._client._credentials)

    def _signed(self, name: str, ttl: timedelta, **request: Any) -> str:
        blob = self._blob(name)
        life = min(ttl, _LONGEST_LINK)
        with storage_errors(name):
            return str(blob.generate_signed_url(version="v4", expiration=life, credentials=self._signing, **request))
