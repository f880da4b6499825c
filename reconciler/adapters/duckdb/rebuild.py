"""A kind's two tables made anew: for a first state, for another schema, and when most rows change.

The way is always the same, so that a table that was migrated is like one that was always so: set the rows that
stay aside, drop, create, fill, bring the rows back, and index at the end (an index that is there while most rows
change costs five times what they do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from reconciler.adapters.duckdb import structure
from reconciler.adapters.duckdb.connection import first_line
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.tables.duckdb import DESIRED, LIVE, declared_columns, listed, live_columns, qualified, quoted, tables
from reconciler.tables.rows import desired_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.adapters.duckdb.catalog import StoredKind
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row


def set_aside(connection: duckdb.DuckDBPyConnection, stored: StoredKind, without: Sequence[str]) -> None:
    """Copy the rows of both tables to temporary ones, less those with some ids."""
    for schema in (LIVE, DESIRED):
        connection.execute(
            f"CREATE TEMPORARY TABLE {_aside(schema, stored)} AS SELECT * FROM {qualified(schema, stored.table)} "
            f"WHERE {quoted(stored.key)} NOT IN (SELECT unnest(?::UUID[]))",
            [without],
        )


def drop(connection: duckdb.DuckDBPyConnection, stored: StoredKind) -> None:
    """Drop both tables, or what somebody made of them. Raises `NeedsHuman` when something depends on one."""
    there = structure.found(connection)
    for schema in (LIVE, DESIRED):
        structure.drop(connection, schema, stored, structure.of(there, schema, stored))


def create(connection: duckdb.DuckDBPyConnection, kind: Kind, rows: Iterable[Row]) -> None:
    """Create both tables, without their indexes, with some rows."""
    made = tables(kind)
    connection.execute(made.live)
    connection.execute(made.desired)
    desired = qualified(DESIRED, kind.table)
    with connection.appender(desired) as appender:
        appender.append_rows(desired_values(kind, row) for row in rows)
    columns = listed(live_columns(kind))
    connection.execute(f"INSERT INTO {qualified(LIVE, kind.table)} SELECT {columns} FROM {desired}")


def bring_back(connection: duckdb.DuckDBPyConnection, kind: Kind, stored: StoredKind) -> None:
    """Copy what was set aside into the new tables. Raises `NeedsHuman` for rows that do not fit there."""
    mapping = {name: name for name in live_columns(kind) if name in (*stored.columns, *TIMESTAMPS)}
    declared = dict(zip(declared_columns(kind), stored.declared, strict=True))
    try:
        _copy_back(connection, LIVE, kind, stored, mapping)
        _copy_back(connection, DESIRED, kind, stored, mapping | declared)
    except (duckdb.ConstraintException, duckdb.ConversionException) as error:
        raise NeedsHuman(
            f"rows of {kind.name} do not fit its new schema, nothing was changed: {first_line(error)}",
            hint=f"let the schema of {kind.name} allow what these rows hold, as the one before did",
        ) from error


def _copy_back(
    connection: duckdb.DuckDBPyConnection, schema: str, kind: Kind, stored: StoredKind, mapping: dict[str, str]
) -> None:
    aside, made = _aside(schema, stored), qualified(schema, kind.table)
    connection.execute(f"INSERT INTO {made} ({listed(mapping)}) SELECT {listed(mapping.values())} FROM {aside}")
    connection.execute(f"DROP TABLE {aside}")


def index(connection: duckdb.DuckDBPyConnection, kind: Kind) -> None:
    """Create the indexes of both tables."""
    for statement in tables(kind).indexes:
        connection.execute(statement)


def _aside(schema: str, stored: StoredKind) -> str:
    return f"temp.{quoted(f'{schema}.{stored.table}')}"
