"""`reconciler verify`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Verification, from_json
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.people import who
from reconciler.report.drift import verification_lines


@click.command(short_help="both databases against git")
@format_option("text", "json")
@global_options
@click.pass_obj
def verify(given: Globals, form: str) -> int:
    """Hold every recorded commit and every live row against git, from the first commit on. Nothing is written."""
    with output.progress("commits") as progress:
        found = wiring.application(given.settings(), progress).verify(who())
    if form == "json":
        output.json_data(found)
    else:
        for line in verification_lines(from_json(found, Verification)):
            output.data(line)
    return Exit.PROBLEMS if found["differences"] else Exit.OK
