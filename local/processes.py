"""Processes of a system that one command starts: each with its log, tied to the life of the one who started it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_HEAD_BYTES = 64_000
_TAIL_BYTES = 4_000
_TAIL_LINES = 15


class ProcessFailed(Exception):
    """One did not start, or ended for good. `str()` is a sentence for the user and the end of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run: `environment` is the whole of it, nothing is inherited."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path | None = None


class Process:
    """A running command. stdout and stderr go to `log`, never to a pipe that could fill.

    Where `setpriv` exists, the system ends it with the *thread* that made it, even if that was killed: make it in
    a thread that stays. It has a process group of its own, so a Ctrl-C reaches us alone and we choose the order.
    """

    def __init__(self, command: Command, log: Path) -> None:
        self.name = command.name
        self.log = log
        with log.open("ab") as output:
            self._begin = output.tell()
            self._process = subprocess.Popen(  # noqa: S603 - the commands are our own
                [*_tied(), *command.arguments],
                env=dict(command.environment),
                cwd=command.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to end; harmless where it has ended."""
        self._process.terminate()

    def wait(self, until: float) -> bool:
        """Wait until the monotonic time `until` for its end; False where it did not come and it was killed.

        Nothing of its group is left then.
        """
        try:
            self._process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill_group()
            self._process.wait()
            return False
        self.kill_group()
        return True

    def kill_group(self) -> None:
        """Kill it and what it started: its server's children would outlive it, and keep its port."""
        with suppress(ProcessLookupError, PermissionError):  # some systems call a group of the dead a stranger's
            os.killpg(self.pid, signal.SIGKILL)

    def said(self) -> str:
        """Return what it wrote so far, the beginning where that is much; nothing of who wrote to the log before."""
        return self._read(self._begin, _HEAD_BYTES)

    def tail(self) -> str:
        """Return the last lines that it wrote, as a person would want to see them."""
        last = max(self._begin, self.log.stat().st_size - _TAIL_BYTES)
        return "\n".join(self._read(last, _TAIL_BYTES).splitlines()[-_TAIL_LINES:])

    def _read(self, begin: int, most: int) -> str:
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read(most).decode(errors="replace")


def stop(processes: Sequence[Process], *, seconds: float) -> None:
    """End all at the same time; after `seconds` those that are left are killed."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + seconds
    for process in processes:
        process.wait(until)


def _tied() -> list[str]:
    """A `preexec_fn` would do the same, but runs Python between fork and exec, which gRPC's threads don't survive."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv is not None else []
