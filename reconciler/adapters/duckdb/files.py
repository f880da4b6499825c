"""Files that others wrote or read: a DuckDB file that need not be ours, and rows as a Parquet file.

A foreign file is opened to be read only, and shut off from everything else on the machine. What it says of its own
size is not believed: a few kilobytes may stand for gigabytes, so it is read in a process whose memory and time are
bounded. Parquet is written by a
DuckDB that holds nothing else: the store's own may touch no file.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import _duckdb as duckdb
from msgspec import Struct

from reconciler import canonical
from reconciler.adapters.duckdb.connection import CONFIG, DAMAGED, HOLDER, IN_USE, first_line
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, TooLarge
from reconciler.importing.tables import METADATA, RawTable
from reconciler.tables.duckdb import DESIRED, LIVE, qualify, quote
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.importing.tables import RawValue
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.limits import Limits
    from reconciler.model.rows import Record, TableExport

MAGIC = b"DUCK"
MAGIC_AT = 8
"""Where a DuckDB file says what it is: after a checksum of eight bytes."""

OURS = "gitops"
"""The schema that only a store of ours has."""

_EXACT = re.compile(r"BOOLEAN|U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|VARCHAR")
"""Types whose Python values are the values themselves. Of a single-precision FLOAT the text is the better one: 0.1."""
_NESTED = re.compile(r"(?:STRUCT|MAP|UNION)\(.*|.*\]", re.DOTALL)

Columns: TypeAlias = "Mapping[str, str]"
"""Types by the column's name as it is written."""


class ForeignTables(Struct, frozen=True):
    """The tables of a file that are kinds', and the names of those that are not."""

    tables: tuple[RawTable, ...]
    left_alone: tuple[str, ...]


def is_duckdb(file: Path) -> bool:
    """Whether a file says that it is DuckDB's. Raises `OSError` when it cannot be read."""
    with file.open("rb") as opened:
        return opened.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] == MAGIC


FOREIGN_CONFIG = {**CONFIG, "memory_limit": "1GB", "threads": "2", "temp_directory": ""}
MAX_MEMORY = 2 << 30
"""Bytes that the process may allocate which reads a foreign file: twice what DuckDB keeps to, for what it does not
count."""
MAX_FILE, MAX_CATALOG, MAX_COLUMNS, MAX_CELL = 4 << 30, 100_000, 1_000, 1 << 20
"""Bytes of a file, columns of all of its tables, columns of a table that is a kind's, characters of a cell."""
AT_ONCE = 100
EXPORT = "copy the tables of kinds to a smaller file: ATTACH 'small.duckdb' AS small; CREATE TABLE small.… AS FROM …"


def read_foreign(file: Path, kinds: Kinds, limits: Limits) -> ForeignTables:
    """The rows of the tables in schema `main` whose names, in any case, are those of kinds.

    A table `desired.<table>` adds what it knows of names, labels, annotations and references. Each row becomes a file,
    so all together are limited as a commit is. Raises `RetryLater` while another process writes the file, `NeedsHuman`
    when it cannot be read, `TooLarge` when it brings too much.
    """
    if file.stat().st_size > MAX_FILE:
        raise TooLarge(f"{file} is larger than {MAX_FILE >> 30} GB", hint=EXPORT)
    try:
        with duckdb.connect(str(file), read_only=True, config=FOREIGN_CONFIG) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
            return _read(connection, file, kinds, limits)
    except duckdb.OutOfMemoryException as error:
        raise _too_much_memory(file) from error
    except duckdb.Error as error:
        raise _not_read(file, error) from error


def read_apart(file: Path, kinds: Kinds, limits: Limits) -> ForeignTables | ReconcilerError:
    """The same, or what it raises. For a fresh process: its memory is bounded from now on, where the system can."""
    if sys.platform != "win32":
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most = MAX_MEMORY if hard == resource.RLIM_INFINITY else min(hard, MAX_MEMORY)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        return read_foreign(file, kinds, limits)
    except ReconcilerError as error:
        return error
    except MemoryError:
        return _too_much_memory(file)


