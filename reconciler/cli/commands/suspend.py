"""`reconciler suspend`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Suspension, from_json
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.people import who
from reconciler.report.status import suspension_line


@click.command(short_help="stop reconciling")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown in status and kept on record.")
@click.option("--until", metavar="WHEN", help="A span (30m, 2h, 1d) or a moment with its zone; default: until resumed.")
@format_option("text", "json")
@global_options
@click.pass_obj
def suspend(given: Globals, reason: str, until: str | None, form: str) -> None:
    """Keep the live rows as they are, whatever is committed, until somebody resumes or the time is over."""
    suspension = wiring.application(given.settings()).suspend(who(), reason, until)
    if form == "json":
        output.json_data(suspension)
    else:
        output.data(f"suspended {suspension_line(from_json(suspension, Suspension))}")
