"""Drift put right: what should be is copied from `desired`, inside a transaction of the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from reconciler.adapters.duckdb import structure
from reconciler.adapters.duckdb.connection import REBUILD, first_line
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.drift import DriftType
from reconciler.tables.duckdb import DESIRED, LIVE, listed, qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.adapters.duckdb.catalog import Catalog, StoredKind
    from reconciler.model.drift import Drift, Drifts


def heal(connection: duckdb.DuckDBPyConnection, catalog: Catalog, found: Drifts) -> None:
    """Put right what is told: rows by their ids, a table by making it anew with all of its rows.

    Raises `NeedsHuman` when what should be does not fit, or when something of somebody's depends on a table.
    """
    by_kind: dict[str, list[Drift]] = {}
    for drift in found.reported:
        by_kind.setdefault(drift.kind, []).append(drift)
    for name, drifts in by_kind.items():
        try:
            if drifts[0].is_table:
                _make_anew(connection, catalog, name)
            else:
                _copy(connection, catalog[name], drifts)
        except duckdb.ConstraintException as error:
            raise NeedsHuman(
                f"what {DESIRED}.{catalog[name].table} holds as {name} does not fit, so somebody wrote there; "
                f"nothing was changed: {first_line(error)}",
                hint=REBUILD,
            ) from error


def _copy(connection: duckdb.DuckDBPyConnection, stored: StoredKind, drifts: Sequence[Drift]) -> None:
    live, desired = qualified(LIVE, stored.table), qualified(DESIRED, stored.table)
    these = f"{quoted(stored.key)} IN (SELECT unnest(?::UUID[]))"
    if extra := [drift.id for drift in drifts if drift.what is DriftType.EXTRA]:
        connection.execute(f"DELETE FROM {live} WHERE {these}", [extra])
    if others := [drift.id for drift in drifts if drift.what is not DriftType.EXTRA]:
        columns = listed((*stored.columns, *TIMESTAMPS))
        query = f"INSERT OR REPLACE INTO {live} ({columns}) SELECT {columns} FROM {desired} WHERE {these}"
        connection.execute(query, [others])


def _make_anew(connection: duckdb.DuckDBPyConnection, catalog: Catalog, kind: str) -> None:
    stored, wanted = catalog[kind], structure.wanted(catalog)
    parts = structure.of(wanted, LIVE, stored)
    structure.drop(connection, LIVE, stored, structure.of(structure.found(connection), LIVE, stored))
    structure.make(connection, parts)
    columns = listed((*stored.columns, *TIMESTAMPS))
    live, desired = qualified(LIVE, stored.table), qualified(DESIRED, stored.table)
    connection.execute(f"INSERT INTO {live} ({columns}) SELECT {columns} FROM {desired}")
    structure.index(connection, parts)