def _too_much_memory(file: Path) -> TooLarge:
    return TooLarge(f"reading {file} takes more memory than an import may have", hint=EXPORT)


class _Rows:
    """The rows of all tables of a file, up to the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.left, self._room = limits.paths, limits.bytes

    def take(
        self, records: duckdb.DuckDBPyConnection, place: str, names: Sequence[str]
    ) -> dict[int, Sequence[RawValue]]:
        """The rows of a table by number. Raises `TooLarge`."""
        rows: dict[int, Sequence[RawValue]] = {}
        while block := records.fetchmany(AT_ONCE):
            self.left -= len(block)
            if self.left < 0:
                hint = "import them kind by kind with --kind, or raise limits.paths"
                raise TooLarge(f"{place}: there are more than {self._limits.paths:,} rows in all", hint=hint)
            for record in block:
                number = len(rows) + 1
                for name, cell in zip(names, record, strict=True):
                    size = len(cell) if isinstance(cell, str) else 1
                    self._room -= size
                    if size > MAX_CELL:
                        message = f"{place}:{number}: {name} holds more than {MAX_CELL:,} characters"
                        raise TooLarge(message, hint="shorten it: no file of the configuration may be so large")
                rows[number] = record
            if self._room < 0:
                megabytes, hint = self._limits.yaml_mb, "import them kind by kind with --kind, or raise limits.yaml_mb"
                raise TooLarge(f"{place}: there are more than {megabytes:,} MB of rows in all", hint=hint)
        return rows


def _read(connection: duckdb.DuckDBPyConnection, file: Path, kinds: Kinds, limits: Limits) -> ForeignTables:
    schemas, taken = _tables(connection, file), _Rows(limits)
    by_table = {kind.table.lower(): kind for kind in kinds}
    desired = {name.lower(): (name, columns) for name, columns in schemas[DESIRED].items()}
    tables: list[RawTable] = []
    for name, columns in schemas[LIVE].items():
        kind = by_table.get(name.lower())
        if kind is not None:
            place = f"{file}:{name}"
            if len(columns) > MAX_COLUMNS:
                raise TooLarge(f"{place} has more than {MAX_COLUMNS:,} columns", hint=EXPORT)
            beside = _beside(kind, columns, *desired.get(name.lower(), ("", {})))
            names = (*columns, *beside.expressions)
            records = connection.execute(f"{_query(name, columns, beside)} LIMIT {taken.left + 1}")
            tables.append(RawTable(place, kind, names, taken.take(records, place, names)))
    return ForeignTables(tuple(tables), tuple(_left_alone(schemas, by_table)))


def _tables(connection: duckdb.DuckDBPyConnection, file: Path) -> Mapping[str, Mapping[str, Columns]]:
    """The columns of each table by schema and table. Raises `TooLarge`."""
    schemas: dict[str, dict[str, dict[str, str]]] = {LIVE: {}, DESIRED: {}}
    records = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() "
        "USING (database_name, schema_name, table_name) WHERE database_name = current_database() "
        f"ORDER BY schema_name, table_name, column_index LIMIT {MAX_CATALOG + 1}"
    ).fetchall()
    if len(records) > MAX_CATALOG:
        raise TooLarge(f"the tables of {file} have more than {MAX_CATALOG:,} columns", hint=EXPORT)
    for schema, table, column, data_type in records:
        schemas.setdefault(schema, {}).setdefault(table, {})[column] = data_type
    return schemas


def _left_alone(schemas: Mapping[str, Mapping[str, Columns]], ours: Mapping[str, Kind]) -> Iterator[str]:
    for schema, tables in schemas.items():
        for name in tables:
            if schema == LIVE and name.lower() not in ours:
                yield name
            elif schema not in (LIVE, DESIRED) and not (schema == OURS and "format" in schemas[OURS]):
                yield f"{schema}.{name}"


class _DesiredColumns(Struct, frozen=True):
    """What the desired table adds: expressions by column, and the condition of the join."""

    expressions: Columns
    join: str


def _beside(kind: Kind, live: Columns, desired: str, columns: Columns) -> _DesiredColumns:
    """What left git (its path is NULL) may share its name with another, and refer to what has left, too."""
    has = {name.lower() for name in columns}
    own = {plain: name for (plain, _), (name, _) in zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)}
    present = {name.lower() for name in live}
    key = quote(kind.key)
    if not {kind.key.lower(), own["path"].lower()} <= has or kind.key.lower() not in present:
        return _DesiredColumns({}, "")
    wanted = [one for one in METADATA if own[one].lower() in has and own[one].lower() not in present]
    gone = f"said.{quote(own['path'])} IS NULL"
    hidden = {
        "name": f"{gone} AND count(*) OVER (PARTITION BY said.{quote(own['name'])}) > 1",
        "refs": gone,
    }
    expressions = {
        own[one]: f"CASE WHEN {hidden.get(one, 'false')} THEN NULL ELSE said.{quote(own[one])}::VARCHAR END"
        for one in wanted
    }
    source = qualify(DESIRED, desired)
    return _DesiredColumns(expressions, f" LEFT JOIN {source} AS said ON said.{key}::VARCHAR = live.{key}::VARCHAR")


def _query(table: str, columns: Columns, beside: _DesiredColumns) -> str:
    cells = [_cell(name, data_type) for name, data_type in columns.items()]
    selected = ", ".join((*cells, *beside.expressions.values()))
    return f"SELECT {selected} FROM {qualify(LIVE, table)} AS live{beside.join} ORDER BY live.rowid"


def _cell(name: str, data_type: str) -> str:
    column = f"live.{quote(name)}"
    if _EXACT.fullmatch(data_type):
        return column
    return f"to_json({column})::VARCHAR" if _NESTED.fullmatch(data_type) else f"{column}::VARCHAR"


def _not_read(file: Path, error: duckdb.Error) -> ReconcilerError:
    text = str(error)
    if any(words in text for words in IN_USE):
        holder = HOLDER.search(text)
        who = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
        return RetryLater(f"{file} is in use by {who}", hint="wait until it is done, or import a copy of the file")
    if DAMAGED.words.search(text):
        return NeedsHuman(f"{file} is damaged, or no DuckDB file: {first_line(error)}", hint="import a backup of it")
    return NeedsHuman(f"cannot read {file}: {first_line(error)}", hint="see to what it says, then import again")


PARQUET_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": "1GB",
    "threads": "1",
}


def write_parquet(table_export: TableExport, file: Path) -> int:
    """Write a file that is not there yet; how many rows it has. Raises `RetryLater` when there is no room."""
    try:
        with duckdb.connect(":memory:", config={**PARQUET_CONFIG, "temp_directory": str(file.parent)}) as connection:
            columns = ", ".join(f"{quote(name)} {type_}" for name, type_ in table_export.columns)
            connection.execute(f"CREATE TABLE exported ({columns})")
            rows = 0
            for block in table_export.blocks:
                with connection.appender("exported") as appender:
                    appender.append_rows([_naive(record) for record in block])
                rows += len(block)
            connection.execute("COPY exported TO ? (FORMAT parquet, COMPRESSION zstd)", [str(file)])
            return rows
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        why = str(error).partition("\n")[0]
        raise RetryLater(
            f"{table_export.table} could not be exported: {why}", hint="free some disk space or memory"
        ) from error


def _naive(record: Record) -> list[Any]:
    """A row whose moments are as DuckDB's TIMESTAMP has them: in UTC, without saying so."""
    return [canonical.utc(value).replace(tzinfo=None) if isinstance(value, datetime) else value for value in record]
