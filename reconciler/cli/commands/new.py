"""`reconciler new`."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import click

from reconciler import wiring
from reconciler.cli import completing, output
from reconciler.cli.options import Globals, global_options
from reconciler.cli.places import from_here
from reconciler.report.problems import problem_line

STDOUT = Path("-")


@click.command(short_help="start a resource")
@click.argument("kind", shell_complete=completing.kinds)
@click.argument("name")
@click.option("--file", "file", metavar="PATH", type=click.Path(path_type=Path), help="Where to; - for stdout.")
@global_options
@click.pass_obj
def new(given: Globals, kind: str, name: str, file: Path | None) -> None:
    """Write a commented file that declares a new resource, and print its path.

    What is required has the most cautious value that the schema allows; what is optional is commented out.
    """
    workshop = wiring.workshop(given.settings())
    author = workshop.author
    path = None if file in {None, STDOUT} else workshop.inside(file or STDOUT)
    draft = author.draft(author.kind(kind), name, str(uuid4()), path)
    if file == STDOUT:
        output.data(draft.text.rstrip("\n"))
    else:
        workshop.files.create(draft.path, draft.text.encode())
        output.data(from_here(workshop.files.root / draft.path))
    for problem in draft.problems:
        given.say(output.problem(problem_line(problem)))
    if not draft.schema_exists:
        given.say(f"hint: `reconciler schema export` writes {draft.schema}, which editors complete the file from")
