"""`reconciler verify`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report import verification


@click.command(short_help="both databases against git")
@format_option("text", "json")
@global_options
@click.pass_obj
def verify(given: Globals, form: str) -> int:
    """Hold every recorded commit and every live row against git, from the first commit on. Nothing is written."""
    with wiring.verifier(given.settings()) as verifier, output.progress("commits") as progress:
        found = verifier.verify(progress)
    if form == "json":
        output.json_data(verification.as_json(found))
    else:
        for line in verification.lines(found):
            output.data(line)
    return Exit.PROBLEMS if found.differences else Exit.OK
