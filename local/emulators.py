"""Google's emulators of Pub/Sub and Firestore, and fake-gcs-server, started without gcloud."""

import http.client
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.emulator_programs import Programs, find_programs
from local.processes import Command, Process, ProcessFailed, stop

HOST = "127.0.0.1"

_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms64m", "-Xmx512m")
_FIRESTORE = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_TRIES = 3
_PORT_TAKEN = "address already in use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """How an emulator tells that it is ready: `path` answers 200, and its log holds `says`.

    The log proves that the answer is its own: the Pub/Sub emulator lives on where another has its port, and the
    other answers.
    """

    port: int
    path: str
    says: str


class Emulators:
    """The three, on free ports of 127.0.0.1, with their logs in `folder`. They hold everything in memory.

    Start them in a thread that stays: see `Process`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        project: str = "pagemill",
        programs: Programs | None = None,
        storage: Sequence[str] = (),
        ports: Callable[[int], list[int]] | None = None,
    ) -> None:
        """`storage` is further arguments for fake-gcs-server; `ports` finds so many that are free.

        Raises MissingPrograms.
        """
        self._folder = folder
        self._project = project
        self._programs = programs or find_programs(os.environ)
        self._storage = storage
        self._find_ports = ports or free_ports
        self.processes: Sequence[Process] = ()
        self._ports: list[int] = []

    @property
    def variables(self) -> Mapping[str, str]:
        """What the environment of their clients needs, once they have been started."""
        pubsub, firestore, _, storage = self._ports
        return {
            "PUBSUB_EMULATOR_HOST": f"{HOST}:{pubsub}",
            "FIRESTORE_EMULATOR_HOST": f"{HOST}:{firestore}",
            "STORAGE_EMULATOR_HOST": f"http://{HOST}:{storage}",
            "GOOGLE_CLOUD_PROJECT": self._project,
        }

    def start(self) -> None:
        """Return when all three are ready. Raises ProcessFailed, and then none is left running."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            undo.callback(self.stop)
            for tries_left in reversed(range(_TRIES)):
                self._begin()
                if self._became_ready(tries_left):
                    break
                self.stop()
            undo.pop_all()

    def stop(self) -> None:
        stop(self.processes, seconds=_STOP_SECONDS)

    def dead(self) -> Process | None:
        """Return one that has ended although nobody stopped it."""
        return next((process for process in self.processes if process.exit_code() is not None), None)

    def check(self) -> None:
        """Raises ProcessFailed where one has ended; what it held is lost, so starting it again would not mend that."""
        dead = self.dead()
        if dead is not None:
            raise ProcessFailed(
                f"The {dead.name} emulator ended, with all it held. It said ({dead.log}):\n{dead.tail()}"
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _begin(self) -> None:
        self._ports = self._find_ports(4)
        self.processes = started = []
        for each in self._commands():
            started.append(Process(each, self._log(each.name)))  # noqa: PERF401 - one may fail, and the others are known

    def _became_ready(self, tries_left: int) -> bool:
        """False where another took one of the ports between our look and their start."""
        until = time.monotonic() + _START_SECONDS
        waiting = [*zip(self.processes, self._signs(), strict=True)]
        while waiting:
            taken = any(_PORT_TAKEN in process.said().lower() for process in self.processes)
            if taken and tries_left:
                return False
            dead = self.dead()
            if taken or dead is not None or time.monotonic() > until:
                raise self._failure(dead or waiting[0][0])
            time.sleep(_POLL_SECONDS)
            waiting = [(process, sign) for process, sign in waiting if not _is_ready(process, sign)]
        return True

    def _failure(self, process: Process) -> ProcessFailed:
        return ProcessFailed(f"The {process.name} emulator did not start. It said ({process.log}):\n{process.tail()}")

    def _signs(self) -> list[Ready]:
        pubsub, firestore, _, storage = self._ports
        return [
            Ready(port=pubsub, path="/", says=f"listening on {pubsub}"),
            Ready(port=firestore, path="/", says="is now running"),
            # It says nothing at the level of errors, and ends at once where its port is taken: long before Java is up.
            Ready(port=storage, path="/_internal/healthcheck", says=""),
        ]

    def _commands(self) -> list[Command]:
        pubsub, firestore, websocket, storage = (str(port) for port in self._ports)
        java, here = str(self._programs.java), f"--host={HOST}"
        firestore_ports = [f"--port={firestore}", f"--websocket_port={websocket}"]
        main = ["-cp", str(self._programs.firestore_jar), _FIRESTORE, "start"]
        jar = ["-jar", str(self._programs.pubsub_jar)]
        return [
            Command(name="pubsub", arguments=[java, *_JVM, *jar, here, f"--port={pubsub}"]),
            Command(name="firestore", arguments=[java, "-Duser.language=en", *_JVM, *main, here, *firestore_ports]),
            Command(
                name="storage",
                arguments=[str(self._programs.storage), *_storage(storage), *self._storage],
                environment={**os.environ, "PUBSUB_EMULATOR_HOST": f"{HOST}:{pubsub}"},  # where events go
            ),
        ]

    def _log(self, name: str) -> Path:
        """Begun anew: a line of an earlier start would count as said by this one."""
        log = self._folder / f"{name}.log"
        log.unlink(missing_ok=True)
        return log


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on at this moment."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]


def answer(port: int, path: str, *, seconds: float = 5.0) -> int | None:
    """Return the status that a GET is answered with now; None where nobody answers in time."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _is_ready(process: Process, sign: Ready) -> bool:
    return sign.says in process.said() and answer(sign.port, sign.path) == http.client.OK


def _storage(port: str) -> list[str]:
    place = ["-scheme", "http", "-backend", "memory", "-host", HOST, "-port", port, "-log-level", "error"]
    return [*place, "-external-url", f"http://{HOST}:{port}", "-public-host", f"{HOST}:{port}"]
