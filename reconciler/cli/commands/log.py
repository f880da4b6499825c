"""`reconciler log`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report import commits


@click.command(short_help="recorded commits")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@format_option("text", "json")
@global_options
@click.pass_obj
def log(given: Globals, limit: int, form: str) -> None:
    """Show the commits that were recorded, newest first, with what each did to rows."""
    versions = wiring.application(given.settings()).versions(limit)["versions"]
    if form == "json":
        output.json_data(versions)
    else:
        output.table(commits.VERSION_HEADERS, [commits.version_cells(version) for version in versions])
