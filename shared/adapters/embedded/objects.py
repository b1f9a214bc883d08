"""Objects as files below one folder: written under a temporary name, synced, and linked into place."""

import errno
import hashlib
import hmac
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from shared.domain.errors import Unavailable
from shared.ports.clock import Clock
from shared.ports.objects import ObjectTooLarge, UnknownObject, UploadLink, check_name, is_name

_BUCKET = "pagemill"
_CHUNK = 1 << 20


class FileObjectStore:
    """`base_url` and `key` sign the links that the server of this folder checks with `allows`."""

    def __init__(self, root: Path, *, clock: Clock, base_url: str, key: bytes) -> None:
        self._objects = root / "objects"
        self._unfinished = root / "unfinished"
        for folder in (self._objects, self._unfinished):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._clock, self._base_url, self._key = clock, base_url, key
        day_old = (clock.now() - timedelta(days=1)).timestamp()
        _erase_files(path for path in self._unfinished.iterdir() if _modified(path) < day_old)

    def create(self, name: str, data: bytes | BinaryIO) -> bool:
        target = self._path(name)
        if self.exists(name):
            return False
        with _errors(name), tempfile.NamedTemporaryFile(dir=self._unfinished) as temporary:
            if isinstance(data, bytes):
                temporary.write(data)
            else:
                shutil.copyfileobj(data, temporary, _CHUNK)
            temporary.flush()
            _stamp(temporary.fileno())
            os.fsync(temporary.fileno())
            return _link(Path(temporary.name), target)

    def check(self) -> None:
        for folder in (self._objects, self._unfinished):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise Unavailable(f"{folder.name} cannot be written to")

    def exists(self, name: str) -> bool:
        with _errors(name):
            return self._path(name).is_file()

    def open(self, name: str, *, version: str | None = None, most: int | None = None) -> BinaryIO:
        with ExitStack() as undo:
            with _errors(name):
                file = undo.enter_context(self._path(name).open("rb"))
            status = os.fstat(file.fileno())
            if version is not None and _version(status) != version:
                raise UnknownObject(f"{name}: another version")
            if most is not None and status.st_size > most:
                raise ObjectTooLarge(f"{name}: {status.st_size} bytes")
            undo.pop_all()
        return file

    def version(self, name: str) -> str:
        with self.open(name) as file:
            return _version(os.fstat(file.fileno()))

    def read(self, name: str) -> bytes:
        with _errors(name):
            return self._path(name).read_bytes()

    def copy(self, source: str, target: str) -> bool:
        if not self.exists(source):
            raise UnknownObject(source)
        with _errors(source):
            return _link(self._path(source), self._path(target))

    def names(self, prefix: str) -> Iterator[str]:
        for path in self._files(prefix):
            yield path.relative_to(self._objects).as_posix()

    def erase(self, prefix: str) -> int:
        if not prefix.endswith("/"):
            return _erase_files([self._path(prefix)] if self.exists(prefix) else [])
        with _errors(prefix):
            count = _erase_files(self._files(prefix))
            _erase_folders(self._folder(prefix))
        return count

    def expire(self, prefix: str, *, before: datetime, dated_by: str | None = None) -> int:
        """A copy is a link, so it is as old as what it is a copy of; `dated_by` says otherwise."""
        limit = before.timestamp()
        with _errors(prefix):
            count = _erase_files([path for path, age in _dated([*self._files(prefix)], dated_by) if age < limit])
            if count:
                _erase_folders(self._folder(prefix))
        return count

    def link(self, name: str, ttl: timedelta) -> str:
        self._path(name)
        expires = self._expires(ttl)
        signature = self._signature(f"{expires}:{name}")
        return f"{self._base_url}/objects/{quote(name)}?expires={expires}&signature={signature}"

    def upload_link(self, name: str, ttl: timedelta, *, max_bytes: int) -> UploadLink:
        self._path(name)
        expires = self._expires(ttl)
        query = f"expires={expires}&max_bytes={max_bytes}&signature={self._upload_signature(name, expires, max_bytes)}"
        return UploadLink(url=f"{self._base_url}/objects/{quote(name)}?{query}", headers={})

    def uri(self, name: str) -> str:
        self._path(name)
        return f"gs://{_BUCKET}/{name}"

    def named(self, uri: str) -> str | None:
        bucket = f"gs://{_BUCKET}/"
        name = uri.removeprefix(bucket)
        return name if uri.startswith(bucket) and is_name(name) else None

    def allows(self, name: str, *, expires: int, signature: str) -> bool:
        """Whether a link of this store says so, and still holds."""
        return self._holds(expires) and _are_equal(signature, self._signature(f"{expires}:{name}"))

    def allows_upload(self, name: str, *, expires: int, max_bytes: int, signature: str) -> bool:
        """As `allows`, for an upload link: it says nothing about reading."""
        return self._holds(expires) and _are_equal(signature, self._upload_signature(name, expires, max_bytes))

    def _expires(self, ttl: timedelta) -> int:
        return int((self._clock.now() + ttl).timestamp())

    def _holds(self, expires: int) -> bool:
        return self._clock.now().timestamp() < expires

    def _upload_signature(self, name: str, expires: int, max_bytes: int) -> str:
        return self._signature(f"upload:{expires}:{max_bytes}:{name}")

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def _path(self, name: str) -> Path:
        return self._objects.joinpath(*check_name(name).split("/"))

    def _folder(self, prefix: str) -> Path:
        if not prefix.endswith("/"):
            raise ValueError(f"{prefix!r} does not end with /")
        return self._path(prefix.removesuffix("/"))

    def _files(self, prefix: str) -> Iterator[Path]:
        walked = os.walk(self._folder(prefix), onerror=_unless_gone)
        return (Path(folder, name) for folder, _, names in walked for name in names)


