"""Opens what `import` reads and writes: databases, CSV files, workbooks, settings files, the working tree, git."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec import Struct

from reconciler.adapters.bundled import load_example_schemas
from reconciler.adapters.csvfile import read_csv
from reconciler.adapters.files import write_named, write_new
from reconciler.adapters.freshprocess import call_fresh
from reconciler.adapters.git.newcommit import commit_files, count_untracked, is_ready, is_unborn
from reconciler.adapters.textsheets import read_settings_sheet, read_text_sheet
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, TooLarge, UsageError
from reconciler.importing.exporting import build_sheets
from reconciler.importing.mapping import write_mapping
from reconciler.importing.tables import METADATA, match_columns
from reconciler.kinds.kind import Kinds
from reconciler.reconcile.importrows import declared_resources
from reconciler.service.importing import GivenMapping, Importing, Source
from reconciler.service.scaffolding import choose_kind
from reconciler.values import replace
from reconciler.wiring.checkout import open_checkout, write_edited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.adapters.duckdb.files import ForeignTables
    from reconciler.editing.edited import EditedTree
    from reconciler.importing.sheets import Workbook
    from reconciler.importing.tables import RawTable
    from reconciler.kinds.kind import Kind
    from reconciler.model.limits import Limits
    from reconciler.model.problem import Problem
    from reconciler.reconcile.importrows import Imported
    from reconciler.service.importing import Answers
    from reconciler.settings import Settings

    ReadApart = Callable[[Path, Kinds, Limits], ForeignTables | ReconcilerError]

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm")
SETTINGS_FILE = ".set"
MAX_MAPPING = 1 << 20
"""Bytes of a mapping."""
_OTHER_FILES = {
    **dict.fromkeys((".yaml", ".yml"), "a resource's file is put into the repository as it is, and validate checks it"),
    ".json": "`reconciler schema new KIND --from FILE` makes a kind and a resource of it",
    **dict.fromkeys((".xls", ".ods", ".numbers"), "save it as an Excel workbook (.xlsx)"),
}
"""Files that people have and that hold no rows, with what to do with them."""
_INEXACT = frozenset({"unknown-field", "duplicate-key"})
"""What is wrong with the columns of a CSV file that was not written for this program."""

_ROWS_ONLY = frozenset(METADATA) - {"name"}
"""Columns that only a table export has: no spreadsheet's."""


class FileImport:
    """The import of some files into the working tree that settings name."""

    def __init__(self, files: Sequence[Path], settings: Settings, to: Path | None, word: str | None) -> None:
        start = to if to is not None and not settings.repository.parts else settings.repository
        self._checkout = open_checkout(start, settings.path)
        self._kind: Kind | None = None
        self._word = word
        read = partial(self._read, files, settings.limits)
        self._importing = Importing(self._checkout, to, read, load_example_schemas(), lambda: str(uuid4()))

    def plan(self, mapping: Path | None, answers: Answers) -> Imported:
        """What would be written, by a mapping if one is given, with the answers to questions."""
        return self._importing.plan(_read_mapping(mapping) if mapping is not None else None, self._kind, answers)

    def write(self, planned: Imported) -> None:
        """Write it."""
        self._importing.write(planned, partial(write_new, self._checkout.root))

    def update(self, planned: Imported) -> EditedTree:
        """Change what is declared already to what the rows say, unless it would not be valid then."""
        edited = self._importing.update(planned)
        if edited.is_valid:
            write_edited(self._checkout.root, edited.files)
        return edited

    def blocked(self) -> str:
        """Why nothing can be committed; empty where nothing is in the way."""
        return is_ready(self._checkout.root)

    def commit(self, planned: Imported, message: str) -> str:
        """Commit what was written; in a repository without a commit, all of the configuration."""
        paths = [*planned.others, *planned.row_import.files]
        if is_unborn(self._checkout.root):
            paths += planned.configuration
        return commit_files(self._checkout.root, dict.fromkeys(paths), message)

    def count_uncommitted(self) -> int:
        """How many files of the working tree are in no commit."""
        return count_untracked(self._checkout.root)

    def _read(self, files: Sequence[Path], limits: Limits, kinds: Kinds) -> list[Source]:
        self._kind = choose_kind(kinds, self._word) if self._word is not None else None
        return [
            replace(_read_source(file, self._kind, limits, kinds), path=file.resolve().as_posix()) for file in files
        ]


class WrittenWorkbook(Struct, frozen=True):
    """A workbook that was written: rows by sheet, what it cannot hold, and where an older one of that name is now."""

    problems: tuple[Problem, ...]
    rows: Mapping[str, int]
    left_out: tuple[str, ...] = ()
    kept: Path | None = None


