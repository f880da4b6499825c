"""`reconciler drift`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Drift, from_json
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.people import who
from reconciler.report.drift import drift_lines, drift_summary


@click.command(short_help="live rows against what git says")
@click.option("--heal", is_flag=True, help="Put right what differs, and write it down.")
@format_option("text", "json")
@global_options
@click.pass_obj
def drift(given: Globals, heal: bool, form: str) -> int:
    """Show where the live rows are not what the applied commit says, because something else wrote there."""
    application = wiring.application(given.settings())
    found = application.heal(who()) if heal else application.drift()
    if form == "json":
        output.json_data(found)
    else:
        for line in drift_lines(from_json(found, Drift)):
            output.data(output.change(line))
        output.data(drift_summary(from_json(found, Drift), " put right" if heal else ""))
    return Exit.DIFFERENT if found["drift"] and not heal else Exit.OK
