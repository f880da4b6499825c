"""What writes new files into a working tree. Apart from `checkout`, so that `validate` starts without it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import (
    load_bundled_schemas,
    load_editor_schemas,
    load_example_files,
    load_scaffold_templates,
)
from reconciler.adapters.csvfile import read_csv
from reconciler.adapters.files import Folder, replace_content, write_new
from reconciler.adapters.freshprocess import call_fresh
from reconciler.adapters.samplefile import read_sample
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, TooLarge, UsageError
from reconciler.kinds.kind import Kinds
from reconciler.reconcile.rules import Role
from reconciler.scaffold.repository import TemplateFiles
from reconciler.service.scaffolding import BundledFiles, choose_kind, draft_kind, import_rows, load_scaffold
from reconciler.values import replace
from reconciler.wiring.checkout import open_checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from reconciler.adapters.duckdb.files import ForeignTables
    from reconciler.importing.tables import RawTable
    from reconciler.model.limits import Limits
    from reconciler.service.scaffolding import Imported, NewKindFiles, Scaffold
    from reconciler.settings import Settings

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
_OTHER_FILES = {
    **dict.fromkeys((".yaml", ".yml"), "a resource's file is put into the repository as it is, and validate checks it"),
    **dict.fromkeys((".json", ".set"), "`reconciler schema new KIND --from FILE` makes a kind and a resource of it"),
}
"""Files that people have and that hold no rows, with what to do with them."""


def open_scaffold(settings: Settings, roles: Collection[Role] = tuple(Role)) -> tuple[Scaffold, Folder]:
    """The working tree that the settings name, to write new files into."""
    checkout = open_checkout(settings.repository, settings.path)
    folder = Folder(checkout.root)
    return load_scaffold(checkout, bundled_files(), folder.exists, roles), folder


def bundled_files() -> BundledFiles:
    """The files that come with the program."""
    return BundledFiles(
        load_bundled_schemas(), load_editor_schemas(), TemplateFiles(load_scaffold_templates(), load_example_files())
    )


def make_kind(settings: Settings, word: str, file: Path, new_id: Callable[[], str]) -> tuple[NewKindFiles, Path]:
    """Write the schema and the first resource of a new kind, unless something is wrong; and the tree's root."""
    checkout = open_checkout(settings.repository, settings.path)
    sample = read_sample(file)
    whole = file.resolve()
    path = whole.relative_to(checkout.root).as_posix() if whole.is_relative_to(checkout.root) else file.name
    drafted = draft_kind(checkout, word, path, sample, new_id)
    if drafted.problems:
        return drafted, checkout.root
    folder = Folder(checkout.root)
    new = {path: text for path, text in drafted.files.items() if path != drafted.replaced}
    for path in new:
        if folder.exists(path):
            raise UsageError(f"{checkout.root / path} exists already", hint="choose another name for the kind")
    write_new(checkout.root, new)
    if drafted.replaced:
        replace_content(checkout.root / drafted.replaced, drafted.files[drafted.replaced].encode())
    return drafted, checkout.root


def import_files(files: Sequence[Path], settings: Settings, to: Path | None, word: str | None) -> Imported:
    """Write the rows of DuckDB and CSV files as new files of a working tree; `word` is the kind of the rows."""
    start = to if to is not None and not settings.repository.parts else settings.repository
    checkout = open_checkout(start, settings.path)
    read = partial(_read_tables, files, word, settings.limits)
    return import_rows(checkout, to, read, partial(write_new, checkout.root))


def _read_database(
    read_apart: Callable[[Path, Kinds, Limits], ForeignTables | ReconcilerError],
    file: Path,
    kinds: Kinds,
    limits: Limits,
) -> ForeignTables:
    """The tables of a DuckDB file, read by a process that it may take down. Raises what `read_foreign` raises."""
    try:
        read: ForeignTables | ReconcilerError = call_fresh(read_apart, file, kinds, limits)
    except RetryLater as error:
        message = f"cannot read {file}: the process that did gave no answer"
        raise NeedsHuman(message, hint="it may be damaged, or take too much memory: import a smaller copy") from error
    except TooLarge as error:
        raise TooLarge(f"reading {file}: {error}", hint="import a smaller copy") from error
    if isinstance(read, ReconcilerError):
        raise read
    ours = kinds.by_name  # those that came back are copies
    return replace(read, tables=tuple(replace(table, kind=ours[table.kind.name]) for table in read.tables))


def _read_tables(
    files: Sequence[Path], word: str | None, limits: Limits, kinds: Kinds
) -> tuple[list[RawTable], tuple[str, ...]]:
    """The rows of some files, and the tables that are no kind's. Raises `UsageError` when nothing in a file is."""
    from reconciler.adapters.duckdb.files import is_duckdb, read_apart

    chosen = choose_kind(kinds, word) if word is not None else None
    tables: list[RawTable] = []
    skipped: list[str] = []
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
        if not is_duckdb(file) and file.suffix.lower() in CSV_SUFFIXES:
            kind = chosen or choose_kind(kinds, file.stem, hint="say which with --kind")
            tables.append(read_csv(file, kind, limits))
            continue
        if file.suffix.lower() in _OTHER_FILES and not is_duckdb(file):
            message = f"{file} is not read: import takes the rows of DuckDB files and of CSV files (.csv, .tsv, .txt)"
            raise UsageError(message, hint=_OTHER_FILES[file.suffix.lower()])
        contents = _read_database(read_apart, file, Kinds((chosen,)) if chosen else kinds, limits)
        if not contents.tables:
            names = ", ".join(kind.table for kind in kinds)
            raise UsageError(f"{file} has no table of a kind in schema main", hint=f"tables of kinds: {names}")
        tables += contents.tables
        skipped += contents.left_alone
    return tables, tuple(skipped)
