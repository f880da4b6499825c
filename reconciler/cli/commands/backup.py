"""`reconciler backup`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.options import Globals, global_options
from reconciler.cli.people import who
from reconciler.cli.places import from_here


@click.command(short_help="copy the store")
@global_options
@click.pass_obj
def backup(given: Globals) -> None:
    """Make a consistent copy of the store in the state folder, and print where it is."""
    output.data(from_here(Path(wiring.application(given.settings()).back_up(who())["file"])))
