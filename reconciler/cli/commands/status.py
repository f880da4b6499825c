"""`reconciler status`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.answers import Problem, Status, from_json
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.problems import parse_problem, problem_line
from reconciler.report.status import status_lines


@click.command(short_help="what is live")
@format_option("text", "json")
@global_options
@click.pass_obj
def status(given: Globals, form: str) -> None:
    """Say what is live, whether it is what git says, which commit was refused and why, and how the daemon fares."""
    found = wiring.application(given.settings()).status()
    if form == "json":
        output.json_data(found)
        return
    for label, text in status_lines(from_json(found, Status)):
        output.data(f"{label:<12}{text}")
    for problem in found["refused"]["problems"] if found["refused"] else ():
        output.data("  " + output.problem(problem_line(parse_problem(from_json(problem, Problem)))))
