"""Objects as files below one folder: written under a temporary name, synced, and linked into place."""

import errno
import hashlib
import hmac
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from shared.domain.errors import Unavailable
from shared.ports.clock import Clock
from shared.ports.objects import UnknownObject

_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}", re.ASCII)
_LONGEST_NAME = 1024
"""Cloud Storage's limit, so that both families refuse the same names."""
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
            os.fsync(temporary.fileno())
            return _link(Path(temporary.name), target)

    def check(self) -> None:
        for folder in (self._objects, self._unfinished):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise Unavailable(f"{folder.name} cannot be written to")

    def exists(self, name: str) -> bool:
        with _errors(name):
            return self._path(name).is_file()

    def open(self, name: str) -> BinaryIO:
        with _errors(name):
            return self._path(name).open("rb")

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

    def expire(self, prefix: str, *, before: datetime) -> int:
        limit = before.timestamp()
        return _erase_files(path for path in self._files(prefix) if _modified(path) < limit)

    def link(self, name: str, ttl: timedelta) -> str:
        self._path(name)
        expires = int((self._clock.now() + ttl).timestamp())
        return f"{self._base_url}/objects/{name}?expires={expires}&signature={self._signature(name, expires)}"

    def allows(self, name: str, *, expires: int, signature: str) -> bool:
        """Whether a link of this store says so, and still holds."""
        expected = self._signature(name, expires).encode()
        given = signature.encode(errors="replace")
        return hmac.compare_digest(expected, given) and self._clock.now().timestamp() < expires

    def _signature(self, name: str, expires: int) -> str:
        return hmac.new(self._key, f"{expires}:{name}".encode(), hashlib.sha256).hexdigest()

    def _path(self, name: str) -> Path:
        segments = name.split("/")
        if len(name) > _LONGEST_NAME or not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise ValueError(f"{name!r} is not an object's name")
        return self._objects.joinpath(*segments)

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


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UnknownObject(name) from error
    except OSError as error:
        raise Unavailable(f"{name}: {error.strerror}") from error
