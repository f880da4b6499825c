"""What halts make of the rows: in `main` and `desired` alike, so that nothing of it is drift.

`gitops.halted` keeps what git says of each field that a halt set, and `gitops.halts` the halts that the rows obey.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from reconciler.adapters.duckdb.connection import fetch_first
from reconciler.kinds.kind import ANNOTATION, SqlType
from reconciler.model.change import RowId
from reconciler.model.halt import Halts
from reconciler.model.host import HostEvent
from reconciler.tables.duckdb import DESIRED, LIVE, qualify, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog, StoredKind
    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied
    from reconciler.model.halt import Halt, HaltChange, HaltSelector
    from reconciler.model.selection import Condition

HALTED = "gitops.halted"


def read_halts(connection: StoreConnection) -> Halts:
    """The halts that the rows obey."""
    record = fetch_first(connection, "SELECT standing FROM gitops.halts")
    return Halts() if record is None else msgspec.json.decode(record[0], type=Halts)


class _Failed(Struct, frozen=True):
    """What stands beside the halts that rows obey."""

    failed: dict[str, str] = {}


def read_failed(connection: StoreConnection) -> dict[str, str]:
    """The kinds whose tables do not take these halts, and why."""
    record = fetch_first(connection, "SELECT standing FROM gitops.halts")
    return {} if record is None else msgspec.json.decode(record[0], type=_Failed).failed


def write_halts(connection: StoreConnection, halts: Halts, failed: Mapping[str, str]) -> None:
    """The rows obey these from now on, but those of some kinds."""
    connection.execute("DELETE FROM gitops.halts")
    record = {**msgspec.to_builtins(halts), "failed": dict(failed)}
    values = [halts.number, msgspec.json.encode(record).decode()]
    connection.execute("INSERT INTO gitops.halts (sequence, standing) VALUES (?, ?)", values)


def count_halted(connection: StoreConnection) -> dict[str, int]:
    """How many rows halts keep from what git says, by kind."""
    return dict(connection.execute(f"SELECT kind, count(*) FROM {HALTED} GROUP BY kind ORDER BY kind").fetchall())


def said_by_git(stored: StoredKind, key: str) -> str:
    """An expression for what git says of the fields that a halt set in a row; NULL where none did."""
    return f"(SELECT one.said FROM {HALTED} AS one WHERE one.kind = {_literal(stored.name)} AND one.id = {key})"


def read_said(connection: StoreConnection, kind: Kind, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What git says of the fields that a halt set, of each of some rows where one did, by id."""
    query = f"SELECT id::VARCHAR, said::VARCHAR FROM {HALTED} WHERE kind = ? AND id IN (SELECT unnest(?::UUID[]))"
    records = connection.execute(query, [kind.name, list(ids)]).fetchall()
    return {row: values_said(kind, said) for row, said in records}


def values_said(kind: Kind, said: str) -> dict[str, Any]:
    """The values that such JSON holds."""
    return {name: _value(kind, name, value) for name, value in json.loads(said).items()}


def _value(kind: Kind, name: str, value: Any) -> Any:
    column = kind.column(name)
    is_float = column is not None and column.type is SqlType.FLOAT
    return float(value) if is_float and value is not None else value


def note_written(connection: StoreConnection, kind: str, ids: Sequence[str], rows: Iterable[Row]) -> None:
    """Rows with some ids are written, those among `rows` with what halts make of them."""
    connection.execute(f"DELETE FROM {HALTED} WHERE kind = ? AND id IN (SELECT unnest(?::UUID[]))", [kind, list(ids)])
    said = [
        (row.resource.id, json.dumps({name: row.resource.values.get(name) for name in row.halted}))
        for row in rows
        if row.halted
    ]
    if said:
        these = [list(part) for part in zip(*said, strict=True)]
        connection.execute(f"INSERT INTO {HALTED} SELECT ?, unnest(?::UUID[]), unnest(?::JSON[])", [kind, *these])


def forget_kind(connection: StoreConnection, kind: str) -> None:
    """The kind has no tables any more."""
    connection.execute(f"DELETE FROM {HALTED} WHERE kind = ?", [kind])


class Clause(Struct, frozen=True):
    """A condition, and its parameters in their order."""

    sql: str
    values: tuple[object, ...] = ()


