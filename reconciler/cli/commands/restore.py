"""`reconciler restore`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.options import Globals, global_options
from reconciler.cli.people import who
from reconciler.cli.places import from_here
from reconciler.report.commits import short_sha


@click.command(short_help="bring a copy of the store back")
@click.argument("file", type=click.Path(path_type=Path))
@global_options
@click.pass_obj
def restore(given: Globals, file: Path) -> None:
    """Make FILE, a backup, the store of this host. The next sync brings it to the branch's head."""
    done = wiring.application(given.settings()).restore(file, who())
    output.data(f"live: {short_sha(done['applied']['commit'])}" if done["applied"] else "live: nothing yet")
    if done["aside"] is not None:
        given.say(f"the store before is kept as {from_here(Path(done['aside']))}")
    given.say("run `reconciler sync` to bring it to the branch's head; a daemon does so at once")
