"""Files that others wrote or read: a DuckDB file that need not be ours, and rows as a Parquet file.

A foreign file is opened to be read only, and shut off from everything else on the machine. Parquet is written by a
DuckDB that holds nothing else: the store's own may touch no file.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
from msgspec import Struct

from reconciler import canonical
from reconciler.adapters.duckdb.connection import CONFIG, DAMAGED, HOLDER, IN_USE, first_line
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.importing.tables import METADATA, RawTable
from reconciler.tables.duckdb import DESIRED, LIVE, qualify, quote
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.kinds.kind import Kind, Kinds
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


def read_foreign(file: Path, kinds: Kinds) -> ForeignTables:
    """The rows of the tables in schema `main` whose names, in any case, are those of kinds.

    A table `desired.<table>` adds what it knows of names, labels, annotations and references. Raises `RetryLater` while
    another process writes the file, `NeedsHuman` when it cannot be read.
    """
    try:
        with duckdb.connect(str(file), read_only=True, config=CONFIG) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
            return _read(connection, file, kinds)
    except duckdb.Error as error:
        raise _not_read(file, error) from error


def _read(connection: duckdb.DuckDBPyConnection, file: Path, kinds: Kinds) -> ForeignTables:
    schemas = _tables(connection)
    by_table = {kind.table.lower(): kind for kind in kinds}
    desired = {name.lower(): (name, columns) for name, columns in schemas[DESIRED].items()}
    tables: list[RawTable] = []
    for name, columns in schemas[LIVE].items():
        kind = by_table.get(name.lower())
        if kind is not None:
            beside = _beside(kind, columns, *desired.get(name.lower(), ("", {})))
            records = connection.execute(_query(name, columns, beside)).fetchall()
            names = (*columns, *beside.expressions)
            tables.append(RawTable(f"{file}:{name}", kind, names, dict(enumerate(records, start=1))))
    return ForeignTables(tuple(tables), tuple(_left_alone(schemas, by_table)))


def _tables(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Mapping[str, Columns]]:
    """The columns of each table by schema and table."""
    schemas: dict[str, dict[str, dict[str, str]]] = {LIVE: {}, DESIRED: {}}
    records = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() "
        "USING (database_name, schema_name, table_name) WHERE database_name = current_database() "
        "ORDER BY schema_name, table_name, column_index"
    ).fetchall()
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
