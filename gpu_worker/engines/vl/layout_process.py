"""One process that lays pages out, and the handle to it. It ends when nobody holds the handle's end of the line."""

import logging
import signal
import socket
import struct
import subprocess
import sys
from multiprocessing.connection import Connection

import cv2

from gpu_worker.engines.vl.library import Library, threads_of
from gpu_worker.engines.vl.page import Sheet, lay_out
from shared.config import Settings
from shared.domain.errors import EngineDied, EngineUnavailable, PageRefused
from shared.domain.options import Options
from shared.domain.page import PageImage
from shared.observe import observe

log = logging.getLogger(__name__)

LOAD_SECONDS = 900.0
"""For loading the models, which at the very first start are fetched."""
PAGE_SECONDS = 120.0
"""The real layout model takes about half a second of a core; what takes this long hangs."""
_READY = "ready"


class LayoutProcess:
    """Used by one thread at a time."""

    def __init__(self, settings: Settings, *, page_seconds: float = PAGE_SECONDS) -> None:
        self._settings, self._page_seconds = settings, page_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self.would_not_start = False

    @property
    def is_there(self) -> bool:
        return self._line is not None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Return when its models are loaded. Raises EngineUnavailable; the process' own log says why."""
        self.end()
        self.would_not_start = True
        ours, theirs = socket.socketpair()
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):  # a page is more than the line holds
            ours.setsockopt(socket.SOL_SOCKET, option, _timeval(self._page_seconds))
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            try:
                # What it prints must not get into the Markdown on our standard output.
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno()]
                )
            except OSError as error:
                ours.close()
                raise EngineUnavailable(f"no process for layout: {error}") from error
        self._line = Connection(ours.detach())
        try:
            self._line.send(self._settings)
            said = self._answer(LOAD_SECONDS)
        except (EngineDied, OSError) as error:
            self.end()
            raise EngineUnavailable("layout does not start") from error
        assert said == _READY, said
        self.would_not_start = False

    def lay_out(self, image: PageImage, options: Options) -> Sheet:
        """Raises PageRefused where the library stumbles, EngineDied where the process is gone, or had to be ended."""
        assert self._line is not None, "start"
        try:
            self._line.send((image.width, image.height, image.dpi, options))
            self._line.send_bytes(image.rgb)
        except OSError as error:
            raise self._died(_how(error, self._page_seconds)) from error
        said = self._answer(self._page_seconds)
        if isinstance(said, Sheet):
            return said
        raise PageRefused(f"{said} while the page was laid out")

    def end(self) -> None:
        """End it at once, whatever it does. Idempotent."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answer(self, seconds: float) -> object:
        """Raises EngineDied."""
        assert self._line is not None
        try:
            if self._line.poll(seconds):
                said: object = self._line.recv()
                return said
        except (EOFError, OSError) as error:
            raise self._died(_how(error, seconds)) from error
        raise self._died(_how(TimeoutError(), seconds))

    def _died(self, why: str) -> EngineDied:
        self.end()
        return EngineDied(f"the layout process had the page, and {why}")


def _how(error: Exception, seconds: float) -> str:
    is_late = isinstance(error, TimeoutError | BlockingIOError)
    return f"no answer in {seconds:g} s" if is_late else f"it ended: {type(error).__name__}"


def _timeval(seconds: float) -> bytes:
    """As C's struct."""
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))


def _serve(line: Connection) -> None:
    """In the process, until the line ends. Signals to stop are the worker's, which is told as well, and hands back."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    settings: Settings = line.recv()
    observe(settings, service="layout")
    cv2.setNumThreads(threads_of(settings))
    library = Library(settings)
    line.send(_READY)
    while True:
        try:
            (width, height, dpi, options), rgb = line.recv(), line.recv_bytes()
        except EOFError:
            return
        image = PageImage(rgb=memoryview(rgb), width=width, height=height, dpi=dpi)
        line.send(_laid_out(library, image, options))


def _laid_out(library: Library, image: PageImage, options: Options) -> Sheet | str:
    """The page, or the name of what the library raised: its text may be the document's."""
    try:
        return lay_out(library, image, options)
    except Exception as error:  # a library's error is its page's end, and not the next one's
        log.exception("layout failed")
        return type(error).__name__


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as _line:
        _serve(_line)
