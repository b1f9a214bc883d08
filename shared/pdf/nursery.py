"""The parent's side of the zygote: starts it, replaces it when it dies, and holds on to each child that it forks."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

import shared
from shared.domain.errors import Unavailable
from shared.pdf import wire
from shared.pdf.limits import Limits

_REAP_SECONDS = 5.0
"""SIGKILL to reaped; giving back 2 GB of memory takes a tenth of a second."""

_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""What an interpreter may need in order to start. Nothing else of the environment is the sandbox's business."""


class ChildDied(Exception):
    """The child ended, or spoke nonsense and was ended."""


class ChildLost(Unavailable):
    """The child ended with its zygote, or never began. The document is not at fault."""


class Child:
    """One document's process, as its parent sees it. For one thread at a time."""

    def __init__(self, channel: socket.socket, leash: socket.socket) -> None:
        self._channel = channel
        self._leash = leash

    def ask(
        self, request: dict[str, object], *, seconds: float, fds: Sequence[int] = (), max_fds: int = 0
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the reply and its descriptors. Raises TimeoutError, ChildDied, ChildLost; then only `end` is left."""
        try:
            self._channel.settimeout(seconds)
            wire.send(self._channel, request, fds)
        except TimeoutError:
            raise
        except OSError as error:  # it had ended before it was asked, so what it was to be asked is not at fault
            raise ChildLost("the document's process ended between two requests") from error
        return self.hear(seconds=seconds, max_fds=max_fds)

    def hear(self, *, seconds: float, max_fds: int = 0) -> tuple[dict[str, Any], list[int]]:
        """As `ask`, for what the child says unasked."""
        try:
            return wire.receive(self._channel, seconds=seconds, max_fds=max_fds)
        except TimeoutError:
            raise
        except (EOFError, OSError, wire.Garbled) as error:
            raise self._cause_of_death() from error

    def end(self) -> None:
        """Kill the child and wait until it has gone; harmless where it has."""
        self._last_words()
        self._leash.close()
        self._channel.close()

    def _last_words(self) -> bytes:
        """Let go of the leash, and return what the zygote says of the child's end; nothing where it has ended too."""
        try:
            self._leash.shutdown(socket.SHUT_WR)
            self._leash.settimeout(_REAP_SECONDS)
            return self._leash.recv(wire.STATUS.size)
        except OSError:
            return b""

    def _cause_of_death(self) -> Exception:
        words = self._last_words()
        if len(words) != wire.STATUS.size:
            return ChildLost("the sandbox died")
        (status,) = wire.STATUS.unpack(words)
        return ChildDied(f"signal {-status} ({signal.strsignal(-status)})" if status < 0 else f"exit status {status}")


class Nursery:
    """Thread-safe. Nothing is started before the first child is asked for, or `start`.

    One child is always born ahead of its document, which then need not wait for the fork.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._zygote: _Zygote | None = None
        self._spare: Child | None = None
        self._closed = False

    def start(self) -> bool:
        """Return whether system calls are filtered. Raises Unavailable where it doesn't start."""
        with self._lock:
            zygote = self._living()
            self._spare = self._spare or zygote.fork()
            return zygote.filtered

    def child(self) -> Child:
        """Return a child that has no document yet. Raises Unavailable where a second try fails as well."""
        try:
            return self._born()
        except ChildLost:
            return self._born()

    def close(self) -> None:
        """End the zygote and all children."""
        with self._lock:
            self._closed = True
            self._let_the_spare_go()
            if self._zygote:
                self._zygote.end()

    def _born(self) -> Child:
        with self._lock:
            zygote = self._living()
            child = self._spare or zygote.fork()
            self._spare = zygote.fork()
        try:
            child.hear(seconds=self._limits.start_seconds)
        except (TimeoutError, ChildLost) as error:
            zygote.kill()  # it is dying, or it hangs
            child.end()
            raise ChildLost("the sandbox died") from error
        except ChildDied as error:
            child.end()
            raise ChildLost(f"a child died before it had its document: {error}") from error
        return child

    def _living(self) -> "_Zygote":
        if self._closed:
            raise Unavailable("the sandbox is closed")
        if self._zygote and not self._zygote.is_alive():
            self._let_the_spare_go()
            self._zygote.end()
            self._zygote = None
        if self._zygote is None:
            self._zygote = _Zygote(self._limits)
        return self._zygote

    def _let_the_spare_go(self) -> None:
        if self._spare:
            self._spare.end()
            self._spare = None


class _Zygote:
    """Raises Unavailable when made where it doesn't start."""

    def __init__(self, limits: Limits) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own module, and no shell
                [sys.executable, "-P", "-m", "shared.pdf.zygote", str(theirs.fileno()), json.dumps(asdict(limits))],
                env=_environment(),
                cwd="/",
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which ends the zygote when it is done
            )
        try:
            ready, _ = wire.receive(self._control, seconds=limits.start_seconds)
        except (OSError, EOFError, wire.Garbled) as error:
            self.kill()
            self._control.close()
            raise Unavailable("the sandbox did not start") from error
        self.filtered = ready.get("filtered") is True

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def fork(self) -> Child:
        """Ask for a child without waiting for it; its first word says that it is there."""
        channel, their_channel = socket.socketpair()
        leash, their_leash = socket.socketpair()
        with their_channel, their_leash, suppress(OSError):  # where it has died, the child's first word says so
            wire.send(self._control, {}, [their_channel.fileno(), their_leash.fileno()])
        return Child(channel, leash)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        self._control.close()
        try:
            self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def _environment() -> dict[str, str]:
    """Return the least with which the same code is found: no name of the parent's environment passes but _PASSED_ON."""
    root = Path(shared.__file__).resolve().parents[1]
    path = [str(root), *(str(Path(entry).absolute()) for entry in sys.path)]
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path), "LC_ALL": "C.UTF-8"}
