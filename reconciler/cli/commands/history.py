"""What the history knows: `history`, `log`, `show`, `diff`, `blame`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from reconciler import answers
from reconciler.cli import completion, output, results
from reconciler.cli.options import Choice, Globals, format_option, global_options, host_option
from reconciler.cli.output import Exit
from reconciler.errors import UsageError
from reconciler.report.commits import plain_version_table, version_table
from reconciler.report.history import (
    blame_table,
    build_copied_table,
    copy_lines,
    copy_table,
    diff_lines,
    drift_notes,
    has_changes,
    history_lines,
    history_point_text,
    orphans_note,
    unrecorded_note,
)
from reconciler.report.plans import LineStyle
from reconciler.service.history import DEFAULT_LIMIT, History
from reconciler.service.rows import Rows
from reconciler.settings import load

if TYPE_CHECKING:
    from collections.abc import Sequence

COPY, HISTORY_URL = "copy", "history.url"
LEAST_SUBJECT = 24
"""How much of a subject stays on a terminal at least."""
STATUSES = ("valid", "invalid", "orphaned")
LIMIT = click.option("-n", "--limit", default=DEFAULT_LIMIT, show_default=True, type=click.IntRange(1), help="Maximum.")


class HistoryCommand(click.Command):
    """`history`, and `history copy`: a kind of that name is asked about with a name after it."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the one that is meant."""
        if args[:1] == [COPY] and (len(args) == 1 or args[1].startswith("-")):
            copy.context_class = self.context_class
            return copy.make_context(f"{info_name} {COPY}", args[1:], parent=parent, **extra)
        return super().make_context(info_name, args, parent=parent, **extra)


@click.command(cls=HistoryCommand, short_help="who changed what")
@click.argument("kind", required=False, shell_complete=completion.kinds)
@click.argument("name", required=False, shell_complete=completion.names)
@LIMIT
@host_option
@format_option("text", "json")
@global_options
@click.pass_obj
def history(given: Globals, kind: str | None, name: str | None, limit: int, on: str | None, form: str) -> None:
    """Show every change of a resource, newest first: who, when, in which commit, and each field's old and new value.

    Deleted resources have a history too. Without KIND and NAME, show the newest changes of all resources.
    `history copy --to URL` copies the whole history to another engine.
    """
    host = given.host()
    if kind is None:
        changes = host.ask(History.newest, limit, host=on, branch=given.branch)
    elif name is None:
        raise UsageError(f"whose history? {kind} is a kind", hint=f"name one, or see `reconciler log --kind {kind}`")
    else:
        changes = host.ask(History.changes, kind, name, limit, host=on, branch=given.branch)
    if form == "json":
        output.json_data(answers.to_json(changes)["changes"])
        return
    for style, line in history_lines(changes.changes, partial(output.fit_line, least=LEAST_SUBJECT)):
        output.data(output.change(line) if style is LineStyle.CHANGE else line)
    if note := orphans_note(changes.orphaned):
        given.say(note)


@click.command(short_help="copy the history to another engine")
@click.option("--to", "target", required=True, metavar="URL", help="Where to: what history.url would be.")
@format_option("text", "json")
@global_options
@click.pass_obj
def copy(given: Globals, target: str, form: str) -> Exit:
    """Copy the whole history to another engine. What is there already is not written again.

    Rows are written in batches; a copy that was broken off goes on where it was. In the end both are compared.
    """
    from reconciler.wiring.local import copy_history

    settings = given.settings()
    url = load(None, {HISTORY_URL: target}).history_url  # `file:` and `env:` keep a password out of the command line
    with output.progress("rows") as progress:
        tables = copy_history(settings, url, progress)
    if form == "json":
        output.json_data([build_copied_table(table) for table in tables])
    else:
        results.table(given, copy_table(tables), form)
    for line in copy_lines(tables, url):
        given.say(line)
    return Exit.OK if all(table.is_complete for table in tables) else Exit.PROBLEMS


