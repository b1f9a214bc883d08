"""A document that is open in a process of its own: what it is, its pages as pixels, its bytes without encryption."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from shared.domain.errors import (
    Corrupt,
    DocumentError,
    Empty,
    Encrypted,
    PagemillError,
    PageTooLarge,
    RenderCrashed,
    RenderTimeout,
)
from shared.pdf import wire
from shared.pdf.kind import Kind
from shared.pdf.limits import Limits
from shared.pdf.memory import Untrusted, nameless
from shared.pdf.nursery import Child, ChildDied, ChildLost, Nursery
from shared.pdf.rendered import RenderedPage, received, whole

_MAX_PAGES = 2**31 - 1
_LONGEST_PASSWORD = 127
"""ISO 32000-2, 7.6.4.3.3: only the first 127 bytes count."""
_LONGEST_CAUSE = 60
_CHUNK = 1024 * 1024

_OF_DOCUMENTS: Mapping[object, type[PagemillError]] = {error.code: error for error in (Corrupt, Empty, Encrypted)}
_OF_PAGES: Mapping[object, type[PagemillError]] = {error.code: error for error in (PageTooLarge, RenderCrashed)}

_T = TypeVar("_T")


class Document:
    """For one thread at a time. A page that hangs or crashes costs its process; the next page gets a new one."""

    def __init__(
        self,
        nursery: Nursery,
        source: int,
        kind: Kind,
        *,
        password: str | None,
        limits: Limits,
        parked: Callable[["Document"], bool],
    ) -> None:
        """Open the file behind the descriptor `source`, which is this object's from now on. Raises DocumentError.

        `parked` is asked at `close` whether the document is kept for whoever opens it next.
        """
        self.kind = kind
        self.uses = 1
        self._parked = parked
        self._nursery = nursery
        self._source = source
        self._password = password
        self._limits = limits
        self._child: Child | None = None
        try:
            with _blamed("opening", limits.open_seconds, slow=Corrupt, dead=Corrupt):
                opened = _surviving(self._open_child)
                self.page_count = whole(opened.get("pages"), 1, _MAX_PAGES)
                self.encrypted = opened.get("encrypted") is True
        except BaseException:
            self.end()
            raise

    def render(self, number: int, *, dpi: int) -> RenderedPage:
        """Draw one page, counted from 1, with its annotations and upright as /Rotate or EXIF has it.

        Where it has more than `max_pixels` pixels, a PDF's page is drawn at the largest dpi at which it fits and an
        image is reduced to fit; a flag says so. Raises PageTooLarge, RenderTimeout or RenderCrashed.
        """
        if not 1 <= number <= self.page_count or dpi < 1:
            raise ValueError(f"no page {number} of {self.page_count} at {dpi} dpi")
        with _blamed(f"page {number}", self._limits.page_seconds, slow=RenderTimeout, dead=RenderCrashed):
            return _surviving(lambda: self._drawn(number, dpi))

    def save_decrypted(self, target: BinaryIO) -> None:
        """Write the document without encryption: byte for byte as it is if no password was needed. Raises Corrupt."""
        if not self.encrypted:
            _copy(self._source, target)
            return
        with _blamed("saving", self._limits.save_seconds, slow=Corrupt, dead=Corrupt):
            saved = _surviving(self._saved)
        try:
            _copy(saved, target)
        finally:
            os.close(saved)

    def close(self) -> None:
        """Give the document up. Rendered pages stay."""
        if self._child is None or not self._parked(self):
            self.end()

    def end(self) -> None:
        """End the document's process."""
        self._end_child()
        if self._source >= 0:
            os.close(self._source)
            self._source = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _drawn(self, number: int, dpi: int) -> RenderedPage:
        request: dict[str, object] = {"render": number, "dpi": dpi}
        with self._asking(request, self._limits.page_seconds) as (reply, fds):
            _raise_refusal(reply, _OF_PAGES, otherwise=RenderCrashed)
            return received(reply, fds, kind=self.kind, dpi=dpi, max_pixels=self._limits.max_pixels)

    def _saved(self) -> int:
        fd = nameless()
        try:
            with self._asking({"save": True}, self._limits.save_seconds, fd) as (reply, _):
                _raise_refusal(reply, _OF_DOCUMENTS, otherwise=Corrupt)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _open_child(self) -> dict[str, Any]:
        if self._source < 0:
            raise ValueError("the document is closed")
        self._child = self._nursery.child()
        request: dict[str, object] = {"open": self.kind, "password": _usable(self._password)}
        with self._asking(request, self._limits.open_seconds, self._source) as (reply, _):
            _raise_refusal(reply, _OF_DOCUMENTS, otherwise=Corrupt)
            return reply

    @contextmanager
    def _asking(
        self, request: dict[str, object], seconds: float, *fds: int
    ) -> Iterator[tuple[dict[str, Any], list[int]]]:
        """Ask the child, which ends with whatever goes wrong, unless it is the page's own size."""
        if self._child is None:
            self._open_child()
        assert self._child is not None
        try:
            reply, received_fds = self._child.ask(request, seconds=seconds, fds=fds, max_fds=1)
            try:
                yield reply, received_fds
            finally:
                wire.close(received_fds)
        except PageTooLarge:
            raise
        except BaseException:
            self._end_child()
            raise

    def _end_child(self) -> None:
        if self._child:
            self._child.end()
            self._child = None


def _usable(password: str | None) -> str | None:
    """Lone surrogates, which no PDF's password has, become question marks."""
    return password and password[:_LONGEST_PASSWORD].encode(errors="replace").decode()


def _surviving(attempt: Callable[[], _T]) -> _T:
    """Try again where the sandbox died, for it may have died of another document."""
    try:
        return attempt()
    except ChildLost:
        return attempt()


@contextmanager
def _blamed(what: str, seconds: float, *, slow: type[PagemillError], dead: type[PagemillError]) -> Iterator[None]:
    """Say in the domain's words how a child failed."""
    try:
        yield
    except TimeoutError as error:
        raise slow(f"{what}: not done after {seconds:g} s") from error
    except (ChildDied, Untrusted) as error:
        raise dead(f"{what}: {error}") from error
    except DocumentError as error:
        if issubclass(dead, DocumentError):
            raise
        raise dead(f"{what}: the document did not open again: {error}") from error


def _raise_refusal(
    reply: dict[str, Any], known: Mapping[object, type[PagemillError]], *, otherwise: type[PagemillError]
) -> None:
    """The cause is a class's name: anything else that a child says could be the document's text and would be logged."""
    if "error" in reply:
        cause = str(reply.get("cause"))[:_LONGEST_CAUSE]
        code = str(reply["error"])
        raise known.get(code, otherwise)(cause if cause.isidentifier() else "no cause given")


def _copy(source: int, target: BinaryIO) -> None:
    offset = 0
    while chunk := os.pread(source, _CHUNK, offset):
        target.write(chunk)
        offset += len(chunk)
