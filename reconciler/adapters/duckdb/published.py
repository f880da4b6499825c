"""The published copy, `live.duckdb`: the tables `main.*` of one commit, in a file that readers may open at any time.

Two files take turns. The spare one takes the rows that have changed since it was the published one, and then its
name, at once; the other is the spare one from then on. Neither is open but while it is written. A reader keeps the
file that it opened, and DuckDB's lock on it, for as long as it likes: then the published file is copied instead.
Windows lets nobody replace a file that somebody has open: there the new one waits.

Rows are those that git says. What else somebody did to the live tables is drift, and of no commit.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.duckdb.connection import CONFIG, HOLDER, IN_USE, fetch_first, first_line
from reconciler.adapters.duckdb.rows import sum_rows
from reconciler.adapters.machine import ERRNO_CAUSES, find_cause
from reconciler.errors import InUse, NeedsHuman, ReconcilerError, RetryLater
from reconciler.model.live import ViewMark
from reconciler.tables.duckdb import LIVE, qualify, quote
from reconciler.tables.rows import is_live, live_values
from reconciler.tables.view import view_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.rows import TableSum
    from reconciler.adapters.machine import Cause
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row, RowId, Stamp
    from reconciler.model.commit import Applied
    from reconciler.model.rows import TableExport

FILE_NAME = "live.duckdb"
WAL = ".wal"
"""What DuckDB appends to a file's name for its log."""
MAX_ROWS = 10_000
"""Changed rows that are remembered; when there are more the copy is made anew."""
IS_POSIX = os.name == "posix"

MARK_TABLE = """
CREATE SCHEMA gitops;
CREATE TABLE gitops.applied (
    commit_sha VARCHAR NOT NULL, committed_at TIMESTAMP NOT NULL, height BIGINT NOT NULL, digest VARCHAR NOT NULL,
    published_at TIMESTAMP NOT NULL
);
"""
WRITE_MARK = "INSERT INTO gitops.applied VALUES (?, ?, ?, ?, now()::TIMESTAMP)"
READ_MARK = "SELECT commit_sha, digest, height FROM gitops.applied WHERE published_at IS NOT NULL"
COLUMNS = (
    "SELECT table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() "
    "USING (database_name, schema_name, table_name) WHERE database_name = current_database() AND schema_name = ? "
    "ORDER BY table_name, column_index"
)

FileMark: TypeAlias = "tuple[int, int, int] | None"
OpenReader: TypeAlias = "Callable[[], AbstractContextManager[DuckDBReader]]"


class Change(Struct, frozen=True):
    """The rows, tombstones too, that differ between two states; the tables are the same at both."""

    base: ViewMark
    at: ViewMark
    stamp: Stamp
    kinds: Kinds
    rows: Sequence[Row]

    @classmethod
    def of(cls, kinds: Kinds, base: Applied, applied: Applied, rows: Sequence[Row]) -> Change:
        """What a step of the store changes."""
        return cls(view_mark(base), view_mark(applied), applied.stamp, kinds, rows)


class _File(Struct, frozen=True):
    """A file as this process left it, and the commit whose rows it holds."""

    mark: FileMark
    at: ViewMark


