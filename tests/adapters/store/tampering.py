"""Writing into a store past the program, as others do who open its file; the same for every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.adapters.duckdb.store import DuckDBStore
from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.model.change import content_digest
from reconciler.tables.duckdb import qualify, quote, quote_list
from reconciler.values import replace
from tests.support.kinds import KINDS, step
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Resource, Row, RowId
    from reconciler.model.commit import StoreUpdate
    from reconciler.model.host import HostEvent
    from reconciler.ports import Store


def real(row: Row) -> Row:
    """A row with the digest that the program gives its resource."""
    one = row.resource
    digest = content_digest(one.key, one.values, one.labels, one.annotations, one.refs)
    return replace(row, resource=replace(one, digest=digest))


def real_step(number: int, *rows: Row) -> StoreUpdate:
    """The step from nothing to these rows, with the digest that the program gives it."""
    made = tuple(map(real, rows))
    added = [one.resource.digest for one in made if one.removed is None]
    return replace(step(number, *made), digest=canonical.add_digests(canonical.EMPTY_SET, added=added))


def connection(store: Store) -> duckdb.DuckDBPyConnection:
    """The connection of a DuckDB store."""
    assert isinstance(store, DuckDBStore)
    return store._connection


def change(store: Store, one: Resource, **values: Any) -> None:
    """Change columns of a live row."""
    kind = KINDS.by_name[one.kind]
    if isinstance(store, MemoryStore):
        store.write_past(one.row_id, {**_live(store, kind, one.row_id), **values})
    else:
        written = ", ".join(f"{quote(name)} = ?" for name in values)
        query = f"UPDATE {qualify('main', kind.table)} SET {written} WHERE {quote(kind.key)} = ?"
        connection(store).execute(query, [*_stored(kind, values), one.id])


def delete(store: Store, *found: Resource) -> None:
    """Delete live rows."""
    for one in found:
        kind = KINDS.by_name[one.kind]
        if isinstance(store, MemoryStore):
            store.write_past(one.row_id, None)
        else:
            query = f"DELETE FROM {qualify('main', kind.table)} WHERE {quote(kind.key)} = ?"
            connection(store).execute(query, [one.id])


def insert(store: Store, row_id: RowId, **values: Any) -> None:
    """Put a live row there; what is not given is NULL."""
    kind = KINDS.by_name[row_id.kind]
    whole = dict.fromkeys((*(column.name for column in kind.columns), *TIMESTAMPS)) | {kind.key: row_id.id} | values
    if isinstance(store, MemoryStore):
        store.write_past(row_id, whole)
    else:
        marks = ", ".join("?" for _ in whole)
        query = f"INSERT INTO {qualify('main', kind.table)} ({quote_list(whole)}) VALUES ({marks})"
        connection(store).execute(query, _stored(kind, whole))


def rewrite_git(store: Store, old: Row, new: Row) -> None:
    """Change what the store takes for git's: values of a row, not its digest."""
    if isinstance(store, MemoryStore):
        store.rewrite_git(new)
    else:
        kind = KINDS.by_name[old.resource.kind]
        written = ", ".join(f"{quote(column.name)} = ?" for column in kind.columns)
        query = f"UPDATE {qualify('desired', kind.table)} SET {written} WHERE {quote(kind.key)} = ?"
        connection(store).execute(query, [*_stored(kind, dict(new.resource.values)), old.resource.id])


def events(store: Store) -> list[HostEvent]:
    """The host events about drift, the oldest first."""
    return [event for event in store.events_after(0, 1_000) if event.event.startswith("drift")]


def _live(store: Store, kind: Kind, row_id: RowId) -> Mapping[str, Any]:
    return next(row.values for row in store.live(kind) if row.values[kind.key] == row_id.id)


def _stored(kind: Kind, values: Mapping[str, Any]) -> list[Any]:
    json = {column.name for column in kind.columns if column.type is SqlType.JSON}
    return [canonical.dumps(value) if name in json and value is not None else value for name, value in values.items()]
