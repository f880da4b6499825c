"""`reconciler show`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import HistoryPoint, Rows, from_json
from reconciler.cli import completing, output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.history import history_point_text
from reconciler.report.rows import flatten_row, row_cells, row_headers, row_lines

LABEL = 26
"""Columns of a label."""


@click.command(short_help="a live row as it was")
@click.argument("kind", shell_complete=completing.kinds)
@click.argument("name", required=False, shell_complete=completing.names)
@click.option("--at", "at", metavar="REV|TIME", required=True, help="A commit, tag or moment.")
@format_option("text", "json")
@global_options
@click.pass_obj
def show(given: Globals, kind: str, name: str | None, at: str, form: str) -> None:
    """Show a live row, or all of a KIND, as `get` would have shown it right after a commit, or at a moment."""
    answer = wiring.application(given.settings()).show(kind, name, at)
    live = from_json(answer, Rows)
    rows = live.rows
    if form == "json":
        output.json_data(flatten_row(rows[0]) if name else [flatten_row(row) for row in rows])
        return
    if name:
        for label, text in row_lines(rows[0], live):
            output.data(f"{label:<{LABEL}}{text}")
    else:
        output.table(row_headers(live), [row_cells(row, live) for row in rows])
    given.say(f"as of {history_point_text(from_json(answer['at'], HistoryPoint))}")
