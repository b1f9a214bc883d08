"""Google's emulators for the tests: one set for all workers of a run, started by whoever needs it first.

Each who needs it holds a shared lock on a file; a process of its own runs the emulators for as long as anybody does.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.emulator_programs import MissingPrograms, find_programs
from local.emulators import Emulators
from tests.backends import missing_backend

_START_SECONDS = 90.0


@contextmanager
def shared_emulators(folder: Path) -> Iterator[Mapping[str, str]]:
    """Yield the variables that lead the SDKs to the emulators of this folder."""
    with _opened(folder / "users") as users, _opened(folder / "starting") as starting:
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not _variables(folder).exists():
            _start(folder)
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield json.loads(_variables(folder).read_text())


def _start(folder: Path) -> None:
    try:
        find_programs(os.environ)
    except MissingPrograms as error:
        missing_backend(str(error))
    with (folder / "emulators.log").open("ab") as log:
        outputs = [(os.POSIX_SPAWN_DUP2, log.fileno(), number) for number in (1, 2)]
        command = [sys.executable, "-m", "tests.emulators", str(folder)]
        # Nobody waits for it: it outlives the worker that started it, where others need it longer.
        pid = os.posix_spawn(sys.executable, command, _environment(), file_actions=outputs, setpgroup=0)
    until = time.monotonic() + _START_SECONDS
    while not _variables(folder).exists():
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > until:
            missing_backend(f"Google's emulators ({folder / 'emulators.log'})")
        time.sleep(0.05)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def _run(folder: Path) -> None:
    """Run the emulators while anybody holds the lock. Who comes after that finds no variables, and starts anew."""
    with _opened(folder / "users") as users, Emulators(folder / "logs") as emulators:
        written = folder / "variables.new"
        written.write_text(json.dumps(dict(emulators.variables)))
        written.rename(_variables(folder))
        fcntl.flock(users, fcntl.LOCK_EX)
        _variables(folder).unlink()


def _variables(folder: Path) -> Path:
    return folder / "variables.json"


def _opened(path: Path) -> IO[str]:
    return path.open("a")


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