def _erase_files(paths: Iterable[Path]) -> int:
    count = 0
    for path in paths:
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unavailable(f"{path.name}: {error.strerror}") from error
        count += 1
    return count


def _erase_folders(top: Path) -> None:
    """Remove what is empty; a folder in which somebody creates an object meanwhile stays."""
    for folder, _, _ in os.walk(top, topdown=False, onerror=_unless_gone):
        try:
            Path(folder).rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                raise


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _link(source: Path, target: Path) -> bool:
    """Give the file its name, atomically, and sync the folders that were changed: it survives a power cut."""
    while True:
        try:
            changed = _make_folder(target.parent)
            os.link(source, target)
            for folder in changed:
                _sync(folder)
        except FileExistsError:
            if target.is_dir():
                raise ValueError(f"{target.name!r} is a folder of objects") from None
            return False
        except FileNotFoundError:
            if source.exists():
                continue  # somebody erased the folder between two of the lines
            raise
        return True


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it; return what is to be synced for a file in it, the deepest first.

    Where one sync takes the whole journal along, as on ext4 and XFS, the others then cost nothing.
    """
    if folder.is_dir():
        return [folder]
    above = _make_folder(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise ValueError(f"{folder.name!r} is an object, not a folder") from None
    return [folder, *above]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(descriptor: int) -> None:
    """The system's own times move in steps of milliseconds, in which an object may be erased and made anew."""
    now = time.time_ns()
    os.utime(descriptor, ns=(now, now))


def _version(file: os.stat_result) -> str:
    return f"{file.st_ino:x}-{file.st_mtime_ns:x}"


def _are_equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _dated(paths: Sequence[Path], dated_by: str | None) -> Iterator[tuple[Path, float]]:
    """Each file with when it was made: it, or what dates its folder or one above."""
    folders = {path.parent: _modified(path) for path in paths if path.name == dated_by}
    for path in paths:
        dated = next((folder for folder in path.parents if folder in folders), None) if folders else None
        yield path, _modified(path) if dated is None else folders[dated]


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UnknownObject(name) from error
    except OSError as error:
        raise Unavailable(f"{name}: {error.strerror}") from error