def obey_in(connection: StoreConnection, kind: Kind, stored: StoredKind, halts: Halts) -> list[str]:
    """Make the rows of a kind what git says and these halts leave of it; the ids of those that changed."""
    fields = {name: value for name, value in kind.halt.items() if name in stored.columns}
    restored = _restore(connection, kind, stored, _uncovered(connection, stored, halts if fields else Halts()))
    if not fields or not halts.standing:
        return restored
    covered = _covers(stored, halts)
    unlike = " OR ".join(f"{quote(name)} IS DISTINCT FROM ?" for name in fields)
    key, desired = quote(stored.key), qualify(DESIRED, stored.table)
    pairs = ", ".join(f"{_literal(name)}, {quote(name)}" for name in fields)
    new = _ids(
        connection,
        f"INSERT INTO {HALTED} SELECT {_literal(stored.name)}, {key}, json_object({pairs}) FROM {desired} AS said "
        f"WHERE ({covered.sql}) AND ({unlike}) AND {key} NOT IN (SELECT id FROM {HALTED} WHERE kind = ?) RETURNING id",
        *covered.values,
        *fields.values(),
        stored.name,
    )
    settings = ", ".join(f"{quote(name)} = ?" for name in fields)
    these = f"{key} IN (SELECT unnest(?::UUID[]))"
    connection.execute(f"UPDATE {desired} SET {settings} WHERE {these}", [*fields.values(), new])
    return [*restored, *{*new, *switch_off(connection, kind, stored, halts)}]


def switch_off(connection: StoreConnection, kind: Kind, stored: StoredKind, halts: Halts) -> list[str]:
    """Set in the live rows that halts cover what these set; the ids of those where something else stood."""
    covered, key = _covers(stored, halts), quote(stored.key)
    said = f"{key} IN (SELECT {key} FROM {qualify(DESIRED, stored.table)} AS said WHERE {covered.sql})"
    which = Clause("true") if _covers_any_row(stored, halts) else Clause(said, covered.values)
    return _switch_off(connection, kind, stored, halts, which)


def switch_off_blindly(connection: StoreConnection, kind: Kind, stored: StoredKind, halts: Halts) -> list[str]:
    """The same where nothing says what git does: without those that only labels or names tell."""
    ids = [one for halt in _standing_of(stored, halts) for one in halt.selector.ids]
    known = Clause(f"{quote(stored.key)}::VARCHAR IN (SELECT unnest(?::VARCHAR[]))", (ids,))
    which = Clause("true") if _covers_any_row(stored, halts) else known
    return _switch_off(connection, kind, stored, halts, which)


def _switch_off(connection: StoreConnection, kind: Kind, stored: StoredKind, halts: Halts, which: Clause) -> list[str]:
    fields = {name: value for name, value in kind.halt.items() if name in stored.columns}
    if not fields or not halts.standing:
        return []
    key, live = quote(stored.key), qualify(LIVE, stored.table)
    unlike = " OR ".join(f"{quote(name)} IS DISTINCT FROM ?" for name in fields)
    query = f"SELECT {key} FROM {live} WHERE ({unlike}) AND ({which.sql})"
    changed = _ids(connection, query, *fields.values(), *which.values)
    settings = ", ".join(f"{quote(name)} = ?" for name in fields)
    these = f"{key} IN (SELECT unnest(?::UUID[]))"
    connection.execute(f"UPDATE {live} SET {settings} WHERE {these}", [*fields.values(), changed])
    return changed


def switch_off_all(connection: StoreConnection, kinds: Kinds, catalog: Catalog, halts: Halts) -> frozenset[RowId]:
    """The same for all kinds."""
    return frozenset(
        RowId(kind.name, row)
        for kind in kinds
        if halts.standing and kind.name in catalog
        for row in switch_off(connection, kind, catalog[kind.name], halts)
    )


def rehalted_kinds(catalog: Catalog, kinds: Kinds, halts: Halts) -> frozenset[str]:
    """The kinds of which standing halts set something else from now on than what the tables were made under."""
    before = {name: stored.schema.get(ANNOTATION, {}).get("halt", {}) for name, stored in catalog.items()}
    changed = (kind.name for kind in kinds if kind.name in before and dict(kind.halt) != before[kind.name])
    return frozenset(changed if halts.standing else ())


def halt_events(
    halts: Halts, changes: Sequence[HaltChange], base: Applied | None, counts: Mapping[str, int]
) -> Iterator[HostEvent]:
    """One host event for each change; that of the newest says how many rows differ now, and all that stands."""
    commit, digest = (base.stamp.commit, base.digest) if base else (None, None)
    for change in changes:
        outcome: dict[str, Value] = {"rows": dict(counts), "halts": halts.detail()} if change is changes[-1] else {}
        yield HostEvent(0, change.at, str(change.act), commit, digest, 0, {**change.detail(), **outcome})