def write_declared(settings: Settings, file: Path, words: Sequence[str]) -> WrittenWorkbook:
    """Write what the working tree declares into a workbook, a sheet for each kind; nothing when it has errors."""
    from reconciler.adapters.workbookfile import write_workbook

    checkout = open_checkout(settings.repository, settings.path)
    checked = checkout.check(checkout.read())
    if any(problem.is_error for problem in checked.problems):
        return WrittenWorkbook(checked.problems, {})
    resources = {one.key: one for one in declared_resources(checked).values()}
    declared = {key.kind for key in resources}
    chosen = [choose_kind(checked.kinds, word) for word in words]
    kinds = chosen or [kind for kind in checked.kinds if kind.name in declared]
    exported = build_sheets(kinds, checked.kinds, resources)
    text, _ = write_mapping(exported.mapping, file.name)
    kept = None
    if file.exists():
        kept = next(name for number in count(1) if not (name := file.with_suffix(f".{number}{file.suffix}")).exists())
        file.rename(kept)

    def write(part: Path) -> str:
        write_workbook(part, exported.sheets, text)
        return file.name

    write_named(file.resolve().parent, write)
    return WrittenWorkbook(
        (), {title: len(out.rows) for title, out in exported.sheets.items()}, exported.left_out, kept
    )


def _read_mapping(file: Path) -> GivenMapping:
    try:
        if file.stat().st_size > MAX_MAPPING:
            raise TooLarge(f"{file} has more than {MAX_MAPPING:,} bytes", hint="no mapping is that long")
        return GivenMapping(str(file), file.read_bytes())
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read the mapping {file}: {why}", hint="--write-map FILE writes one") from error


def _read_source(file: Path, kind: Kind | None, limits: Limits, kinds: Kinds) -> Source:
    """What a file holds. Raises `UsageError` when nothing in it can be imported."""
    from reconciler.adapters.duckdb.files import is_duckdb, read_apart

    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    suffix = file.suffix.lower()
    if is_duckdb(file):
        return _read_database_source(read_apart, file, kind, limits, kinds)
    if suffix in CSV_SUFFIXES:
        return _read_csv_source(file, kind, limits, kinds)
    if suffix in WORKBOOKS or suffix == SETTINGS_FILE:
        book = _read_sheets(file, limits)
        return Source(str(file), (), book, book.notes)
    if suffix in _OTHER_FILES:
        message = f"{file} is not read: import takes the rows of DuckDB files and of CSV files (.csv, .tsv, .txt)"
        message += ", Excel workbooks (.xlsx) and settings files (.set)"
        raise UsageError(message, hint=_OTHER_FILES[suffix])
    return _read_database_source(read_apart, file, kind, limits, kinds)


def _read_sheets(file: Path, limits: Limits) -> Workbook:
    if file.suffix.lower() == SETTINGS_FILE:
        return read_settings_sheet(file, limits)
    if file.suffix.lower() in CSV_SUFFIXES:
        return read_text_sheet(file, limits)
    from reconciler.adapters.workbookfile import read_workbook  # openpyxl takes 100 ms

    return read_workbook(file, limits)


def _read_csv_source(file: Path, kind: Kind | None, limits: Limits, kinds: Kinds) -> Source:
    """The exact rows of a CSV file whose columns are all a kind's, and what else its cells may be."""
    own = kind or kinds.find(file.stem)
    exact: tuple[RawTable, ...] = ()
    failure: ReconcilerError | None = None
    if own is not None:
        try:
            table = read_csv(file, own, limits)
            known = not any(problem.code in _INEXACT for problem in match_columns(table).problems)
            exact = (table,) if known else ()
            if known and not _ROWS_ONLY.isdisjoint(name.strip().lower() for name in table.columns):
                return Source(str(file), exact)
        except TooLarge:
            raise
        except NeedsHuman as error:
            failure = error
    try:
        book = _read_sheets(file, limits)
    except (NeedsHuman, TooLarge) as error:
        if exact:
            return Source(str(file), exact)
        raise failure or error from error
    return Source(str(file), exact, book)


def _read_database_source(read_apart: ReadApart, file: Path, kind: Kind | None, limits: Limits, kinds: Kinds) -> Source:
    contents = _read_database(read_apart, file, Kinds((kind,)) if kind else kinds, limits)
    if not contents.tables:
        names = ", ".join(one.table for one in kinds)
        raise UsageError(f"{file} has no table of a kind in schema main", hint=f"tables of kinds: {names}")
    return Source(str(file), contents.tables, None, contents.left_alone)


def _read_database(
    read_apart: ReadApart,
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
