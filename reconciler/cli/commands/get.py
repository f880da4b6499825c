"""`reconciler get`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Rows, from_json
from reconciler.cli import completing, output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.rows import flatten_row, row_cells, row_headers, row_lines


@click.command(short_help="the live rows of a kind")
@click.argument("kind", shell_complete=completing.kinds)
@click.argument("name", required=False, shell_complete=completing.names)
@format_option("text", "json")
@global_options
@click.pass_obj
def get(given: Globals, kind: str, name: str | None, form: str) -> None:
    """Show the live rows of a KIND, or the one that goes by NAME.

    KIND is written as you like: in any case, singular or plural, or as the table.
    """
    found = wiring.application(given.settings()).rows(kind, name)
    live = from_json(found, Rows)
    rows = live.rows
    if form == "json":
        output.json_data(flatten_row(rows[0]) if name else [flatten_row(row) for row in rows])
    elif name:
        for label, text in row_lines(rows[0], live):
            output.data(f"{label:<26}{text}")
    else:
        output.table(row_headers(live), [row_cells(row, live) for row in rows])
