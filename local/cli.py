"""The command line: parses, calls, shows. `pagemill --help` lists the commands."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from local.options import reading_options
from shared.config import Settings, SettingsError, explain, read_settings
from shared.domain.errors import PagemillError
from shared.domain.options import Extra, Options, Tables
from shared.logs import set_up_logging
from shared.observe import observe

if TYPE_CHECKING:
    from ingest_fn.submit import Submission

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_ELSEWHERE = {
    "submit": "local.remote:submit",
    "status": "local.remote:status",
    "result": "local.remote:result",
    "cancel": "local.remote:cancel",
    "list": "local.remote:list_jobs",
    "costs": "local.costs:costs",
    "plan": "local.plan.command:plan",
    "erase": "local.erase:erase",
    "emulators": "local.google:emulators",
    "up": "local.google:up",
}
"""Commands in modules of their own, imported when they are asked for: what each needs takes others long to load."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = _ELSEWHERE[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pagemill")
def cli() -> None:
    """Documents in, Markdown out."""


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr and an exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted: the same command goes on from here.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(f"Error: {problem}", err=True)
        sys.exit(EXIT_FAILED)
    except PagemillError as error:
        _fail(f"{error.code}: {error.public}")
    except OSError as error:
        _fail(f"{error.filename or ''}: {error.strerror}".lstrip(": "))


def _fail(sentence: str) -> None:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(EXIT_FAILED)


def _settings() -> Settings:
    return read_settings(os.environ)


@cli.command()
@click.argument("documents", metavar="FILE|URL…", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Write DIR/<name>/ for each.")
@click.option("--json", "as_json", is_flag=True, help="Print the blocks as JSON instead of Markdown.")
@reading_options
def convert(documents: tuple[str, ...], output: Path | None, as_json: bool, **reading: Any) -> None:
    """Read documents on this machine and print their Markdown.

    Exit code: 0 finished, 3 finished with pages that failed, 1 failed.
    """
    from local.show import convert_documents  # noqa: PLC0415 - brings the whole pipeline

    settings = _settings()
    set_up_logging("ERROR")
    sys.exit(convert_documents(settings, documents, _submission(**reading), output, as_json=as_json))


@cli.command()
def serve() -> None:
    """Serve the HTTP API, with worker, notifier and sweep in the same process."""
    from local.serve import serve  # noqa: PLC0415 - as above

    settings = _settings()
    observe(settings, service="serve")
    serve(settings)


@cli.command()
def worker() -> None:
    """Run one more worker: beside a server on the same data folder, or for the services of Google Cloud."""
    from gpu_worker.main import work  # noqa: PLC0415 - as above

    settings = _settings()
    observe(settings, service="worker")
    where = settings.data if settings.platform == "embedded" else settings.project
    work(settings, ready=lambda: click.echo(f"pagemill works on {where}"))


@cli.command()
@click.option("--reveal", is_flag=True, help="Show secrets, for the other side of a callback.")
def config(reveal: bool) -> None:
    """Show every setting, its value and where it came from."""
    settings = _settings()
    for each in explain(settings, os.environ):
        click.echo(f"{each.name:32} {each.value or '-':40} {each.origin:12} {each.doc}")
    if reveal:
        from notifier.parts import callback_secrets  # noqa: PLC0415 - as above
        from shared.sealing import Sealer, key_of  # noqa: PLC0415 - as above

        for secret in callback_secrets(settings, Sealer(key_of(settings.data))):
            click.echo(f"callbacks are signed with {secret.reveal()}")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def doctor(as_json: bool) -> None:
    """Check what pagemill needs here, from Python to vLLM and storage, with a remedy for what is wrong.

    Exit code: 0 nothing is wrong, 1 something is.
    """
    from local.doctor import State, as_written, examine, shown  # noqa: PLC0415 - as above

    verdicts = []
    for verdict in examine(os.environ):
        verdicts.append(verdict)
        if not as_json:
            click.echo(shown(verdict))
    if as_json:
        click.echo(as_written(verdicts))
    if any(verdict.state is State.FAILED for verdict in verdicts):
        sys.exit(EXIT_FAILED)


def _submission(
    *, pages: str | None, password: str | None, include: tuple[str, ...], tables: str, **options: Any
) -> "Submission":
    from ingest_fn.submit import Submission  # noqa: PLC0415 - as above

    chosen = Options(include=frozenset(map(Extra, include)), tables=Tables(tables), **options)
    return Submission(tenant="local", pages=pages, password=password, options=chosen)
