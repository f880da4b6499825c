"""`reconciler doctor`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.model.host import Diagnosis, Grade
from reconciler.report.status import build_diagnosis, diagnosis_lines, summarize_diagnoses

COLOURS = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.PROBLEM: "red"}


@click.command(short_help="check this host")
@format_option("text", "json")
@global_options
@click.pass_obj
def doctor(given: Globals, form: str) -> int:
    """Check git, the stores, clock, disk and permissions, and say how to mend what is wrong.

    Nothing is created or changed.
    """
    found: list[Diagnosis] = []
    for diagnosis in wiring.examine(given.config, given.settings):
        found.append(diagnosis)
        if form == "text":
            _show(diagnosis)
    if form == "json":
        output.json_data([build_diagnosis(diagnosis) for diagnosis in found])
    else:
        output.data(summarize_diagnoses(found))
    return Exit.PROBLEMS if any(diagnosis.grade is Grade.PROBLEM for diagnosis in found) else Exit.OK


def _show(diagnosis: Diagnosis) -> None:
    first, *rest = diagnosis_lines(diagnosis)
    grade = str(diagnosis.grade)
    output.data(click.style(grade, fg=COLOURS[diagnosis.grade]) + first.removeprefix(grade))
    for line in rest:
        output.data(line)
