"""`reconciler log`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Version, from_json
from reconciler.cli import completing, output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.commits import VERSION_HEADERS, version_cells
from reconciler.report.history import orphans_note

STATUSES = ("valid", "invalid", "orphaned")


@click.command(short_help="recorded commits")
@format_option("text", "json")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@click.option("--author", metavar="TEXT", help="Whose `Name <email>` has this in it, in any case.")
@click.option("--kind", metavar="KIND", shell_complete=completing.kinds, help="That changed a resource of this kind.")
@click.option(
    "--name", metavar="NAME", shell_complete=completing.names, help="That changed a resource of this name or id."
)
@click.option("--since", metavar="TIME", help="Committed at this moment or later.")
@click.option("--until", metavar="TIME", help="Committed before this moment; a date alone is included.")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Orphaned is what left the branch.")
@global_options
@click.pass_obj
def log(given: Globals, /, limit: int, form: str, **filters: str | None) -> None:
    """Show the commits that were recorded, newest first, with what each did to rows.

    Several filters have to hold at once.
    """
    told = {name: text for name, text in filters.items() if text is not None}
    answer = wiring.application(given.settings()).versions(limit, told)
    if form == "json":
        output.json_data(answer["versions"])
        return
    output.table(VERSION_HEADERS, [version_cells(from_json(version, Version)) for version in answer["versions"]])
    if "status" not in told and (note := orphans_note(answer["orphaned"])):
        given.say(note)
