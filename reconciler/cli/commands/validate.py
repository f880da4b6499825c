"""`reconciler validate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.watching import watch as watch_files
from reconciler.errors import UsageError
from reconciler.report.formats import PROBLEM_FORMATS
from reconciler.report.text import LineStyle, checked_lines

if TYPE_CHECKING:
    from reconciler.reconcile.check import CheckResult

TEXT = "text"


@click.command(short_help="check files")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Go on, and check again whenever a file changes.")
@format_option(*PROBLEM_FORMATS)
@global_options
@click.pass_obj
def validate(given: Globals, paths: tuple[Path, ...], watch: bool, form: str) -> int:
    """Check the files of a config repository, as they are on disk.

    With PATHs, only the problems in these files and folders are told; what they refer to is looked up in the whole
    repository all the same.
    """
    settings = given.settings()
    if watch and form != TEXT:
        raise UsageError(f"--watch cannot go on in {form}, which is one document", hint="leave out --format")
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no file or folder {missing}")
    start = paths[0] if paths and settings.repository == Path() else settings.repository
    if watch:
        watch_files(given, start, settings.path, paths, partial(_tell, given, form=form))
    checked = wiring.check_folder(start, settings.path, paths)
    _tell(given, checked, form)
    return Exit.PROBLEMS if any(problem.is_error for problem in checked.problems) else Exit.OK


def _tell(given: Globals, checked: CheckResult, form: str) -> None:
    if not checked.entries:
        given.say("warning: nothing was checked: there is no *.yaml or *.yml file")
    if form == TEXT:
        for style, line in checked_lines(checked):
            output.data(output.problem(line) if style is LineStyle.PROBLEM else line)
    else:
        output.data(PROBLEM_FORMATS[form](checked))