class PublishedCopy:
    """The copy of one host, for one thread. What touches files raises `NeedsHuman` or `RetryLater` when it cannot.

    `tree` is a working tree in which the file must not be. `is_ours`: whatever has the file's name is a copy of ours.
    """

    def __init__(self, file: Path, mode: int, tree: Path | None, *, is_ours: bool) -> None:
        self.file, self._mode, self._tree, self._is_ours = file, mode, tree, is_ours
        self._folder = file.with_name(f".{file.name}")
        self._spare_file, self._before = self._folder / "spare.duckdb", self._folder / "before.duckdb"
        self._log = file.with_name(f"{file.name}{WAL}")
        self._live: _File | None = None
        self._spare: _File | None = None
        self._verified = False
        self._changes: list[Change] = []

    def begin(self) -> None:
        """Find what an earlier process left. Raises `NeedsHuman` for a file that is no published copy."""
        self._live = self._spare = None
        self._verified = False
        self._changes.clear()
        with _file_errors(self.file):
            at = self.inspect()
            self._folder.mkdir(
                mode=0o700 if IS_POSIX else 0o777, exist_ok=True
            )  # Windows' 0o700 would go with the file
            _remove(self._spare_file)
            _remove(self._before)
            self._live = None if at is None else _File(_mark(self.file), at)

    def inspect(self) -> ViewMark | None:
        """The commit that a file of the name says it is of; None where there is none yet. Nothing is changed."""
        with _file_errors(self.file):
            check_place(self.file, self._tree)
            if not self.file.exists():
                return None
            try:
                return self._read_mark()
            except (ReconcilerError, duckdb.Error) as error:
                if self._is_ours:
                    return None
                if isinstance(error, InUse):
                    raise
                message = f"{self.file} is there already and is no published copy: it is left alone"
                hint = "name another file in publish.path, or move that one away"
                raise NeedsHuman(message, hint=hint) from error

    def published(self) -> ViewMark | None:
        """The commit whose rows readers see; None where there is no copy, or something else wrote to it."""
        return None if self._live is None or self._is_altered(self._live) else self._live.at

    def is_altered(self) -> bool:
        """Whether something else wrote to the file that was published, or took it away."""
        return self._live is not None and self._is_altered(self._live)

    def newest(self) -> ViewMark | None:
        """The newest commit that was heard of, if it is known what it changed."""
        return self._changes[-1].at if self._changes else None

    def hear(self, change: Change) -> None:
        """A commit went live."""
        if self._changes and self._changes[-1].at != change.base:
            self._changes.clear()
        self._changes.append(change)
        if sum(len(one.rows) for one in self._changes) > MAX_ROWS:
            self._changes.clear()

    def publish(self, at: ViewMark, open_reader: OpenReader) -> bool:
        """Publish this commit, or a newer one that is live by now; False while Windows keeps the file from it."""
        with _file_errors(self.file):
            if self._verified and self.published() == at:
                return True
            if not (self._is_ready(at) or self._advance(at, open_reader) or self._rebuild(open_reader)):
                return True
            return self._swap()

    def verify(self, open_reader: OpenReader) -> bool:
        """Whether each row is what git says, where no other commit has gone live; if not, there is no copy any more."""
        with _file_errors(self.file):
            at = self.published()
            self._verified = at is not None and self._holds(self.file, at, open_reader)
        if not self._verified:
            self._live = None
        return self._verified

    def _read_mark(self) -> ViewMark:
        with _opened(self.file, read_only=True) as connection:
            record = fetch_first(connection, READ_MARK)
        if record is None:
            raise NeedsHuman(f"{self.file} is of no commit")
        return ViewMark(*record)

    def _is_altered(self, live: _File) -> bool:
        return _mark(self.file) != live.mark or self._log.exists()

    def _is_ready(self, at: ViewMark) -> bool:
        """Whether the spare file has waited for its turn."""
        spare = self._spare
        return self._verified and spare is not None and spare.at == at and _mark(self._spare_file) == spare.mark

    def _advance(self, at: ViewMark, open_reader: OpenReader) -> bool:
        """Whether the spare file could be brought to a commit by way of the changes."""
        if self.newest() != at or self.published() is None:
            return False
        if not self._take_changes() and not (self._copy_live() and self._take_changes()):
            return False
        self._verified = self._verified or self._holds(self._spare_file, at, open_reader)
        return self._verified

    def _changes_since(self, at: ViewMark) -> list[Change]:
        """What leads from a commit to the newest one; nothing where that is not known."""
        places = (number for number, change in enumerate(self._changes) if change.base == at)
        return self._changes[next(places, len(self._changes)) :]

    def _take_changes(self) -> bool:
        """Write them to the spare file; False where they do not lead on from it, or a reader has it open still."""
        spare, self._spare = self._spare, None
        changes = [] if spare is None else self._changes_since(spare.at)
        if not changes or spare is None or _mark(self._spare_file) != spare.mark:
            return False
        try:
            with _writing(self._spare_file) as connection:
                _write_changes(connection, changes)
        except InUse:
            return False
        self._spare = _File(_mark(self._spare_file), changes[-1].at)
        return True

    def _copy_live(self) -> bool:
        """Make the spare file a copy of the published one; False where no changes lead on from that."""
        if self._live is None or not self._changes_since(self._live.at):
            return False
        _remove(self._spare_file)
        shutil.copyfile(self.file, self._spare_file)
        self._spare = _File(_mark(self._spare_file), self._live.at)
        return True

    def _holds(self, file: Path, at: ViewMark, open_reader: OpenReader) -> bool:
        """Whether each row in a file is what git says; as it was known before where another commit is live by now."""
        with open_reader() as reader:
            applied = reader.applied()
            if applied is None or view_mark(applied) != at:
                return self._verified
            sums = reader.declared_sums()
        with _opened(file, read_only=True) as connection:
            return _sums(connection) == sums

    def _rebuild(self, open_reader: OpenReader) -> bool:
        """Write all rows to a new spare file; False where there are none, or they are published already."""
        with open_reader() as reader:
            applied = reader.applied()
            if applied is None or (self._verified and self.published() == view_mark(applied)):
                return False
            self._spare = None
            _remove(self._spare_file)
            with _writing(self._spare_file) as connection:
                connection.execute(MARK_TABLE)
                _write_mark(connection, view_mark(applied), applied.stamp)
                for table in reader.declared_tables():
                    _write_table(connection, table)
        self._spare, self._verified = _File(_mark(self._spare_file), view_mark(applied)), True
        return True

    def _swap(self) -> bool:
        """Give the spare file the name that readers know; False while Windows does not allow it."""
        before = self._live if self._keep_before() else None
        if IS_POSIX:
            self._spare_file.chmod(self._mode)
        with suppress(FileNotFoundError):
            self._log.unlink()  # of a program that wrote to the file that goes now
        try:
            self._spare_file.replace(self.file)
        except PermissionError:
            if IS_POSIX:
                raise
            return False
        self._live, self._spare = self._spare, None
        if before is not None:
            self._before.replace(self._spare_file)
            if IS_POSIX:
                self._spare_file.chmod(0o600)
            self._spare = before
        self._changes = self._changes_since(before.at) if before is not None else []
        return True

    def _keep_before(self) -> bool:
        """Whether the file that goes has a second name, under which it is the next spare one."""
        if self._live is None or self._is_altered(self._live) or not self._changes_since(self._live.at):
            return False
        try:
            self._before.unlink(missing_ok=True)
            os.link(self.file, self._before)
        except OSError:  # a file system without second names; Windows, where a reader has it open
            return False
        return True


