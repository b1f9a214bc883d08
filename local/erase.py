"""`pagemill erase`: marks every job of a tenant for erasing, in the store that the settings name."""

import os
from contextlib import closing

import click

from ingest_fn.rounds import delete
from shared.config import read_settings
from shared.domain.errors import UnknownJob
from shared.wiring import Platform, opened

_AT_ONCE = 200


@click.command()
@click.option("--tenant", required=True, help="Whose jobs: a folder of the inbox, or `default` for those of the API.")
@click.confirmation_option(prompt="This erases every job of the tenant, and its results. Go on?")
def erase(tenant: str) -> None:
    """Erase all jobs of a tenant: sources, pages, images, results and what was kept of them.

    They are unknown to callers at once; `sweep` erases what is stored, within minutes.
    """
    with closing(opened(read_settings(os.environ), base_url="http://127.0.0.1")) as family:
        count = erase_jobs(tenant, family.platform)
    click.echo(f"{count} jobs of {tenant} are marked for erasing")


def erase_jobs(tenant: str, platform: Platform) -> int:
    """Return how many were marked; those that are marked already are not found."""
    count = 0
    while jobs := platform.store.search(tenant, status=None, batch=None, cursor=None, limit=_AT_ONCE).jobs:
        for job in jobs:
            try:
                delete(job.id, platform)
            except UnknownJob:
                continue  # another was faster
            count += 1
    return count
