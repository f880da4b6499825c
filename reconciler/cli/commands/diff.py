"""`reconciler diff`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Diff, from_json
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.history import diff_lines
from reconciler.report.text import LineStyle


@click.command(short_help="two points in time")
@click.argument("base")
@click.argument("head")
@format_option("text", "json")
@global_options
@click.pass_obj
def diff(given: Globals, base: str, head: str, form: str) -> int:
    """Show what is otherwise at HEAD than at BASE, each a commit, tag or moment, out of the history alone."""
    answer = wiring.application(given.settings()).diff(base, head)
    if form == "json":
        output.json_data(answer)
    else:
        for style, line in diff_lines(from_json(answer, Diff)):
            output.data(output.change(line) if style is LineStyle.CHANGE else line)
    return Exit.DIFFERENT if answer["changes"] else Exit.OK
