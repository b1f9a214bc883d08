"""The last state of each document that this process read or wrote: a change may begin from there, and save a read."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

_MOST = 2_000
"""Records of about 2 kB each."""


@dataclass(frozen=True, slots=True)
class State:
    """A record as it was stored at `update_time`; it may have changed since, which a conditional write finds out."""

    record: Any
    update_time: Any


class Seen:
    """The newest states, those that were not asked for in the longest time forgotten first. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: OrderedDict[str, State] = OrderedDict()

    def note(self, path: str, state: State) -> None:
        with self._lock:
            self._states[path] = state
            self._states.move_to_end(path)
            if len(self._states) > _MOST:
                self._states.popitem(last=False)

    def take(self, path: str) -> State | None:
        """Return the state, once: whoever changes it notes the new one."""
        with self._lock:
            return self._states.pop(path, None)
