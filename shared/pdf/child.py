"""One document's process: opens what it was forked for, answers its parent, and is killed when it takes too long."""

import mmap
import os
import signal
import socket
from collections.abc import Sequence
from typing import Any, Never

from shared.domain.errors import PagemillError
from shared.pdf import wire
from shared.pdf.confine import confine_child, limit_cpu, limit_memory
from shared.pdf.images import ImagePages
from shared.pdf.kind import Kind
from shared.pdf.limits import Limits
from shared.pdf.mupdf import PdfPages
from shared.pdf.pages import Drawn, Pages

_CHANNEL, _FIRST_FREE = 3, 4


def run(channel: int, limits: Limits, *, zygote: int, shared_bytes: int) -> Never:
    """Live as the process of one document, from the fork to the end of the process."""
    try:
        _forget_the_zygote(channel)
        confine_child(zygote)
        with socket.socket(fileno=_CHANNEL) as sock:
            wire.send(sock, {"confined": True})
            _answer(sock, _Session(limits, shared_bytes))
    finally:
        os._exit(1)  # never the zygote's own clean-up


def opened(data: mmap.mmap, kind: Kind, password: str | None, limits: Limits) -> Pages:
    if kind is Kind.PDF:
        return PdfPages(data, password=password, max_pixels=limits.max_pixels)
    return ImagePages(data, kind, max_pixels=limits.max_pixels, max_source_pixels=limits.max_source_pixels)


def _forget_the_zygote(channel: int) -> None:
    """Keep one descriptor of all that the zygote holds: its other children's leashes must end with it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(channel, _CHANNEL, inheritable=False)
    os.closerange(_FIRST_FREE, os.sysconf("SC_OPEN_MAX"))


def _answer(sock: socket.socket, session: "_Session") -> None:
    """Answer until the parent has no more: {"open": kind, "password"} with the document's descriptor, once; {"render":
    page, "dpi"}; {"save": true} with the target's.
    """
    while True:
        try:
            request, fds = wire.receive(sock, max_fds=1)
        except EOFError:
            return
        try:
            reply, sent = session.answer(request, fds)
        except Exception as error:  # noqa: BLE001  # hostile bytes make decoders raise anything; it costs one page
            reply, sent = _refusal(error), []
        wire.send(sock, reply, sent)
        wire.close([*fds, *sent])


def _refusal(error: Exception) -> dict[str, object]:
    """Name the failure by its code and its class, for messages quote documents."""
    code = error.code if isinstance(error, PagemillError) else None
    return {"error": code, "cause": type(error.__cause__ or error).__name__}


class _Session:
    def __init__(self, limits: Limits, shared_bytes: int) -> None:
        self._limits = limits
        self._shared_bytes = shared_bytes
        self._pages: Pages | None = None

    def answer(self, request: dict[str, Any], fds: Sequence[int]) -> tuple[dict[str, object], list[int]]:
        match request:
            case {"open": kind, "password": password}:
                limit_cpu(self._limits.open_seconds)
                return self._open(Kind(kind), password, *fds), []
            case {"render": number, "dpi": dpi}:
                limit_cpu(self._limits.page_seconds)
                return self._render(number, dpi)
            case {"save": _}:
                limit_cpu(self._limits.save_seconds)
                return self._save(*fds), []
        raise AssertionError("the parent asks for nothing else")

    def _open(self, kind: Kind, password: str | None, document: int) -> dict[str, object]:
        limit_memory(self._limits, document_bytes=os.fstat(document).st_size, shared_bytes=self._shared_bytes)
        data = mmap.mmap(document, 0, access=mmap.ACCESS_COPY)
        self._pages = opened(data, kind, password, self._limits)
        return {"pages": self._pages.count, "encrypted": self._pages.encrypted}

    def _render(self, number: int, dpi: int) -> tuple[dict[str, object], list[int]]:
        assert self._pages is not None
        drawn = self._pages.draw(number, dpi=dpi)
        return _described(drawn), [drawn.fd]

    def _save(self, target: int) -> dict[str, object]:
        assert isinstance(self._pages, PdfPages)
        self._pages.save(target)
        return {}


def _described(drawn: Drawn) -> dict[str, object]:
    return {
        "width": drawn.width,
        "height": drawn.height,
        "dpi": drawn.dpi,
        "pictures": [[box.x0, box.y0, box.x1, box.y1] for box in drawn.pictures],
        "source": [drawn.source_width or drawn.width, drawn.source_height or drawn.height],
    }
