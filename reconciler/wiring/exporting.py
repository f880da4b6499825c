"""Whole tables of a host as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.files import write_named
from reconciler.service.remote import DaemonClient
from reconciler.service.sql import Sql
from reconciler.wiring.silent import SilentHost

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.wiring.host import Host


def export_table(host: Host, word: str, form: str, folder: Path, *, history: bool) -> tuple[Path, int]:
    """Write a table of a host into a folder, complete or not at all: the file, and how many rows it has."""
    rows = 0

    def write(file: Path) -> str:
        nonlocal rows
        table, rows = _write_table(host, word, form, file, history=history)
        return f"{table}.{form}"

    return write_named(folder, write), rows


def _write_table(host: Host, word: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
    """What the table is called, and how many rows it has."""
    if isinstance(host, DaemonClient):
        return host.write_table(Sql.export, word, form, file, history=history)
    ask = host.ask_files if isinstance(host, SilentHost) else host.ask
    return ask(Sql.write, word, form, file, history)
