"""What `pagemill convert` shows while it works and when it is done: progress on stderr, the document on stdout."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ingest_fn.submit import Submission
from local.convert import Conversion, Input, conversion, inputs
from local.output import write_folder
from shared.config import Settings
from shared.domain.document import linked_images
from shared.domain.job import Job
from shared.domain.status import Status
from shared.layout import result_json, result_markdown

EXIT_FINISHED, EXIT_FAILED, EXIT_PARTIAL = 0, 1, 3


def convert_documents(
    settings: Settings, given: Sequence[str], submission: Submission, output: Path | None, *, as_json: bool
) -> int:
    """Convert and show each document in turn; return the exit code of the worst."""
    documents = inputs(given)
    codes = []
    with conversion(settings, documents, submission) as running:
        for document in documents:
            job = _waited(running, document)
            if job.status is Status.FINISHED:
                _deliver(running, document, job, output, as_json=as_json)
            codes.append(_verdict(document, job, running))
    return EXIT_FAILED if EXIT_FAILED in codes else max(codes)


def _waited(running: Conversion, document: Input) -> Job:
    """Show a bar that moves with each page; nothing where stderr is not a terminal."""
    shown = sys.stderr
    states = running.waited(document)
    total = next((progress.total for progress in states if progress.total is not None), 0)
    if total and shown.isatty():
        with click.progressbar(length=total, label=document.name, file=shown, show_pos=True) as bar:
            for progress in states:
                bar.update(progress.done + progress.failed - bar.pos)
    else:
        for _ in states:
            pass
    return running.progress(document)[0]


def _deliver(running: Conversion, document: Input, job: Job, output: Path | None, *, as_json: bool) -> None:
    objects = running.platform.objects
    if output is not None:
        written = write_folder(job, objects, output / document.name)
        click.echo(f"{document.given} → {written}", err=True)
        return
    markdown = objects.read(result_markdown(job.id, job.round)).decode()
    click.echo(objects.read(result_json(job.id, job.round)).decode() if as_json else markdown, nl=as_json)
    images = len(linked_images(markdown))
    if images:
        linked = "1 image is" if images == 1 else f"{images} images are"
        click.echo(f"{document.given}: {linked} linked and not written; -o DIR writes them.", err=True)


def _verdict(document: Input, job: Job, running: Conversion) -> int:
    """Say what a reader of the result should know; return the exit code."""
    if job.error is not None:
        click.echo(f"{document.given}: {job.error.code}: {job.error.message}", err=True)
    for page in running.store.pages(job.id):
        if page.failure is not None:
            click.echo(f"{document.given}: page {page.number}: {page.failure.code}: {page.failure.message}", err=True)
    for code, pages in job.flags.items():
        click.echo(f"{document.given}: {code} on {_listed(pages)}", err=True)
    if job.status is not Status.FINISHED:
        return EXIT_FAILED
    return EXIT_PARTIAL if job.partial else EXIT_FINISHED


def _listed(pages: Sequence[int]) -> str:
    return f"page{'s' if len(pages) > 1 else ''} {', '.join(map(str, pages))}"
