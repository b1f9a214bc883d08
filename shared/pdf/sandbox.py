"""Documents of strangers, opened and drawn where they can do no harm. This is the side that the rest of us uses."""

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from shared.domain.errors import NotADocument
from shared.pdf.document import Document
from shared.pdf.kind import SNIFFED, Kind, sniff
from shared.pdf.limits import Limits
from shared.pdf.nursery import Nursery
from shared.pdf.parking import Parking, identity
from shared.pdf.rendered import RenderedPage

__all__ = ["Document", "Limits", "RenderedPage", "Sandbox"]


class Sandbox:
    """For many threads at once. How many documents are open at a time is the callers' matter."""

    def __init__(self, limits: Limits = Limits(), *, parked: int = 0, seconds: float = 0.0) -> None:  # noqa: B008  # frozen
        """So many documents that were closed are kept open for `seconds`, for whoever opens the same file next.

        Without `parked`, closing one waits until its process has ended.
        """
        self._limits = limits
        self._nursery = Nursery(limits)
        self._parking = Parking(parked, seconds=seconds)

    def start(self) -> bool:
        """Import everything now (half a second) rather than at the first `open`. Raises Unavailable.

        False says that this system lets nobody filter system calls: then a document that takes its process over could
        read this user's files and reach the network. Tell the operator.
        """
        return self._nursery.start()

    def open(self, source: Path | BinaryIO, *, password: str | None = None) -> Document:
        """Open a file by its content. A file that is open already may be closed by its owner at any time afterwards.

        Raises NotADocument, Encrypted, Corrupt or Empty; Unavailable where the sandbox itself fails.
        """
        fd = _descriptor(source)
        try:
            kind = _kind(fd)
            key = identity(fd, password)
        except BaseException:
            os.close(fd)
            raise
        document = self._parking.take(key)
        if document is not None:
            os.close(fd)
            document.uses += 1
            return document
        return Document(
            self._nursery,
            fd,
            kind,
            password=password,
            limits=self._limits,
            parked=lambda closed: self._parking.put(key, closed),
        )

    def close(self) -> None:
        """End every process. What is still open fails from now on, as Unavailable."""
        self._parking.close()
        self._nursery.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _kind(fd: int) -> Kind:
    kind = sniff(os.pread(fd, SNIFFED, 0))
    if kind is None:
        raise NotADocument
    return kind


def _descriptor(source: Path | BinaryIO) -> int:
    if isinstance(source, Path):
        return os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    source.flush()  # its owner may have written it just now
    return os.dup(source.fileno())
