"""Existing rows to YAML files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.reconcile.rules import Role
from reconciler.scaffold.paths import below
from reconciler.wiring.checkout import checkout, inside

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.importing.tables import RawTable
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.reconcile.importrows import RowImport
    from reconciler.settings import Settings

CSV_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of importing files: the rows and new files, the kinds, and the tables that are no kind's."""

    adoption: RowImport
    kinds: Kinds
    left_alone: tuple[str, ...]


def import_files(files: Sequence[Path], settings: Settings, to: Path | None, word: str | None) -> Imported:
    """Write the rows of DuckDB and CSV files as new files of a working tree, and prove that they say the same.

    `to` is a folder in that tree, `word` the kind of the rows. Raises `UsageError` where either makes no sense.
    """
    from reconciler.adapters.files import write_new
    from reconciler.importing.documents import Folders
    from reconciler.reconcile.importrows import plan_import, verify_import

    at = checkout(to if to is not None and settings.repository == Path() else settings.repository, settings.path)
    top = "/".join(inside(at.root, to).parts) if to is not None else settings.path
    before = at.read() if at.root.is_dir() else {}
    checked = at.check(before)
    tables, left_alone = _tables(files, checked.kinds, word)
    first_line = partial(_schema_line, at.root, settings.path, before)
    adoption = plan_import(tables, checked, Folders(top, checked.entries, before), first_line)
    for path in adoption.files:
        if at.layout.role(path) is not Role.RESOURCES:
            raise UsageError(f"{path} would not be part of the configuration", hint="choose another folder with --to")
    if adoption.files:
        write_new(at.root, adoption.files)
        verify_import(adoption, at.check(at.read()))
    return Imported(adoption, checked.kinds, left_alone)


def _tables(files: Sequence[Path], kinds: Kinds, word: str | None) -> tuple[list[RawTable], tuple[str, ...]]:
    """The rows of some files, and what in them is no kind's. Raises `UsageError` when nothing in a file is."""
    from reconciler.adapters.csvfile import read_csv
    from reconciler.adapters.duckdb.foreign import is_duckdb, read_foreign
    from reconciler.kinds.kind import Kinds

    chosen = _kind(kinds, word) if word is not None else None
    tables: list[RawTable] = []
    left_alone: list[str] = []
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
        if not is_duckdb(file) and file.suffix.lower() in CSV_SUFFIXES:
            tables.append(read_csv(file, chosen or _kind(kinds, file.stem, hint="say which with --kind")))
            continue
        found = read_foreign(file, Kinds((chosen,)) if chosen else kinds)
        if not found.tables:
            names = ", ".join(kind.table for kind in kinds)
            raise UsageError(f"{file} has no table of a kind in schema main", hint=f"tables of kinds: {names}")
        tables += found.tables
        left_alone += found.left_alone
    return tables, tuple(left_alone)


def _kind(kinds: Kinds, word: str, hint: str = "") -> Kind:
    found = kinds.find(word)
    if found is None:
        names = ", ".join(kind.name for kind in kinds)
        raise UsageError(f"there is no kind {word}", hint=f"{hint or 'choose one'}: {names}")
    return found


def _schema_line(root: Path, base: str, files: Collection[str], kind: Kind, path: str) -> str:
    """The comment that tells editors which schema a file follows; none when the repository has no file of it."""
    from reconciler.scaffold.paths import EDITOR_FOLDER, address, schema_file

    exported = below(base, f"{EDITOR_FOLDER}/{schema_file(kind)}")
    schema = exported if (root / exported).is_file() else kind.origin if kind.origin in files else ""
    return f"yaml-language-server: $schema={address(schema, path)}" if schema else ""
