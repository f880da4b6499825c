"""`reconciler resume`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Suspension, from_json
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.people import who
from reconciler.report.status import suspension_line


@click.command(short_help="reconcile again")
@format_option("text", "json")
@global_options
@click.pass_obj
def resume(given: Globals, form: str) -> None:
    """End a suspension: what was committed meanwhile goes live with the next sync, at once where the daemon runs."""
    found = wiring.application(given.settings()).resume(who())
    if form == "json":
        output.json_data(found)
    elif found["ended"] is None:
        output.data("nothing was suspended")
    else:
        output.data(f"resumed; it was suspended {suspension_line(from_json(found['ended'], Suspension))}")