def _uncovered(connection: StoreConnection, stored: StoredKind, halts: Halts) -> list[str]:
    """The ids of rows that halts cover no more."""
    covered = _covers(stored, halts)
    key, desired = quote(stored.key), qualify(DESIRED, stored.table)
    query = (
        f"SELECT id FROM {HALTED} WHERE kind = ? AND id NOT IN (SELECT {key} FROM {desired} AS said "
        f"WHERE {covered.sql})"
    )
    return _ids(connection, query, stored.name, *covered.values)


def _restore(connection: StoreConnection, kind: Kind, stored: StoredKind, ids: list[str]) -> list[str]:
    """Give some rows back what git says of them."""
    if not ids:
        return []
    these = "IN (SELECT unnest(?::UUID[]))"
    names = [column.name for column in kind.columns if column.name in stored.columns]
    found = connection.execute(
        f"SELECT DISTINCT unnest(json_keys(said)) FROM {HALTED} WHERE kind = ? AND id {these}", [stored.name, ids]
    ).fetchall()
    for name in (name for (name,) in found if name in names):
        path = f'$."{name}"'
        for schema in (DESIRED, LIVE):
            column = kind.column(name)
            assert column is not None
            connection.execute(
                f"UPDATE {qualify(schema, stored.table)} AS row SET {quote(name)} = "
                f"{_typed(column.type)} FROM {HALTED} AS one WHERE one.kind = ? AND one.id = row.{quote(stored.key)} "
                f"AND one.id {these} AND json_exists(one.said, ?)",
                [path, stored.name, ids, path],
            )
    connection.execute(f"DELETE FROM {HALTED} WHERE kind = ? AND id {these}", [stored.name, ids])
    return ids


def _typed(type_: SqlType) -> str:
    """A value of `one.said` as a column has it; its path is a parameter."""
    if type_ is SqlType.JSON:
        return "json_extract(one.said, ?)"
    name = "DOUBLE" if type_ is SqlType.FLOAT else type_.value
    return f"CAST(json_extract_string(one.said, ?) AS {name})"


def _covers(stored: StoredKind, halts: Halts) -> Clause:
    """Whether halts cover a row of `desired`, `said` here."""
    clauses = [_selects(stored, halt.selector) for halt in _standing_of(stored, halts)]
    sql = " OR ".join(f"({clause.sql})" for clause in clauses) or "false"
    return Clause(sql, tuple(value for clause in clauses for value in clause.values))


def _covers_any_row(stored: StoredKind, halts: Halts) -> bool:
    return any(halt.selector.is_all for halt in _standing_of(stored, halts))


def _standing_of(stored: StoredKind, halts: Halts) -> Iterator[Halt]:
    return (halt for halt in halts.standing if halt.selector.is_of(stored.name, stored.table))


def _selects(stored: StoredKind, selector: HaltSelector) -> Clause:
    if selector.names or selector.ids:
        name = f"said.{quote(stored.declaration('name'))} IN (SELECT unnest(?::VARCHAR[]))"
        key = f"said.{quote(stored.key)}::VARCHAR IN (SELECT unnest(?::VARCHAR[]))"
        return Clause(f"{name} OR {key}", (list(selector.names), list(selector.ids)))
    clauses = list(_labels(stored, selector.labels))
    return Clause(
        " AND ".join(clause.sql for clause in clauses) or "true",
        tuple(value for clause in clauses for value in clause.values),
    )


def _labels(stored: StoredKind, conditions: Iterable[Condition]) -> Iterator[Clause]:
    label = f"CAST(said.{quote(stored.declaration('labels'))} AS MAP(VARCHAR, VARCHAR))[?]"
    for one in conditions:
        sign = "NOT " if one.negated else ""
        if one.values:
            found = f"coalesce(list_contains(?::VARCHAR[], {label}), false)"
            yield Clause(f"{sign}({found})", (list(one.values), one.field))
        else:
            yield Clause(f"{sign}({label} IS NOT NULL)", (one.field,))


def _ids(connection: StoreConnection, query: str, *values: object) -> list[str]:
    return [str(found) for (found,) in connection.execute(query, list(values)).fetchall()]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
