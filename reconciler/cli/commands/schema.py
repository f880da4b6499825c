"""`reconciler schema`: the kinds in force in the working tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.answers import to_json
from reconciler.cli import completing, output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.places import from_here
from reconciler.reconcile.rules import Role
from reconciler.report.authoring import FIELD_HEADERS, KIND_HEADERS, build_kind_summary, field_cells, kind_cells
from reconciler.report.problems import problem_line
from reconciler.scaffold.paths import EDITOR_FOLDER, below
from reconciler.scaffold.sample import field_rows

if TYPE_CHECKING:
    from reconciler.wiring import Workshop


@click.group(short_help="kinds and their JSON Schemas", no_args_is_help=False)
@global_options
def schema() -> None:
    """The kinds in force: those that ship, and the repository's own."""


@schema.command("list", short_help="all kinds")
@format_option("text", "json")
@global_options
@click.pass_obj
def list_kinds(given: Globals, form: str) -> int:
    """List the kinds: table, key, number of columns, and where each is from."""
    workshop = _workshop(given)
    summaries = [build_kind_summary(kind, workshop.author.origin(kind)) for kind in workshop.author.kinds]
    if form == "json":
        output.json_data([to_json(kind) for kind in summaries])
    else:
        output.table(KIND_HEADERS, [kind_cells(kind) for kind in summaries])
    return _code(workshop)


@schema.command(short_help="the fields of a kind")
@click.argument("kind", shell_complete=completing.kinds)
@format_option("text", "json")
@global_options
@click.pass_obj
def show(given: Globals, kind: str, form: str) -> int:
    """Show the fields of a KIND, or its JSON Schema as it is."""
    workshop = _workshop(given)
    found = workshop.author.kind(kind)
    if form == "json":
        output.json_data(found.schema)
    else:
        output.data(f"{found.name}: {found.schema['description']}")
        output.data(f"table {found.table}, {workshop.author.origin(found)}\n")
        output.table(FIELD_HEADERS, [field_cells(row) for row in field_rows(found)])
    return _code(workshop)


@schema.command(short_help="write the schemas for editors")
@click.option("--to", "to", metavar="DIR", type=click.Path(path_type=Path), help="Where to (default: the repository).")
@global_options
@click.pass_obj
def export(given: Globals, to: Path | None) -> int:
    """Write every schema that editors need to complete and check files, and print the paths.

    Files of the same names are replaced.
    """
    workshop = _workshop(given)
    author = workshop.author
    place = to or workshop.files.root / below(author.base, EDITOR_FOLDER)
    target = wiring.folder(place)
    for name, text in sorted(workshop.schemas.items()):
        target.replace(name, text)
        output.data(from_here(place / name))
    return _code(workshop)


def _workshop(given: Globals) -> Workshop:
    workshop = wiring.workshop(given.settings(), (Role.SCHEMA,))
    for problem in workshop.author.problems:
        output.note(output.problem(problem_line(problem)))
    return workshop


def _code(workshop: Workshop) -> int:
    """A repository's own kind that is wrong is not in force, which is not to be overlooked."""
    return Exit.PROBLEMS if any(problem.is_error for problem in workshop.author.problems) else Exit.OK
