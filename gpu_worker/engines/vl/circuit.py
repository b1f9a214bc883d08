"""Whether vLLM is worth asking: after failures in a row nobody waits for it, until a probe finds it well again."""

import logging
import threading
import time
from collections.abc import Callable

from shared.domain.errors import EngineUnavailable

FAILURES_IN_A_ROW = 5
FAILING_SECONDS = 1.0
"""For so long at least, so that a server that restarts at once opens nothing."""

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0

logger = logging.getLogger(__name__)


class Circuit:
    """`probe` raises EngineUnavailable while the server is not well; `opened` is called once whenever it opens.

    Safe to use from any thread. One thread probes while it is open, and ends with it.
    """

    def __init__(self, *, probe: Callable[[], None], opened: Callable[[], None]) -> None:
        self._probe = probe
        self._opened = opened
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._failures = 0
        self._failing_since = 0.0
        self._why: str | None = None
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """Raise EngineUnavailable while it is open."""
        if self._why is not None:
            raise EngineUnavailable(f"vLLM is not asked before it is well again: {self._why}")

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, why: str, *, asked_at: float) -> None:
        """Look at the server after some in a row: they may be one block's. `asked_at` is when the question was sent, on
        the monotonic clock: a hang is one failure, and long.
        """
        with self._lock:
            self._failing_since = min(self._failing_since, asked_at) if self._failures else asked_at
            self._failures += 1
            is_over = self._failures >= FAILURES_IN_A_ROW
            if not is_over or time.monotonic() - self._failing_since < FAILING_SECONDS:
                return
        if self._looking.acquire(blocking=False):
            try:
                self._look(why)
            finally:
                self._looking.release()

    def open(self, why: str) -> None:
        with self._lock:
            if self._why is not None or self._stopping.is_set():
                return
            self._why = why
            self._thread = threading.Thread(target=self._probe_until_well, name="vllm-probe", daemon=True)
            self._thread.start()
        logger.warning("vLLM is away: %s", why)
        self._opened()

    def close(self) -> None:
        """End the probe. Idempotent."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _look(self, why: str) -> None:
        try:
            self._probe()
        except EngineUnavailable as error:
            self.open(f"{why}; {error}")
        else:
            self._failures = 0

    def _probe_until_well(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.wait(pause):
            try:
                self._probe()
            except EngineUnavailable as error:
                self._why = str(error)
                pause = min(_LONGEST_PAUSE, pause * 2)
            else:
                self._failures, self._why = 0, None
                logger.warning("vLLM is well again")
                return
