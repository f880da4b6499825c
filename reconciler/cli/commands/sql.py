"""`reconciler sql`."""

from __future__ import annotations

import re
import sys

import click

from reconciler import wiring
from reconciler.answers import QueryResult, from_json
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.errors import UsageError
from reconciler.report.escape import dump_json
from reconciler.report.rows import query_cells, query_csv, query_headers

STDIN = "-"
MOST = 100_000
COMMENT = re.compile(r"--\s")


class SqlCommand(click.Command):
    """A query may begin with a comment, which looks like an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """No option has a blank after its dashes; with a blank before them it is none to click either."""
        return super().parse_args(ctx, [f" {one}" if COMMENT.match(one) else one for one in args])


@click.command(cls=SqlCommand, short_help="read-only SQL on the live rows or the history")
@click.argument("query")
@click.option("--history", is_flag=True, help="Ask the history: ClickHouse's SQL.")
@click.option("-n", "--limit", default=1_000, show_default=True, type=click.IntRange(1, MOST), help="How many rows.")
@format_option("text", "json", "csv")
@global_options
@click.pass_obj
def sql(given: Globals, query: str, history: bool, limit: int, form: str) -> None:
    """Run one SELECT on the live rows; `-` reads it from stdin.

    The live rows are main.TABLE, what git says is desired.TABLE. With --history: versions, host_events and the
    tables of the kinds, with every change of every row.
    """
    found = wiring.application(given.settings()).query(_read(query), limit, history=history)
    if form == "json":
        output.data(dump_json(found))
    elif form == "csv":
        output.raw(query_csv(from_json(found, QueryResult)))
    else:
        output.table(query_headers(from_json(found, QueryResult)), [query_cells(row) for row in found["rows"]])
    if found["cut"]:
        given.say(f"there are more rows than these {len(found['rows'])}: --limit tells more, up to {MOST:,}")


def _read(query: str) -> str:
    if query != STDIN:
        return query
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("the query on stdin is not UTF-8", hint="save it as UTF-8") from error
