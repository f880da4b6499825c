"""`reconciler history`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import RecordedChange, from_json
from reconciler.cli import completing, output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.errors import UsageError
from reconciler.report.history import history_lines, orphans_note
from reconciler.report.text import LineStyle


@click.command(short_help="who changed what")
@click.argument("kind", required=False, shell_complete=completing.kinds)
@click.argument("name", required=False, shell_complete=completing.names)
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@format_option("text", "json")
@global_options
@click.pass_obj
def history(given: Globals, kind: str | None, name: str | None, limit: int, form: str) -> None:
    """Show every change of a resource, newest first: who, when, in which commit, and each field's old and new value.

    Also of one that is gone. Without KIND and NAME, the newest changes of all.
    """
    if kind is not None and name is None:
        raise UsageError(f"whose history? {kind} is a kind", hint=f"name one, or see `reconciler log --kind {kind}`")
    answer = wiring.application(given.settings()).history(kind, name, limit)
    if form == "json":
        output.json_data(answer["changes"])
        return
    for style, line in history_lines(from_json(one, RecordedChange) for one in answer["changes"]):
        output.data(output.change(line) if style is LineStyle.CHANGE else line)
    if note := orphans_note(answer["orphaned"]):
        given.say(note)
