"""`pagemill up`: the system as it runs on Google Cloud, on emulators, each part a process of its own."""

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import click

from local.emulators import HOST, Emulators, free_ports
from local.parts import FUNCTIONS, ROOT, Parts
from local.processes import ProcessFailed
from local.project import (
    alone,
    buckets,
    emulators,
    events_name,
    interrupt,
    parts_environment,
    project_settings,
    provision,
)
from local.supervisor import Supervisor
from shared.config import Settings, read_settings

_LOOK_SECONDS = 0.1
_STOP_SECONDS = 15.0
"""Above the grace that a worker takes for itself: one that is killed costs its pages a lease."""
_FEWEST_AT_ONCE = 2


def up(environment: Mapping[str, str], folder: Path, *, workers: int, port: int) -> None:
    """Run until SIGINT or SIGTERM, with the logs in `folder`; `port` is the API's, 0 for a free one.

    Raises MissingPrograms, ProcessFailed, SettingsError.
    """
    signal.signal(signal.SIGTERM, interrupt)
    own = project_settings(environment)
    settings = read_settings(own)
    _check_source()
    _ports(port)  # what would stop us later should do so before anything is started
    with suppress(KeyboardInterrupt), alone(folder), emulators(folder, settings, events=True) as running:
        ports = _ports(port)
        public = {"PAGEMILL_PUBLIC_URL": settings.public_url or f"http://{HOST}:{ports['submit']}"}
        told = parts_environment(environment, own, running.variables, public)
        parts = Parts(environment=told, ports=ports, events=events_name(settings), workers=workers)
        provision(told, folder, documents=parts.url("prepare"), outcomes=parts.url("notify"), events=parts.events)
        _run(parts, running, folder, lambda: _show(settings, parts, running, folder))


def _run(parts: Parts, running: Emulators, folder: Path, ready: Callable[[], None]) -> None:
    at_once = max(_FEWEST_AT_ONCE, os.cpu_count() or 1)
    supervisor = Supervisor(parts=parts.all(), folder=folder, tell=_tell, at_once=at_once)
    told = False
    try:
        while True:
            supervisor.step()
            running.check()
            if supervisor.is_ready and not told:
                ready()
                told = True
            time.sleep(_LOOK_SECONDS)
    finally:
        _tell("stopping")
        supervisor.stop(_STOP_SECONDS)


def _show(settings: Settings, parts: Parts, running: Emulators, folder: Path) -> None:
    storage = running.variables["STORAGE_EMULATOR_HOST"]
    lines = [
        f"pagemill is up on {parts.environment['PAGEMILL_PUBLIC_URL']}",
        *(f"{purpose} gs://{bucket} on {storage}" for purpose, bucket in buckets(settings).items()),
        f"logs in {folder}",
    ]
    click.echo("\n".join(lines))


def _ports(port: int) -> dict[str, int]:
    """Raises ProcessFailed where the API's port is taken."""
    try:
        with socket.create_server((HOST, port)) as held:
            others = free_ports(len(FUNCTIONS) - 1)
            return dict(zip(FUNCTIONS, [int(held.getsockname()[1]), *others], strict=True))
    except OSError as error:
        raise ProcessFailed(f"Port {port} of {HOST} is taken ({error.strerror}); --port names another.") from error


def _check_source() -> None:
    if not (ROOT / "main.py").is_file():
        raise ProcessFailed(f"There is no main.py in {ROOT}: `pagemill up` runs from a checkout of pagemill.")


def _tell(sentence: str) -> None:
    click.echo(f"pagemill: {sentence}", err=True)
