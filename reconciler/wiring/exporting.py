"""Whole tables to files, whoever has the rows: a daemon or this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.adapters.files import write_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconciler.wiring.application import Application


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written: how many rows it has, and bytes."""

    file: Path
    rows: int
    size: int


def export_tables(
    application: Application, folder: Path, form: str, words: Sequence[str], *, history: bool
) -> Iterator[Exported]:
    """Write tables, those that some words name or all, into a folder; each file is there when it is whole.

    Raises `UsageError` for a word that names none, and has then written those before it.
    """
    for word in words or [one["table"] for one in application.tables(history=history)["tables"]]:
        yield _exported(application, folder, form, word, history=history)


def _exported(application: Application, folder: Path, form: str, word: str, *, history: bool) -> Exported:
    rows = 0

    def write(file: Path) -> str:
        nonlocal rows
        table, rows = application.export(word, form, file, history=history)
        return f"{table}.{form}"

    file = write_named(folder, write)
    return Exported(file, rows, file.stat().st_size)
