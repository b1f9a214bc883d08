"""How long a call to Google may take, and on which answers it is tried again: no call is without a deadline."""

import random
import time
from collections.abc import Iterator
from typing import Any

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type

from shared.domain.errors import Unavailable

SECONDS = 10.0
"""For one call with all its tries. Whoever waits for it has a deadline of their own: a request, a lease."""

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_CHANCE = random.SystemRandom()

_TRANSIENT = if_exception_type(
    exceptions.Aborted,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
)
"""The answers after which nobody knows, or everybody knows that nothing was done. Whoever writes must be able to tell
its own write from another's: by a name that is created once, or by the mark of the write.
"""


class Deadline:
    """The time that a call has, with everything that it takes to get it done."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Never zero or less, which some of the SDKs take for no deadline at all."""
        return max(0.001, self._until - time.monotonic())

    def options(self) -> dict[str, Any]:
        """Return the arguments that give a gRPC call the time that is left, for all its tries together."""
        left = self.left
        pauses = Retry(predicate=_TRANSIENT, initial=_FIRST_PAUSE, maximum=_LONGEST_PAUSE, multiplier=2.0, timeout=left)
        return {"timeout": left, "retry": pauses}

    def tries(self, what: str) -> Iterator[None]:
        """Yield for each try, after pauses of random and growing length. Raises Unavailable when the time is over."""
        longest = _FIRST_PAUSE
        while time.monotonic() < self._until:
            yield
            time.sleep(min(_CHANCE.uniform(0, longest), self.left))
            longest = min(2 * longest, _LONGEST_PAUSE)
        raise Unavailable(f"{what}: others were always faster")
