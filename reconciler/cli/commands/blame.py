"""`reconciler blame`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import BlamedField, from_json
from reconciler.cli import completing, output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.history import BLAME_HEADERS, blame_cells


@click.command(short_help="who set each field")
@click.argument("kind", shell_complete=completing.kinds)
@click.argument("name", shell_complete=completing.names)
@format_option("text", "json")
@global_options
@click.pass_obj
def blame(given: Globals, kind: str, name: str, form: str) -> None:
    """Show for each field of a live row the commit that last set it to what it is."""
    answer = wiring.application(given.settings()).blame(kind, name)
    if form == "json":
        output.json_data(answer)
    else:
        output.table(BLAME_HEADERS, [blame_cells(from_json(field, BlamedField)) for field in answer["fields"]])
