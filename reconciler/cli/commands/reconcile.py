"""What has to do with the live rows being what git says: `suspend`, `resume`, `drift`, `verify`."""

from __future__ import annotations

import click

from reconciler.cli import output, results
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.cli.user import user_name
from reconciler.report.status import suspension_line
from reconciler.report.sync import drift_lines, drift_summary
from reconciler.report.verification import verification_lines
from reconciler.service.control import HostControl
from reconciler.service.rows import Rows


@click.command(short_help="stop reconciling")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown in status and kept on record.")
@click.option("--until", metavar="WHEN", help="A span (30m, 2h, 1d) or a time with its zone (default: until resumed).")
@format_option("text", "json")
@global_options
@click.pass_obj
def suspend(given: Globals, reason: str, until: str | None, form: str) -> None:
    """Keep the live rows as they are, whatever is committed, until somebody resumes or the time is over."""
    suspension = given.host().ask(HostControl.suspend, user_name(), reason, until)
    if form == "json":
        results.answer(suspension)
    else:
        output.data(f"suspended {suspension_line(suspension, output.read_moments(form, utc=given.utc))}")


@click.command(short_help="reconcile again")
@format_option("text", "json")
@global_options
@click.pass_obj
def resume(given: Globals, form: str) -> None:
    """End a suspension. Commits made meanwhile go live with the next sync; a running daemon applies them at once."""
    found = given.host().ask(HostControl.resume, user_name())
    if form == "json":
        results.answer(found)
    elif found.ended is None:
        output.data("nothing was suspended")
    else:
        told = suspension_line(found.ended, output.read_moments(form, utc=given.utc))
        output.data(f"resumed; it was suspended {told}")


@click.command(short_help="compare live rows with git")
@click.option("--heal", is_flag=True, help="Make the live rows what git says, and record it.")
@format_option("text", "json")
@global_options
@click.pass_obj
def drift(given: Globals, heal: bool, form: str) -> int:
    """Show where something else changed the live rows, so that they are not what the applied commit says."""
    host = given.host()
    with output.progress("comparing rows"):
        found = host.ask(HostControl.heal, user_name()) if heal else host.ask(Rows.drift)
    if form == "json":
        results.answer(found)
    else:
        for text in drift_lines(found):
            output.text_line(text, output.change)
        output.data(drift_summary(found, " put right" if heal else ""))
    return Exit.DIFFERENT if found.drift and not heal else Exit.OK


@click.command(short_help="compare both databases with git")
@format_option("text", "json")
@global_options
@click.pass_obj
def verify(given: Globals, form: str) -> int:
    """Compare every recorded commit and every live row with git, from the first commit on. Nothing is written."""
    with output.progress("commits") as progress:
        found = given.host(progress).ask(HostControl.verify, user_name())
    if form == "json":
        results.answer(found)
    else:
        for text in verification_lines(found):
            output.data(text)
    return Exit.PROBLEMS if found.differences else Exit.OK
