"""`reconciler validate`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.errors import UsageError
from reconciler.report import problems as report


@click.command(short_help="check files")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@format_option("text", "json")
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
    if form == "json":
        output.json_data(report.checked_json(checked))
    else:
        *lines, summary = report.checked_text(checked).split("\n")
        for line in lines:
            output.data(output.problem(line))
        output.data(summary)
    return Exit.PROBLEMS if any(problem.is_error for problem in checked.problems) else Exit.OK