def check_place(file: Path, tree: Path | None) -> None:
    """Raise `NeedsHuman` where no published copy can be: there is no folder, or it is in a working tree."""
    if tree is not None and tree in file.parents and tree / ".git" not in file.parents:
        raise NeedsHuman(
            f"{file} is inside the working tree {tree}: a published copy is no file of the repository",
            hint="name a place outside of it in publish.path",
        )
    if not file.parent.is_dir():
        raise NeedsHuman(
            f"there is no folder {file.parent} for the published copy", hint="make it, or correct publish.path"
        )
    if file.is_dir():
        raise NeedsHuman(f"{file} is a folder, and no published copy", hint="correct publish.path")


def _mark(file: Path) -> FileMark:
    """What differs when somebody wrote to the file; None when it is not there."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.with_name(f"{file.name}{WAL}").unlink(missing_ok=True)


@contextmanager
def _opened(file: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        connection = duckdb.connect(str(file), read_only=read_only, config={**CONFIG, "threads": 1})
    except duckdb.Error as error:
        if not any(words in str(error) for words in IN_USE):
            raise
        holder = HOLDER.search(str(error))
        who = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
        raise InUse(f"{file} is in use by {who}, which writes to it", hint="let it open the file read-only") from error
    with connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@contextmanager
def _writing(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """One transaction, all of which is in the file in the end."""
    with _opened(file, read_only=False) as connection:
        connection.begin()
        yield connection
        connection.commit()
        connection.execute("CHECKPOINT")


def _write_changes(connection: duckdb.DuckDBPyConnection, changes: Sequence[Change]) -> None:
    newest = changes[-1]
    rows: dict[RowId, Row] = {row.row_id: row for change in changes for row in change.rows}
    for kind in newest.kinds:
        _write_rows(connection, kind, [row for row in rows.values() if row.resource.kind == kind.name])
    _write_mark(connection, newest.at, newest.stamp)


def _write_rows(connection: duckdb.DuckDBPyConnection, kind: Kind, rows: Sequence[Row]) -> None:
    if not rows:
        return
    table = qualify(LIVE, kind.table)
    ids = [row.resource.id for row in rows]
    connection.execute(f"DELETE FROM {table} WHERE {quote(kind.key)} IN (SELECT unnest(?::UUID[]))", [ids])
    with connection.appender(table) as appender:
        appender.append_rows(live_values(kind, row) for row in rows if is_live(kind, row))


def _write_table(connection: duckdb.DuckDBPyConnection, table: TableExport) -> None:
    """Without keys, checks and indexes: nothing is written here that they would keep out, and each costs a change."""
    name = qualify(LIVE, table.table)
    connection.execute(
        f"CREATE TABLE {name} ({', '.join(f'{quote(column)} {type_}' for column, type_ in table.columns)})"
    )
    for block in table.blocks:
        with connection.appender(name) as appender:
            appender.append_rows(block)


def _write_mark(connection: duckdb.DuckDBPyConnection, at: ViewMark, stamp: Stamp) -> None:
    connection.execute("DELETE FROM gitops.applied")
    connection.execute(WRITE_MARK, [at.commit, stamp.time.replace(tzinfo=None), at.height, at.digest])


def _sums(connection: duckdb.DuckDBPyConnection) -> Mapping[str, TableSum]:
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, type_ in connection.execute(COLUMNS, [LIVE]).fetchall():
        tables.setdefault(table, []).append((column, type_))
    return {name: (tuple(columns), *sum_rows(connection, qualify(LIVE, name))) for name, columns in tables.items()}


@contextmanager
def _file_errors(file: Path) -> Iterator[None]:
    """Errors of the operating system and of the driver as ours."""
    try:
        yield
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise _explain(file, ERRNO_CAUSES.get(error.errno or 0), said, NeedsHuman) from error
    except duckdb.Error as error:
        raise _explain(file, find_cause(str(error)), first_line(error), RetryLater) from error


def _explain(file: Path, cause: Cause | None, said: str, otherwise: type[ReconcilerError]) -> ReconcilerError:
    hint = "see that its folder can be written and has room, or name another place in publish.path"
    if cause is None:
        return otherwise(f"cannot write {file}: {said}", hint=hint)
    return cause._replace(hint=hint).raised(f"cannot write {file}", said)
