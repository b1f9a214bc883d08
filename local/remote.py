"""`pagemill submit|status|result|cancel|list`: the commands that speak to a server."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import click

from local.options import reading_options
from shared.domain.options import Lane
from shared.net.client import Json, PagemillClient, ServerRefused, ServerUnreachable, SubmitFields

_server = click.option(
    "--server", metavar="URL", default="http://127.0.0.1:8000", show_default=True, help="A pagemill server."
)


@contextmanager
def client_of(server: str) -> Iterator[PagemillClient]:
    try:
        with PagemillClient(server) as client:
            yield client
    except ServerRefused as error:
        raise click.ClickException(f"{error.code}: {error.detail}") from error
    except ServerUnreachable as error:
        raise click.ClickException(f"{server} cannot be reached ({error})") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _fields(given: dict[str, Any]) -> SubmitFields:
    """What belongs to the job stands by itself; the rest are options of its reading."""
    of_job = {name: given.pop(name) for name in ("callback_url", "idempotency_key", "priority", "pages", "password")}
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    return cast("SubmitFields", of_job | {"options": options})


def _show(answer: Json) -> None:
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


@click.command()
@click.argument("documents", metavar="FILE|URL…", nargs=-1, required=True)
@click.option("--callback-url", help="Where the server is to say that the job has ended.")
@click.option("--idempotency-key", help="The same key never starts a second job.")
@click.option(
    "--priority", type=click.Choice([each.value for each in Lane]), help="express (the server's default) or bulk."
)
@reading_options
@_server
def submit(documents: tuple[str, ...], server: str, **given: Any) -> None:
    """Send documents to a server; print each job as a line of JSON."""
    if given["idempotency_key"] and len(documents) > 1:
        raise click.UsageError("--idempotency-key names one job: give one document")
    fields = _fields(given)
    with client_of(server) as client:
        for document in documents:
            if "://" in document:
                answer = client.submit_url(document, **fields)
            else:
                answer = client.submit_file(Path(document), **fields)
            click.echo(json.dumps(answer | {"document": document}, ensure_ascii=False))


@click.command()
@click.argument("job_id")
@click.option("--wait", type=click.FloatRange(0, 60), help="Seconds to wait for the status to change.")
@_server
def status(job_id: str, wait: float | None, server: str) -> None:
    """Show a job."""
    with client_of(server) as client:
        _show(client.status(job_id, wait))


@click.command()
@click.argument("job_id")
@click.option("--format", "suffix", type=click.Choice(["md", "json", "zip"]), default="md", show_default=True)
@_server
def result(job_id: str, suffix: str, server: str) -> None:
    """Write a finished job's result to stdout."""
    with client_of(server) as client:
        client.download(job_id, suffix, sys.stdout.buffer)


@click.command()
@click.argument("job_id")
@_server
def cancel(job_id: str, server: str) -> None:
    """Stop a job; the pages that are done stay."""
    with client_of(server) as client:
        _show(client.cancel(job_id))


@click.command(name="list")
@click.option("--status", help="Only jobs of this status.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@_server
def list_jobs(status: str | None, limit: int, server: str) -> None:
    """List jobs, newest first: a line of JSON each."""
    with client_of(server) as client:
        for job in client.jobs(status, limit).get("jobs", []):  # type: ignore[attr-defined]  # a list, by the contract
            click.echo(json.dumps(job, ensure_ascii=False))
