"""`reconciler init`."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.options import Globals, global_options


@click.command(short_help="start a config repository")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@global_options
@click.pass_obj
def init(given: Globals, folder: Path) -> None:
    """Write the files of a new config repository into DIR, and print their paths.

    DIR may be there and hold files: none of them is touched. It is put under git unless it is already.
    """
    target, files = wiring.folder(folder), wiring.new_repository(lambda: str(uuid4()))
    target.make()
    begun = wiring.begin_repository(folder)
    kept = [path for path in files if target.exists(path)]
    for path, data in files.items():
        if path not in kept:
            target.create(path, data)
            output.data(str(folder / path))
    for path in kept:
        given.say(f"kept {folder / path}: it was there already")
    given.say(f"{folder} is a new git repository" if begun else f"{folder} is inside a git repository already")
    given.say(f"next: reconciler validate{_at(folder)}")
    given.say(f"      reconciler schema list{_at(folder)}")


def _at(folder: Path) -> str:
    if folder == Path():
        return ""
    return f' --repo "{folder}"' if " " in str(folder) else f" --repo {folder}"
