"""What is live: `get`, `uses`, `sql`, `export`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import answers
from reconciler.cli import completion, output, results, watching
from reconciler.cli.options import Globals, format_option, global_options, host_option
from reconciler.cli.output import Exit
from reconciler.errors import UsageError
from reconciler.report.escape import dump_json
from reconciler.report.queries import cut_note, query_csv, query_table
from reconciler.report.rows import use_table
from reconciler.service.limits import DEFAULT_ROWS, FORMATS, MAX_ROWS
from reconciler.service.rows import Rows
from reconciler.service.selection import is_filter, join_filters
from reconciler.service.sql import Sql
from reconciler.wiring.exporting import export_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.wiring import host as services

STDIN = "-"
COMMENT = re.compile(r"--\s")


@click.command(short_help="the live rows of a kind")
@click.argument("kind", shell_complete=completion.kinds)
@click.argument("words", nargs=-1, metavar="[NAME|FIELD=VALUE…]", shell_complete=completion.names)
@format_option(*results.ROW_FORMATS)
@click.option("-l", "--label", "label", metavar="SELECTOR", help="Only rows with labels: key, key=value, key!=value, …")
@click.option("--watch", "-w", is_flag=True, help="Go on, and show each row that changes.")
@click.option("--columns", metavar="A,B,…", help="These columns, in this order.")
@click.option("--sort", metavar="FIELD", help="In order of a field; -FIELD: downwards.")
@global_options
@click.pass_obj
def get(given: Globals, /, kind: str, words: tuple[str, ...], form: str, watch: bool, **choice: str | None) -> None:
    """Show the live rows of a KIND, or the one called NAME.

    KIND is a kind or its table, in any case, singular or plural. field=value and field!=value select rows.
    """
    name, filters = _read_words(words)
    only = tuple(word.strip() for word in (choice["columns"] or "").split(",") if word.strip())
    if name is not None and (filters or choice["label"] or choice["sort"]):
        raise UsageError(f"{name} is one row: there is nothing to select", hint="leave the name out, or the rest")
    if watch and form not in watching.FORMATS:
        hint = f"choose one of {', '.join(watching.FORMATS)}"
        raise UsageError(f"--watch cannot go on in {form}, which is one document", hint=hint)
    detailed = form in results.DETAILED or bool(only) or None

    def ask(host: services.Host, filters: Sequence[str] = filters) -> answers.Rows:
        label, sort = choice["label"], choice["sort"]
        return host.ask(
            Rows.page, kind, label=label, filters=join_filters(filters) or None, sort=sort, metadata=detailed
        )

    if watch and name is None:
        ids = (lambda host: results.ids(host.ask(Rows.page, kind))) if filters or choice["label"] else None
        watching.watch_rows(given, watching.Watched(ask, ids), form, only)
    host = given.host()
    found = ask(host) if name is None else host.ask(Rows.row, kind, name, metadata=detailed)
    if watch:
        by_id = [f"{found.key}=={id_}" for id_ in results.ids(found)]  # the name may change
        watching.watch_rows(given, watching.Watched(lambda host: ask(host, by_id)), form, only)
    results.rows(given, host, found, form, single=name is not None, only=only)


def _read_words(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The name, if there is one, and the filters."""
    names, filters = [word for word in words if not is_filter(word)], [word for word in words if is_filter(word)]
    if len(names) > 1:
        raise UsageError(f"one name at a time: {names[0]} or {names[1]}", hint="`--columns` takes columns, `-l` labels")
    return next(iter(names), None), filters


@click.command(short_help="what refers to a resource")
@click.argument("kind", shell_complete=completion.kinds)
@click.argument("name", shell_complete=completion.names)
@click.option("--at", "at", metavar="REV|TIME", help="As it was at a commit, tag or point in time.")
@host_option
@format_option("text", "wide", "json")
@global_options
@click.pass_obj
def uses(given: Globals, kind: str, name: str, at: str | None, on: str | None, form: str) -> None:
    """Show what refers to a resource, directly and through others: what a change to it touches."""
    found = given.host().ask(Rows.uses, kind, name, at, host=on, branch=given.branch)
    if form == "json":
        results.answer(found)
    elif found.uses:
        results.table(given, use_table(found), form)
    else:
        given.say(f"nothing refers to {kind} {name}")


class SqlCommand(click.Command):
    """A query may begin with a comment, which looks like an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put a blank before such a word: click takes it for no option then, and no option has one after its dashes."""
        return super().parse_args(ctx, [f" {word}" if COMMENT.match(word) else word for word in args])


@click.command(cls=SqlCommand, short_help="read-only SQL on the live rows or the history")
@click.argument("query")
@click.option("--history", is_flag=True, help="Query the history, in its engine's SQL.")
@click.option(
    "-n", "--limit", default=DEFAULT_ROWS, show_default=True, type=click.IntRange(1, MAX_ROWS), help="Maximum of rows."
)
@format_option("text", "json", "csv")
@global_options
@click.pass_obj
def sql(given: Globals, query: str, history: bool, limit: int, form: str) -> None:
    """Run one SELECT on the live rows; `-` reads it from stdin.

    The live rows are main.TABLE, what git says is desired.TABLE. With --history: versions, host_events and the
    tables of the kinds, with every change of every row.
    """
    host, text = given.host(), _read_query(query)
    with output.progress("asking"):
        found = host.ask(Sql.query, text, history, limit)
    if form == "json":
        output.data(dump_json(answers.to_json(found)))
    elif form == "csv":
        output.raw(query_csv(found))
    else:
        output.table(query_table(found))
    if note := cut_note(found, MAX_ROWS):
        given.say(note)


@click.command(short_help="rows to Parquet, CSV or JSON files")
@click.argument("kinds", nargs=-1, metavar="[FILE.xlsx] [KIND]...", shell_complete=completion.kinds)
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="The folder for the files.")
@click.option("--history", is_flag=True, help="Export every change of every row, the versions and the host events.")
@format_option(*FORMATS)
@global_options
@click.pass_obj
def export(given: Globals, kinds: tuple[str, ...], to: Path | None, history: bool, form: str) -> int:
    """Write the live rows into files, one for each KIND, or for all; or what the repository declares into FILE.xlsx.

    A file of the same name is replaced once the new one is complete; a workbook is kept under another name.
    """
    from reconciler.cli.commands.spreadsheets import (
        export_workbook,
        is_workbook,
    )  # what reads spreadsheets takes 100 ms

    workbooks = [word for word in kinds if is_workbook(word)]
    if workbooks:
        if to is not None or history or len(workbooks) > 1:
            raise UsageError(
                "a workbook is all that is written then", hint="name one FILE.xlsx, without --to and --history"
            )
        return export_workbook(given, Path(workbooks[0]), [word for word in kinds if word not in workbooks])
    if to is None:
        raise UsageError("where to?", hint="--to DIR writes files of rows, `reconciler export FILE.xlsx` a workbook")
    host = given.host()
    for word in kinds or [table.table for table in host.ask(Sql.tables, history).tables]:
        with output.progress(word):
            file, rows = export_table(host, word, form, to, history=history)
        output.data(f"{file}  {'1 row' if rows == 1 else f'{rows:,} rows'}, {file.stat().st_size:,} bytes")
    return Exit.OK


def _read_query(query: str) -> str:
    if query != STDIN:
        return query
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("the query on stdin is not UTF-8", hint="save it as UTF-8") from error
