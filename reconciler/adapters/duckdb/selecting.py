"""Live rows that somebody selected: by fields, references and labels, in another order than that of their names.

As in `rows.py`, `row` is the live one and `said` what git says of it. An id in a column `ROLE_id` is known by
the name of what has it, which is joined under the role.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from reconciler.adapters.duckdb.rows import Rows
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.rows import Declared
from reconciler.tables.duckdb import DESIRED, qualify, quote
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog
    from reconciler.kinds.kind import Kind
    from reconciler.model.rows import LiveRow
    from reconciler.model.selection import Condition, Selection

SortedPlace: TypeAlias = "tuple[Any, str, str]"
"""The value that rows are sorted by, the name and the id of a row."""


class Clause(NamedTuple):
    """A part of a query, and its parameters in their order."""

    sql: str
    values: tuple[object, ...] = ()


class SelectedRows:
    """The rows of a kind that a selection wants."""

    def __init__(self, connection: StoreConnection, kind: Kind, catalog: Catalog, selection: Selection) -> None:
        self._stored = catalog[kind.name]
        self._kind, self._selection = kind, selection
        targets = {reference.role: catalog.get(reference.kind) for reference in kind.references}
        self._joined = {
            role: (column, target)
            for role, column in kind.id_columns.items()
            if (target := targets[role]) is not None and column in self._stored.columns
        }
        self._rows = Rows(connection, kind, self._stored)

    def read(self, place: SortedPlace | None, limit: int | None) -> tuple[LiveRow, ...]:
        """So many after a place, or all of them."""
        conditions = [*self._conditions(), *([self._beyond(place)] if place else [])]
        where = f"WHERE {' AND '.join(f'({condition.sql})' for condition in conditions)}" if conditions else ""
        values = [value for condition in conditions for value in condition.values]
        most = f"LIMIT {int(limit)}" if limit is not None else ""
        page = f"SELECT {self._rows.key} AS key {self._source} {where} ORDER BY {self._order} {most}"
        which = f"JOIN page ON page.key = {self._rows.key} ORDER BY {self._order}"
        given = f"WITH page AS MATERIALIZED ({page})" if conditions or most else ""
        extra = self._extra() if self._selection.details else ()
        records = self._rows.records(
            which if given else f"ORDER BY {self._order}", *values, given=given, source=self._source, extra=extra
        )
        return tuple(self._complete(row, rest) for row, rest in records)

    @property
    def _source(self) -> str:
        joins = (
            f"LEFT JOIN {qualify(DESIRED, target.table)} AS {_alias(role)} "
            f"ON {_alias(role)}.{quote(target.key)} = TRY_CAST(row.{quote(column)} AS UUID)"
            for role, (column, target) in self._joined.items()
        )
        return " ".join([self._rows.source, *joins])

    @property
    def _order(self) -> str:
        plain = f"{self._rows.known_as}, {self._rows.key}"
        if not self._selection.sort:
            return plain
        sorted_by = self._field(self._selection.sort)
        assert not sorted_by.values
        return f"{sorted_by.sql} IS NULL, {sorted_by.sql}{' DESC' if self._selection.descending else ''}, {plain}"

    def _conditions(self) -> Iterator[Clause]:
        lists = {reference.role for reference in self._kind.references if reference.many}
        for condition in self._selection.fields:
            if condition.field in lists and self._kind.column(condition.field) is None:
                names = self._names(condition.field)
                yield _meets(condition, Clause(f"nullif({names}, [])"), "list_contains({}, ?)")
            else:
                yield _meets(condition, self._field(condition.field))
        labels = self._rows.said("labels")
        for condition in self._selection.labels:
            label = Clause(f"CAST({labels} AS MAP(VARCHAR, VARCHAR))[?]", (condition.field,))
            yield _meets(condition, label)

    def _beyond(self, place: SortedPlace) -> Clause:
        value, name, key = place
        known, id_ = self._rows.known_as, f"{self._rows.key}::VARCHAR"
        later = Clause(f"{known} > ? OR ({known} = ? AND {id_} > ?)", (name, name, key))
        if not self._selection.sort:
            return later
        sorted_by = self._field(self._selection.sort).sql
        if value is None:
            return Clause(f"{sorted_by} IS NULL AND ({later.sql})", later.values)
        than = "<" if self._selection.descending else ">"
        sql = f"{sorted_by} IS NULL OR {sorted_by} {than} ? OR ({sorted_by} = ? AND ({later.sql}))"
        return Clause(sql, (value, value, *later.values))

    def _field(self, field: str) -> Clause:
        """A field, a role or a name as an expression. What the stored table lacks is nowhere set."""
        if self._kind.column(field) is not None or field in TIMESTAMPS:
            return Clause(f"row.{quote(field)}" if field in (*self._stored.columns, *TIMESTAMPS) else "NULL")
        if field == "name":
            return Clause(self._rows.known_as)
        if field not in self._joined:
            return Clause(self._ref(field))
        column, target = self._joined[field]
        return Clause(f"coalesce({_alias(field)}.{quote(target.declaration('name'))}, row.{quote(column)}::VARCHAR)")

    def _ref(self, role: str) -> str:
        """The name that a role holds, or all of them with commas between."""
        return f"nullif(array_to_string({self._names(role)}, ','), '')"

    def _names(self, role: str) -> str:
        return f"CAST({self._rows.said('refs')} AS MAP(VARCHAR, VARCHAR[]))[{_literal(role)}]"

    def _extra(self) -> tuple[str, ...]:
        names = (f"{_alias(role)}.{quote(target.declaration('name'))}" for role, (_, target) in self._joined.items())
        return (*(f"{self._rows.said(part)}::VARCHAR" for part in ("labels", "annotations", "refs")), *names)

    def _complete(self, row: LiveRow, rest: Sequence[Any]) -> LiveRow:
        if not self._selection.details:
            return row
        labels, annotations, refs, *names = rest
        declared = Declared(
            labels=_mapping(labels),
            annotations=_mapping(annotations),
            refs={role: tuple(names) for role, names in _mapping(refs).items()},
        )
        columns = [column for column, _ in self._joined.values()]
        known = {column: name for column, name in zip(columns, names, strict=True) if name is not None}
        return replace(row, declared=declared, names=known)


def _meets(condition: Condition, field: Clause, test: str = "{} = ?") -> Clause:
    """A condition on an expression."""
    sql, values = field
    if not condition.values:
        return Clause(f"{sql} IS {'' if condition.negated else 'NOT '}NULL", values)
    parts = [_has(value, field, test) for value in condition.values]
    one = " OR ".join(f"({part.sql})" for part in parts)
    told = tuple(value for part in parts for value in part.values)
    return Clause(f"NOT coalesce({one}, false)" if condition.negated else one, told)


def _has(value: object, field: Clause, test: str) -> Clause:
    sql, values = field
    if value is None:
        return Clause(f"coalesce({sql}::VARCHAR, '') = ''", values)
    return Clause(test.format(sql), (*values, value))


def _mapping(text: str | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text) if text and text != "{}" else {}
    return found


def _alias(role: str) -> str:
    return quote(f"of_{role}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
