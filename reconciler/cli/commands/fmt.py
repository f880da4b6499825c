"""`reconciler fmt`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, global_options
from reconciler.errors import UsageError
from reconciler.report.authoring import format_diff, format_summary
from reconciler.report.problems import problem_line

if TYPE_CHECKING:
    from reconciler.reconcile.format import FormattedTree


@click.command(short_help="canonical layout")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 when a file would change.")
@click.option("--diff", is_flag=True, help="The same, and show what would change.")
@global_options
@click.pass_obj
def fmt(given: Globals, paths: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Bring YAML files into the canonical layout: keys in order, two spaces for each level, comments kept.

    No value changes. Prints the path of each file that it changed. With PATHs, only these files and folders.
    """
    settings = given.settings()
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no file or folder {missing}")
    start = paths[0] if paths and settings.repository == Path() else settings.repository
    root, tree = wiring.format_folder(start, settings.path, paths)
    writes = not (check or diff)
    for file in tree.differing:
        if writes:
            wiring.write_formatted(root, file)
        for line in format_diff(file) if diff else (file.path,):
            output.data(output.change(line) if diff else line)
    for problem in tree.problems:
        output.note(output.problem(problem_line(problem)))
    words = ("reformatted", "left unchanged") if writes else ("would be reformatted", "already formatted")
    given.say(format_summary(tree.files, *words) or "warning: there is no *.yaml or *.yml file to format")
    return _exit_code(tree, writes=writes)


def _exit_code(tree: FormattedTree, *, writes: bool) -> Exit:
    for bug in tree.bugs:
        output.failure(bug)
    if tree.bugs:
        return Exit.FAILED
    if tree.problems:
        return Exit.PROBLEMS
    return Exit.DIFFERENT if tree.differing and not writes else Exit.OK
