"""Records of DuckDB's to values of ours and back; tombstones, which are kept whole.

A tombstone is what left git, as it last was, whether or not a table still has a row for it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.adapters.duckdb.connection import fetch_first
from reconciler.kinds.kind import SqlType
from reconciler.model.change import Prune, Removal, Resource, Row, Stamp
from reconciler.model.problem import Problem, Severity
from reconciler.tables.problems import shorten_problems
from reconciler.tables.rows import refs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.kinds.kind import Kind


def values_of(kind: Kind, columns: Sequence[str], record: Sequence[Any]) -> dict[str, Any]:
    """The values of some of a kind's columns, as a resource has them."""
    types = {column.name: column.type for column in kind.columns}
    return {name: _value(types[name], value) for name, value in zip(columns, record, strict=True)}


def values_as_found(kind: Kind, columns: Sequence[str], record: Sequence[Any]) -> dict[str, Any]:
    """The same of a row that anybody may have written: JSON that only DuckDB takes for JSON stays text."""
    types = {column.name: column.type for column in kind.columns}
    return {name: _as_found(types[name], value) for name, value in zip(columns, record, strict=True)}


def _as_found(sql_type: SqlType, value: Any) -> Any:
    try:
        return _value(sql_type, value)
    except (TypeError, ValueError):
        return value


def stamp_as_found(value: Any) -> datetime | str | None:
    """A time stamp in UTC; text when it is none."""
    if isinstance(value, datetime):
        return canonical.utc(value)
    return None if value is None else str(value)


def _value(sql_type: SqlType, value: Any) -> Any:
    if value is None:
        return None
    if sql_type is SqlType.UUID:
        return str(value)
    return json.loads(value) if sql_type is SqlType.JSON else value


def tombstone_record(row: Row) -> tuple[Any, ...]:
    """A tombstone as `gitops.tombstones` keeps it: whole, because no table may have a row for it."""
    removed, resource = row.removed, row.resource
    assert removed is not None
    stamps = (value for stamp in (row.created, row.updated, removed) for value in (stamp.commit, stamp.time))
    return (resource.kind, resource.id, _content(resource), *stamps, str(removed.prune))


def tombstone_row(record: Sequence[Any]) -> Row:
    """The tombstone that such a record, less its first two columns, stands for."""
    content, *stamps, prune = record
    fields = json.loads(content)
    resource = Resource(**{**fields, "refs": refs_of(fields["refs"])})
    created, updated, removed = (
        Stamp(commit, canonical.utc(time)) for commit, time in zip(stamps[::2], stamps[1::2], strict=True)
    )
    return Row(resource, created, updated, Removal(removed.commit, removed.time, Prune(prune)))


def _content(resource: Resource) -> str:
    """JSON that keeps a float a float: canonical JSON writes 30.0 as 30, which would come back as an integer."""
    fields = {name: getattr(resource, name) for name in Resource.__struct_fields__}
    mappings = {name: dict(fields[name]) for name in ("values", "labels", "annotations", "refs")}
    return json.dumps({**fields, **mappings}, ensure_ascii=False, allow_nan=False)


def dump_problems(problems: Sequence[Problem]) -> str:
    """Problems as JSON, shortened."""
    return canonical.dumps([problem.kept for problem in shorten_problems(problems)])


def load_problems(text: str) -> tuple[Problem, ...]:
    """Problems from JSON."""
    return tuple(Problem(**{**fields, "severity": Severity(fields["severity"])}) for fields in json.loads(text))


TOMBSTONE_TABLE = "gitops.tombstones"
MAX_LISTED = 16
"""Ids that are parameters of a statement one by one."""
TOMBSTONE_RECORD = (
    "SELECT resource, created_commit, created_at, updated_commit, updated_at, removed_commit, removed_at, prune "
    "FROM gitops.tombstones"
)


def find_tombstone(connection: StoreConnection, kind: str, row_id: str) -> Row | None:
    """The tombstone with this id."""
    record = fetch_first(connection, f"{TOMBSTONE_RECORD} WHERE kind = ? AND id = ?", kind, row_id)
    return None if record is None else tombstone_row(record)


def tombstones_of_kind(connection: StoreConnection, kind: str) -> list[Row]:
    """All tombstones of a kind."""
    return [
        tombstone_row(record) for record in connection.execute(f"{TOMBSTONE_RECORD} WHERE kind = ?", [kind]).fetchall()
    ]


def clear_tombstones(connection: StoreConnection) -> None:
    """Remove all."""
    connection.execute(f"DELETE FROM {TOMBSTONE_TABLE}")


def remove_tombstones(connection: StoreConnection, kind: str, ids: Sequence[str]) -> None:
    """Remove those of a kind with some ids. Listing a few takes half the time of a list that is joined."""
    few = len(ids) <= MAX_LISTED
    these = ", ".join("?::UUID" for _ in ids) if few else "SELECT unnest(?::UUID[])"
    connection.execute(
        f"DELETE FROM {TOMBSTONE_TABLE} WHERE kind = ? AND id IN ({these})", [kind, *(ids if few else [ids])]
    )


def write_tombstones(connection: StoreConnection, rows: Iterable[Row]) -> None:
    """Write some, over those that have the same ids."""
    records = [tombstone_record(row) for row in rows]
    if records:
        with connection.appender(TOMBSTONE_TABLE, action="upsert") as appender:
            appender.append_rows(records)
