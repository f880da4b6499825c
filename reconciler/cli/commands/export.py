"""`reconciler export`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli import completing, output
from reconciler.cli.options import Globals, format_option, global_options


@click.command(short_help="rows to Parquet, CSV or JSON files")
@click.argument("kinds", nargs=-1, metavar="[KIND]...", shell_complete=completing.kinds)
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder for the files.")
@click.option("--history", is_flag=True, help="Every change of every row, the versions and the host events.")
@format_option("parquet", "csv", "json")
@global_options
@click.pass_obj
def export(given: Globals, kinds: tuple[str, ...], to: Path, history: bool, form: str) -> None:
    """Write the live rows into files, one for each KIND, or for all.

    A file that has the name already is replaced, once the new one is whole.
    """
    application = wiring.application(given.settings())
    for written in wiring.export_tables(application, to, form, kinds, history=history):
        rows = "1 row" if written.rows == 1 else f"{written.rows:,} rows"
        output.data(f"{written.file}  {rows}, {written.size:,} bytes")
