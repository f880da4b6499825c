"""What starts the files of a repository: `demo`, `new`, `schema`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from reconciler import answers
from reconciler.adapters.files import Folder
from reconciler.cli import completion, output, results
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.cli.problems import note_problems, problems_code
from reconciler.reconcile.rules import Role
from reconciler.report import problems
from reconciler.report.authoring import field_table
from reconciler.report.kinds import build_kind_summary, kind_table
from reconciler.scaffold.files import EDITOR_FOLDER, join_path
from reconciler.scaffold.template import describe_fields
from reconciler.wiring.scaffolding import make_kind, open_scaffold

if TYPE_CHECKING:
    from reconciler.service.scaffolding import Scaffold

STDOUT = Path("-")


@click.command(short_help="a tour")
@global_options
def demo() -> None:
    """Take a two-minute tour on the example repository: no questions asked, nothing left behind."""
    from reconciler.cli.tour import take_tour

    take_tour()


@click.command(short_help="start a resource")
@click.argument("kind", shell_complete=completion.kinds)
@click.argument("name")
@click.option("--file", "file", metavar="PATH", type=click.Path(path_type=Path), help="Where to; - for stdout.")
@global_options
@click.pass_obj
def new(given: Globals, kind: str, name: str, file: Path | None) -> None:
    """Write a commented file that declares a new resource, and print its path.

    What is required has the most cautious value that the schema allows; what is optional is commented out.
    """
    scaffold, folder = open_scaffold(given.settings())
    author = scaffold.author
    path = None if file in {None, STDOUT} else scaffold.relative_path(file or STDOUT)
    draft = author.draft_resource(author.find_kind(kind), name, str(uuid4()), path)
    if file == STDOUT:
        output.data(draft.text.rstrip("\n"))
    else:
        folder.create(draft.path, draft.text.encode())
        output.data(output.short_path(scaffold.root / draft.path))
    for problem in (*draft.problems, *draft.placeholders):
        given.say(output.problem(problems.problem_line(problem)))
    if not draft.schema_exists:
        given.say(f"hint: `reconciler schema export` writes {draft.schema}, which editors complete the file from")


@click.group(short_help="kinds and their JSON Schemas", no_args_is_help=False)
@global_options
def schema() -> None:
    """The kinds in force: those that come with the program, and the repository's own."""


@schema.command("list", short_help="all kinds")
@format_option("text", "wide", "json")
@global_options
@click.pass_obj
def list_kinds(given: Globals, form: str) -> int:
    """List the kinds: table, key, number of columns, and where each is from."""
    scaffold = _open_schemas(given)
    author = scaffold.author
    summaries = [build_kind_summary(kind, author.origin(kind)) for kind in author.kinds]
    if form == "json":
        output.json_data([answers.to_json(summary) for summary in summaries])
    else:
        results.table(given, kind_table(summaries), form)
    return problems_code(scaffold.author.problems)


@schema.command(short_help="the fields of a kind")
@click.argument("kind", shell_complete=completion.kinds)
@format_option("text", "wide", "json")
@global_options
@click.pass_obj
def show(given: Globals, kind: str, form: str) -> int:
    """Show the fields of a KIND, or its JSON Schema as it is."""
    scaffold = _open_schemas(given)
    found = scaffold.author.find_kind(kind)
    if form == "json":
        output.json_data(found.schema)
    else:
        output.data(f"{found.name}: {found.schema['description']}")
        output.data(f"table {found.table}, {scaffold.author.origin(found)}\n")
        results.table(given, field_table(describe_fields(found)), form)
    return problems_code(scaffold.author.problems)


@schema.command(short_help="write the schemas for editors")
@click.option("--to", "to", metavar="DIR", type=click.Path(path_type=Path), help="Where to (default: the repository).")
@global_options
@click.pass_obj
def export(given: Globals, to: Path | None) -> int:
    """Write every schema that editors need to complete and check files, and print the paths.

    Files of the same names are replaced.
    """
    scaffold = _open_schemas(given)
    folder = to or scaffold.root / join_path(scaffold.author.base, EDITOR_FOLDER)
    target = Folder(folder.resolve())
    for name, content in sorted(scaffold.schemas.items()):
        target.replace(name, content)
        output.data(output.short_path(folder / name))
    return problems_code(scaffold.author.problems)


@schema.command("new", short_help="a kind from a sample")
@click.argument("kind")
@click.option(
    "--from",
    "sample",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="Values (.yaml, .json, .csv, .set), or a JSON Schema of them.",
)
@global_options
@click.pass_obj
def new_kind(given: Globals, kind: str, sample: Path) -> int:
    """Write the schema of a new KIND and its first resource, made from a FILE, and print the paths.

    The FILE has values, the first of which become the resource, or is a JSON Schema of values. In the schemas folder,
    such a schema becomes the kind's in its place.
    """
    made, root = make_kind(given.settings(), kind, sample, lambda: str(uuid4()))
    for note in made.notes:
        given.say(note)
    for problem in (*made.problems, *made.marked):
        given.say(output.problem(problems.problem_line(problem)))
    if made.problems:
        given.say("nothing was written")
        return Exit.PROBLEMS
    for path in made.files:
        output.data(output.short_path(root / path))
    given.say("next: say in the schema what each field means, and which values it may have")
    return Exit.OK


def _open_schemas(given: Globals) -> Scaffold:
    scaffold, _ = open_scaffold(given.settings(), (Role.SCHEMA,))
    note_problems(scaffold.author.problems)
    return scaffold
