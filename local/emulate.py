"""`pagemill emulators`: Google's emulators with everything in them that pagemill needs."""

import shlex
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from local.project import alone, emulators, interrupt, parts_environment, project_settings, provision
from shared.config import read_settings

_LOOK_SECONDS = 0.5


def emulate(environment: Mapping[str, str], folder: Path) -> None:
    """Run until SIGINT or SIGTERM, with the logs in `folder`. Raises MissingPrograms, ProcessFailed, SettingsError."""
    signal.signal(signal.SIGTERM, interrupt)
    own = project_settings(environment)
    settings = read_settings(own)
    with suppress(KeyboardInterrupt), alone(folder), emulators(folder, settings, events=False) as running:
        provision(parts_environment(environment, own, running.variables), folder)
        lines = [f"export {name}={shlex.quote(value)}" for name, value in {**own, **running.variables}.items()]
        click.echo("\n".join(lines))
        click.echo(f"The emulators run, with their logs in {folder}. Ctrl-C ends them, and all they hold.", err=True)
        while True:
            running.check()
            time.sleep(_LOOK_SECONDS)
