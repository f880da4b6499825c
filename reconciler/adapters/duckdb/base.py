"""The valid state in the store, looked up piece by piece. Implements the port `Base`."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler import canonical
from reconciler.adapters.duckdb.codec import TOMBSTONE_RECORD, find_tombstone, tombstone_row, values_of
from reconciler.adapters.duckdb.connection import reading_desired_tables
from reconciler.adapters.duckdb.folders import FolderKinds
from reconciler.adapters.duckdb.halts import said_by_git, values_said
from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.tables.duckdb import DESIRED, qualify, quote, quote_list
from reconciler.tables.rows import declared_row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog, StoredKind
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Key, Resource, Row, RowId

T = TypeVar("T")
CHUNK = 10_000
"""Rows fetched at a time when all are read."""


class _Table:
    """One desired table: how to select from it and what its records stand for."""

    def __init__(self, kind: Kind, stored: StoredKind) -> None:
        self.kind = kind
        self.columns = tuple(name for name in stored.columns if kind.column(name) is not None)
        self.stored = stored
        self._values = ", ".join(map(self._value, self.columns))
        self.source = qualify(DESIRED, stored.table)
        self._said = said_by_git(stored, f"{self.source}.{quote(stored.key)}")
        self.is_declared = f"{self.column('path')} IS NOT NULL"

    def select(self, *, halted: bool) -> str:
        """Without halts nobody need look for what they set, which takes as long as the look-up itself."""
        beside = quote_list((*TIMESTAMPS, *self.stored.declared))
        return f"SELECT {self._values}, {beside}, {self._said if halted else 'NULL'} FROM {self.source}"

    def _value(self, name: str) -> str:
        """An id as text: the driver would make an object of it first, in a quarter of the time that a row takes."""
        column = self.kind.column(name)
        return f"{quote(name)}::VARCHAR" if column is not None and column.type is SqlType.UUID else quote(name)

    def column(self, name: str) -> str:
        return quote(self.stored.declaration(name))

    def row(self, record: Sequence[Any]) -> Row:
        width, said = len(self.columns), record[-1]
        values = values_of(self.kind, self.columns, record[:width])
        if said is None:
            return declared_row(self.kind, values, record[width : width + 2], record[width + 2 : -1])
        git = values_said(self.kind, said)
        return declared_row(self.kind, {**values, **git}, record[width : width + 2], record[width + 2 : -1])


def _select_declared(table: _Table, halted: bool) -> str:
    return f"{table.select(halted=halted)} WHERE {table.is_declared}"


class DuckDBBase:
    """Look-ups by id, name and path go through indexes; kinds that have no table yet hold nothing."""

    def __init__(
        self,
        connection: StoreConnection,
        catalog: Catalog,
        kinds: Kinds,
        is_halting: Callable[[], bool],
        folders: Callable[[], FolderKinds] = lambda: FolderKinds(None),
    ) -> None:
        """`is_halting` says whether any halt stands; another thread may make the rows obey one between two calls."""
        self._connection, self._is_halting, self._folders = connection, is_halting, folders
        self._tables = {kind.name: _Table(kind, catalog[kind.name]) for kind in kinds if kind.name in catalog}
        self._kinds = kinds
        self._rows: dict[RowId, Row | None] = {}
        self._named: dict[Key, Resource] = {}

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        """What a file declares, in order of line."""
        resources = [resource for table in self._declaring(path) for resource in self._where(table, "path", path)]
        return tuple(sorted(resources, key=lambda resource: (resource.line, resource.key)))

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        """What goes by this kind and name."""
        if key in self._named:  # in a valid state no other goes by it
            return (self._named[key],)
        table = self._tables.get(key.kind)
        return () if table is None else tuple(self._where(table, "name", key.name))

    def row(self, row_id: RowId) -> Row | None:
        """The row with this id, a tombstone too."""
        if row_id not in self._rows:
            self._rows[row_id] = self._row(row_id)
        return self._rows[row_id]

    def _row(self, row_id: RowId) -> Row | None:
        table = self._tables.get(row_id.kind)
        if table is not None:
            for record in self._records(table, f"{quote(table.stored.key)} = ?", row_id.id):
                return table.row(record)
        return find_tombstone(self._connection, row_id.kind, row_id.id)

    def some(self, ids: Collection[RowId]) -> Iterator[Row]:
        """The rows with some ids, tombstones too."""
        by_kind: dict[str, list[str]] = {}
        for row_id in ids:
            by_kind.setdefault(row_id.kind, []).append(row_id.id)
        for name, rows in by_kind.items():
            table, left = self._tables[name], set(rows)
            these = f"{quote(table.stored.key)} IN (SELECT unnest(?::UUID[]))"
            for record in self._records(table, these, rows):
                row = table.row(record)
                left.discard(row.resource.id)
                yield row
            tombstones = (find_tombstone(self._connection, name, row_id) for row_id in sorted(left))
            yield from (row for row in tombstones if row is not None)

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        """The resources with a reference to this kind and name, in order of kind and name."""
        resources = [resource for kind in self._kinds for resource in self._referring(kind, key)]
        return tuple(sorted(resources, key=lambda resource: resource.key))

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        """The files that declare any resource of these kinds, sorted."""
        paths: set[str] = set()
        for table in (self._tables[name] for name in kinds if name in self._tables):
            path = table.column("path")
            query = f"SELECT DISTINCT {path} FROM {table.source} WHERE {table.is_declared}"
            paths.update(record[0] for record in self._fetched(query))
        return tuple(sorted(paths))

    def count(self, kind: str) -> int:
        """How many resources of a kind are declared."""
        table = self._tables.get(kind)
        if table is None:
            return 0
        [(number,)] = self._fetched(f"SELECT count(*) FROM {table.source} WHERE {table.is_declared}")
        return int(number)

    def rows(self) -> Iterator[Row]:
        """Everything, tombstones too."""
        for table in self._tables.values():
            for record in self._stream(partial(_select_declared, table)):
                yield table.row(record)
        for record in self._stream(lambda halted: TOMBSTONE_RECORD):
            yield tombstone_row(record)

    def _stream(self, query: Callable[[bool], str]) -> Iterator[tuple[Any, ...]]:
        with closing(self._connection.cursor()) as cursor:  # look-ups may come in between
            with reading_desired_tables():
                self._under_halts(lambda halted: cursor.execute(query(halted)))
            while records := cursor.fetchmany(CHUNK):
                yield from records

    def _declaring(self, path: str) -> list[_Table]:
        """The tables that may have rows that a file declares: of several, one query tells which, as most files declare
        one kind."""
        kinds = self._folders().of(path)
        tables = [table for name, table in self._tables.items() if kinds is None or name in kinds]
        if len(tables) <= 1:
            return tables
        queries = (
            f"SELECT {number} FROM {one.source} WHERE {one.column('path')} = $1" for number, one in enumerate(tables)
        )
        numbers = self._fetched(" UNION ALL ".join(queries), path)
        return [tables[number] for number in sorted({number for (number,) in numbers})]

    def _records(self, table: _Table, where: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The declared rows of a table that a condition names."""
        condition = f"WHERE {where} AND {table.is_declared}"
        return self._under_halts(
            lambda halted: self._fetched(f"{table.select(halted=halted)} {condition}", *parameters)
        )

    def _under_halts(self, ask: Callable[[bool], T]) -> T:
        """Ask without looking for what halts set, and again if one came meanwhile."""
        halted = self._is_halting()
        answer = ask(halted)
        return ask(True) if not halted and self._is_halting() else answer

    def _fetched(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with reading_desired_tables():
            return self._connection.execute(query, list(parameters)).fetchall()

    def _where(self, table: _Table, column: str, value: str) -> Iterator[Resource]:
        for record in self._records(table, f"{table.column(column)} = ?", value):
            row = table.row(record)
            self._rows[row.row_id] = row  # whoever asks for a resource asks for its row and name next
            self._named[row.resource.key] = row.resource
            yield row.resource

    def _referring(self, kind: Kind, key: Key) -> Iterator[Resource]:
        roles = [reference.role for reference in kind.references if reference.kind == key.kind]
        table = self._tables.get(kind.name)
        if table is None or not roles:
            return
        for record in self._records(table, f"contains({table.column('refs')}, ?)", canonical.dumps(key.name)):
            resource = table.row(record).resource
            if any(key.name in resource.refs.get(role, ()) for role in roles):
                yield resource
