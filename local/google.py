"""`pagemill emulators|up`: the commands that bring Google Cloud to this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from local.emulator_programs import MissingPrograms
from local.processes import ProcessFailed
from shared.config import read_settings

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the logs.  [default: a folder of this command's name in PAGEMILL_DATA]",
)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (MissingPrograms, ProcessFailed) as error:
        raise click.ClickException(str(error)) from error


@click.command()
@_data
def emulators(data: Path | None) -> None:
    """Run Google's emulators until Ctrl-C, with all buckets, topics and subscriptions.

    Prints the environment of whoever is to use them, as lines for a shell. All that they hold ends with them.
    """
    from local.emulate import emulate  # noqa: PLC0415 - only what this command needs

    with _failures():
        emulate(os.environ, _folder(data, "emulators"))


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Workers, each a process.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the API; 0: a free one.  [default: PAGEMILL_PORT]")
@_data
def up(workers: int, port: int | None, data: Path | None) -> None:
    """Run the system as on Google Cloud, on emulators: functions and workers, each a process.

    Starts again what dies, until Ctrl-C. Nothing is kept: all that the emulators hold ends with them.

    Drop a document, with the address that is printed for the inbox:

    \b
    curl --data-binary @FILE 'ADDRESS/upload/storage/v1/b/BUCKET/o?uploadType=media&name=inbox/TENANT/NAME'
    """  # noqa: D301 - click's own mark, for a paragraph that it leaves as it is
    from local.up import up as run  # noqa: PLC0415 - only what this command needs

    wanted = read_settings(os.environ).port if port is None else port
    with _failures():
        run(os.environ, _folder(data, "up"), workers=workers, port=wanted)


def _folder(data: Path | None, name: str) -> Path:
    return data.absolute() if data is not None else read_settings(os.environ).data / name
