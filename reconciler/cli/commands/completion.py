"""`reconciler completion`."""

from __future__ import annotations

import click

from reconciler.cli import output
from reconciler.cli.options import global_options
from reconciler.cli.shells import SHELLS, script


@click.command(short_help="completion for a shell")
@click.argument("shell", type=click.Choice(SHELLS))
@global_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what SHELL has to run, once, to complete commands, options, kinds and names of live rows."""
    output.raw(script(context.find_root().command, shell))
