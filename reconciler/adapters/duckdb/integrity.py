"""Whether the store's own record of what git says is what was applied: somebody may have written there, too."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from reconciler import canonical
from reconciler.adapters.duckdb import codec, state, structure, tombstones
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.resource import Key, content_digest
from reconciler.tables.duckdb import DESIRED, listed, qualified, quoted
from reconciler.tables.rows import desired_values, is_live

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from reconciler.adapters.duckdb.catalog import Catalog, StoredKind
    from reconciler.kinds.kind import Kind, Kinds

CHUNK = 10_000
"""Records that are in memory at a time."""


def is_intact(connection: duckdb.DuckDBPyConnection, catalog: Catalog, kinds: Kinds) -> bool:
    """Whether what `desired` declares has the digest of the applied commit, and its tombstones are those on record.

    Digests are worked out from the content anew. They do not cover where something is declared, nor the commits and
    moments a row comes from.
    """
    there, made = structure.found(connection), structure.wanted(catalog)
    if any(structure.of(there, DESIRED, one) != structure.of(made, DESIRED, one) for one in catalog.values()):
        return False
    if catalog.keys() != kinds.by_name.keys():
        return False
    total = canonical.EMPTY_SET
    for kind in kinds:
        digests = list(_digests(connection, kind, catalog[kind.name]))
        if None in digests or not _has_its_tombstones(connection, kind, catalog[kind.name]):
            return False
        total = canonical.add_digests(total, added=(one for one in digests if one))
    applied = state.applied(connection)
    return total == (applied.digest if applied else canonical.EMPTY_SET)


def _digests(connection: duckdb.DuckDBPyConnection, kind: Kind, stored: StoredKind) -> Iterator[str | None]:
    """The digest of each declared resource; None for one that does not have the digest it says."""
    said = ("name", "labels", "annotations", "refs", "digest")
    columns = (*stored.columns, *(stored.declaration(one) for one in said))
    path = quoted(stored.declaration("path"))
    query = f"SELECT {listed(columns)} FROM {qualified(DESIRED, stored.table)} WHERE {path} IS NOT NULL"
    connection.execute(query)
    while records := connection.fetchmany(CHUNK):
        for record in records:
            yield _digest(kind, stored, record[: -len(said)], record[-len(said) :])


def _digest(kind: Kind, stored: StoredKind, record: tuple[Any, ...], said: tuple[Any, ...]) -> str | None:
    name, *metadata, digest = said
    try:
        values = codec.values_of(kind, stored.columns, record)
        labels, annotations, refs = (json.loads(text) for text in metadata)
        found = content_digest(Key(kind.name, name), values, labels, annotations, refs)
    except (ValueError, TypeError, AttributeError):  # no JSON, no finite number, NULL, a list for a mapping
        return None
    return digest if digest == found else None


def _has_its_tombstones(connection: duckdb.DuckDBPyConnection, kind: Kind, stored: StoredKind) -> bool:
    kept = [row for row in tombstones.of_kind(connection, kind.name) if is_live(kind, row)]
    columns = (*stored.columns, *TIMESTAMPS, *stored.declared)
    path = quoted(stored.declaration("path"))
    query = f"SELECT {listed(columns)} FROM {qualified(DESIRED, stored.table)} WHERE {path} IS NULL"
    key = columns.index(stored.key)
    found = {str(record[key]): _comparable(record) for record in connection.execute(query).fetchall()}
    return found == {row.resource.id: _comparable(desired_values(kind, row)) for row in kept}


def _comparable(values: tuple[Any, ...]) -> list[Any]:
    """Values as they are, less what only one side has: the class of a UUID, the zone of a moment in UTC."""
    naive = (value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in values)
    return [str(value) if isinstance(value, UUID) else value for value in naive]
