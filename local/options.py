"""The options of a reading, the same for `convert` and `submit`."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from shared.domain.options import MAX_DPI, MIN_DPI, Extra, Tables

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--pages", metavar="RANGES", help='Which pages, as "1-5,8,r3-r1"; r counts from the end.'),
    click.option("--password", help="For an encrypted PDF."),
    click.option("--dpi", type=click.IntRange(MIN_DPI, MAX_DPI), help="Resolution; the engine's own if left out."),
    click.option(
        "--tables", type=click.Choice([each.value for each in Tables]), default=Tables.HTML.value, show_default=True
    ),
    click.option(
        "--include", multiple=True, type=click.Choice([each.value for each in Extra]), help="Show these blocks as well."
    ),
    click.option("--page-markers/--no-page-markers", default=True, help="Begin each page with a comment."),
)


def reading_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
