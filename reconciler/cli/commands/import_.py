"""`reconciler import`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, global_options
from reconciler.report.plans import plan_change_lines, plan_summary
from reconciler.report.problems import plural, problem_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.reconcile.importrows import RowImport

LISTED = 20
"""New files that are listed; more are counted by kind."""


@click.command("import", short_help="existing rows to YAML files")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), help="Folder of a repository for the new files.")
@click.option("--kind", metavar="KIND", help="The kind of the CSV files' rows; of a DuckDB file, only this kind's.")
@global_options
@click.pass_obj
def import_(given: Globals, files: tuple[Path, ...], to: Path | None, kind: str | None) -> int:
    """Write the rows of DuckDB and CSV FILEs as YAML files, one for each row, and prove that they say the same.

    Nothing is written unless all of it is valid. What the repository declares already is compared, never overwritten.
    """
    imported = wiring.import_files(files, given.settings(), to, kind)
    if imported.left_alone:
        given.say(f"left alone, as no kind has such a table: {', '.join(imported.left_alone)}")
    adoption = imported.adoption
    errors = [problem for problem in adoption.problems if problem.is_error]
    for problem in adoption.problems:
        output.data(output.problem(problem_line(problem)))
    if errors:
        output.data(f"nothing was written: {plural(len(errors), 'error')}")
        return Exit.PROBLEMS
    for line in _lines(adoption, imported):
        output.data(output.change(line))
    if adoption.files:
        given.say("created_at and updated_at are not imported: they come from the commits")
    return Exit.DIFFERENT if adoption.plan.changes else Exit.OK


def _lines(adoption: RowImport, imported: wiring.Imported) -> Iterator[str]:
    created = adoption.created
    if len(created) > LISTED:
        yield from (f"+ {number:,} {kind}" for kind, number in Counter(one.kind for one in created).items())
    else:
        yield from (f"+ {one.kind} {one.name}  {one.path}" for one in created)
    yield from plan_change_lines(adoption.plan, imported.kinds)
    rows, unchanged = len(adoption.rows), len(adoption.rows) - len(created) - len(adoption.plan.changes)
    yield f"{plural(rows, 'row')}: {plural(len(created), 'file')} written, {unchanged:,} declared already"
    yield plan_summary(adoption.plan)