@click.command(short_help="recorded commits")
@format_option("text", "wide", "json")
@LIMIT
@click.option("--grep", metavar="TEXT", help="Only commits with this in message or author, or whose sha begins so.")
@click.option("--author", metavar="TEXT", help="Only authors whose `Name <email>` contains this, in any case.")
@click.option("--kind", metavar="KIND", shell_complete=completion.kinds, help="Only commits that changed this kind.")
@click.option(
    "--name", metavar="NAME", shell_complete=completion.names, help="Only commits that changed this name or id."
)
@click.option("--since", metavar="TIME", help="Only commits of this time or later.")
@click.option("--until", metavar="TIME", help="Only commits before this time; of a date alone, all of its day.")
@click.option(
    "--status",
    type=Choice(STATUSES, case_sensitive=False),
    help="Only these; orphaned commits have left the branch.",
)
@host_option
@global_options
@click.pass_obj
def log(given: Globals, /, limit: int, form: str, on: str | None, **filters: str | None) -> None:
    """Show the recorded commits, newest first, what became of each on this host, and how many rows it changed.

    With several filters, show the commits that match all of them.
    """
    versions = given.host().ask(History.versions, limit, **filters, host=on, branch=given.branch)
    if note := unrecorded_note(versions.unrecorded):
        given.say(note)
    if form == "json":
        output.json_data(answers.to_json(versions)["versions"])
        return
    print_versions(given, versions.versions, form)
    if filters["status"] is None and (note := orphans_note(versions.orphaned)):
        given.say(note)


def print_versions(given: Globals, versions: Sequence[answers.Version], form: str) -> None:
    """Print a table of versions; on a terminal each takes one line."""
    if form == results.WIDE or not output.on_terminal():
        results.table(given, plain_version_table(versions), form)
    else:
        results.table(given, version_table(versions, output.read_moments(form, utc=given.utc)))


@click.command(short_help="a live row as it was")
@click.argument("kind", shell_complete=completion.kinds)
@click.argument("name", required=False, shell_complete=completion.names)
@click.option("--at", "at", metavar="REV|TIME", required=True, help="A commit, tag or point in time.")
@host_option
@format_option(*results.ROW_FORMATS)
@global_options
@click.pass_obj
def show(given: Globals, kind: str, name: str | None, at: str, on: str | None, form: str) -> None:
    """Show a live row, or all rows of a KIND, as they were at a commit or point in time."""
    host = given.host()
    metadata = form in results.DETAILED or None
    rows = (
        host.ask(Rows.row, kind, name, at, host=on, branch=given.branch, metadata=metadata)
        if name is not None
        else host.ask(Rows.page, kind, at, host=on, branch=given.branch, metadata=metadata)
    )
    results.rows(given, host, rows, form, single=name is not None)
    if form in {"text", results.WIDE} and rows.at:
        given.say(f"as of {history_point_text(rows.at)}")
    for note in drift_notes(rows.drift or ()):
        output.note(f"warning: {note}")


@click.command(short_help="compare two points in time")
@click.argument("base")
@click.argument("head")
@host_option
@format_option("text", "json")
@global_options
@click.pass_obj
def diff(given: Globals, base: str, head: str, on: str | None, form: str) -> int:
    """Compare BASE with HEAD, each a commit, tag or point in time, from the history alone."""
    found = given.host().ask(History.diff, base, head, host=on, branch=given.branch)
    if form == "json":
        results.answer(found)
    else:
        for style, line in diff_lines(found):
            output.data(output.change(line) if style is LineStyle.CHANGE else line)
    return Exit.DIFFERENT if has_changes(found) else Exit.OK


@click.command(short_help="who set each field")
@click.argument("kind", shell_complete=completion.kinds)
@click.argument("name", shell_complete=completion.names)
@host_option
@format_option("text", "wide", "json")
@global_options
@click.pass_obj
def blame(given: Globals, kind: str, name: str, on: str | None, form: str) -> None:
    """Show for each field of a live row the commit that last set it."""
    found = given.host().ask(History.blame, kind, name, host=on, branch=given.branch)
    if form == "json":
        results.answer(found)
    else:
        results.table(given, blame_table(found, output.read_moments(form, utc=given.utc)), form)
