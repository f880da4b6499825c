"""`reconciler token`."""

from __future__ import annotations

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.model.grants import Role, format_entry, hash_token


@click.command(short_help="a fresh token for HTTP")
@click.option("--role", required=True, type=click.Choice([role.word for role in Role]), help="What it allows.")
@format_option("text", "json")
@global_options
@click.pass_obj
def token(given: Globals, role: str, form: str) -> None:
    """Make a token with which programs elsewhere read or operate a daemon, and tell how to let it in.

    Nothing is kept: who loses it makes another one.
    """
    made, allowed = wiring.new_token(), Role[role.upper()]
    setting = format_entry(allowed, made)
    if form == "json":
        output.json_data({"role": role, "token": made, "sha256": hash_token(made).hex(), "setting": setting})
    else:
        output.data(made)
    given.say(f'into reconciler.toml of that host, then start its daemon again:\n\n[http]\ntokens = ["{setting}"]')
