"""`reconciler validate`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.errors import UsageError
from reconciler.report.formats import PROBLEM_FORMATS, render_checked
from reconciler.report.text import Sort, checked_lines


@click.command(short_help="check files")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@format_option(*PROBLEM_FORMATS)
@global_options
@click.pass_obj
def validate(given: Globals, paths: tuple[Path, ...], form: str) -> int:
    """Check the files of a config repository, as they are on disk.

    With PATHs, only the problems in these files and folders are told; what they refer to is looked up in the whole
    repository all the same.
    """
    settings = given.settings()
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no file or folder {missing}")
    start = paths[0] if paths and settings.repository == Path() else settings.repository
    checked = wiring.check_folder(start, settings.path, paths)
    if not checked.entries:
        given.say("warning: nothing was checked: there is no *.yaml or *.yml file")
    if form == "text":
        for sort, line in checked_lines(checked):
            output.data(output.problem(line) if sort is Sort.PROBLEM else line)
    else:
        output.data(render_checked(checked, form))
    return Exit.PROBLEMS if any(problem.is_error for problem in checked.problems) else Exit.OK
