"""Live rows as they are read: some of a kind, all of them for a file, and copies for somebody's query.

`row` is the live one and `said` what git says of it, in all conditions here. What something else put there has no
name in git: it goes by its id.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from reconciler.adapters.duckdb.codec import stamp_as_found, values_as_found
from reconciler.adapters.duckdb.connection import fetch_number, reading_desired_tables, reading_live_tables
from reconciler.adapters.sandbox.protocol import FillTable
from reconciler.kinds.kind import INACTIVE, NUMBERS, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.model.rows import LiveRow, TableExport, Tally
from reconciler.tables.duckdb import DESIRED, LIVE, qualify, quote, quote_list, spell_in_query
from reconciler.tables.rows import BESIDE, export_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import _duckdb as duckdb

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import StoredKind
    from reconciler.kinds.kind import Kind
    from reconciler.model.rows import Search

RowPlace: TypeAlias = tuple[str, str]
"""The name and the id of a row."""
TEXT = frozenset({SqlType.VARCHAR, SqlType.UUID, SqlType.JSON})


CONTAINS = "contains(lower({}), lower(?))"
RANKS = ("{} = lower(?)", "starts_with({}, lower(?))", "contains({}, lower(?))")
"""What is found in order: what is called so, what begins so, what has it in its name; then all else."""
PLAIN = re.compile(r"[\w.-]+", re.ASCII)
"""What stands in JSON as it is."""


class Rows(Struct, frozen=True):
    """The live rows of a kind that has tables, in order of name. What left git comes after its namesake."""

    connection: StoreConnection
    kind: Kind
    stored: StoredKind

    def all(self) -> tuple[LiveRow, ...]:
        """All of them."""
        return self._read(f"ORDER BY {self._order}")

    def called(self, name: str) -> tuple[LiveRow, ...]:
        """Those that go by a name, before the one that goes by an id."""
        declared = f"{qualify(DESIRED, self.stored.table)} AS said WHERE {self.said('name')} = $1"
        these = f"SELECT said.{quote(self.stored.key)} FROM {declared} UNION ALL SELECT TRY_CAST($1 AS UUID)"
        which = f"WHERE {self.key} IN ({these})"  # through indexes, as a comparison of what is shown could not
        return self._read(f"{which} ORDER BY {self.known_as} <> $1, {self._order}", name)

    def after(self, place: RowPlace | None, limit: int) -> tuple[LiveRow, ...]:
        """So many after a place, in order of name and id: a row keeps its place when it leaves git."""
        return self._page(self.source, self.key, self.known_as, place, limit)

    def paired_after(self, place: RowPlace | None, limit: int) -> tuple[LiveRow, ...]:
        """The same in half the time, for live rows that are those that git says, in number and id."""
        source = f"FROM {qualify(DESIRED, self.stored.table)} AS said"
        return self._page(source, f"said.{quote(self.stored.key)}", self.said("name"), place, limit)

    def found(self, search: Search) -> tuple[int, tuple[LiveRow, ...]]:
        """How many a search finds, and those of them that it asks for. A row that is called so comes first."""
        wanted, values = self._wanted(search)
        order = [self.known_as, f"{self.said('path')} IS NULL", self.key]
        ranked: list[object] = []
        if search.sort in self.stored.columns:
            order.insert(0, f"row.{quote(search.sort)}")
        elif search.text:
            order.insert(0, self._rank())
            ranked = [search.text] * len(RANKS)
        way = "DESC" if search.descending and search.sort in self.stored.columns else "ASC"
        which = ", ".join(f"{one} AS place{number}" for number, one in enumerate(order))
        places = f"place0 {way} NULLS LAST, {', '.join(f'place{number}' for number in range(1, len(order)))}"
        given = (
            f"WITH found AS MATERIALIZED (SELECT {self.key} AS key, {which} {self.source} WHERE {wanted}), "
            f"page AS MATERIALIZED (SELECT *, (SELECT count(*) FROM found) AS number FROM found "
            f"ORDER BY {places} LIMIT ? OFFSET ?)"
        )
        page = f"JOIN page ON page.key = {self.key} ORDER BY {places}"
        asked = (*ranked, *values, search.limit, search.offset)
        rows = list(self.records(page, *asked, given=given, extra=("page.number",)))
        if rows or not search.offset:
            return (rows[0][1][0] if rows else 0), tuple(row for row, _ in rows)
        with reading_live_tables():
            return fetch_number(self.connection, f"SELECT count(*) {self.source} WHERE {wanted}", *values), ()

    def tally(self, role: str | None) -> tuple[Tally, ...]:
        """How many rows there are, and are switched on: of the kind, or by what they name in a role, most rows first.

        The kind has a status.
        """
        group = "CAST(refs AS MAP(VARCHAR, VARCHAR[]))[?][1]" if role else "NULL"
        refs = self.said("refs") if role else "NULL"
        active = f"count(*) FILTER (row.{quote(STATUS_FIELD)} IS DISTINCT FROM ?)"
        # Few rows have references that no other has: each text is taken apart once.
        alike = f"SELECT {refs} AS refs, count(*) AS rows, {active} AS active {self.source} GROUP BY 1"
        query = f"SELECT {group}, sum(rows)::BIGINT, sum(active)::BIGINT FROM ({alike}) GROUP BY 1 ORDER BY 2 DESC, 1"
        with reading_live_tables():
            records = self.connection.execute(query, [*([role] if role else []), INACTIVE]).fetchall()
        return tuple(Tally(*record) for record in records)

    @property
    def key(self) -> str:
        """The id as an expression."""
        return f"row.{quote(self.stored.key)}"

    @property
    def known_as(self) -> str:
        """The name, or what stands for it, as an expression."""
        return f"coalesce({self.said('name')}, {self.key}::VARCHAR)"

    @property
    def _order(self) -> str:
        return f"{self.known_as}, {self.said('path')} IS NULL, {self.key}"

    @property
    def source(self) -> str:
        """Both tables."""
        table, key = self.stored.table, quote(self.stored.key)
        live, desired = qualify(LIVE, table), qualify(DESIRED, table)
        return f"FROM {live} AS row LEFT JOIN {desired} AS said ON row.{key} = said.{key}"

    def said(self, name: str) -> str:
        """A column of the declaration as an expression."""
        return f"said.{quote(self.stored.declaration(name))}"

    def _rank(self) -> str:
        name = f"lower({self.known_as})"
        cases = (f"WHEN {one.format(name)} THEN {number}" for number, one in enumerate(RANKS))
        return f"CASE {' '.join(cases)} ELSE {len(RANKS)} END"

    def _wanted(self, search: Search) -> tuple[str, list[object]]:
        conditions: list[str] = ["true"]
        values: list[object] = []
        if search.text:
            alike = [CONTAINS.format(text) for text in self._texts()]
            alike += [f"{number} = TRY_CAST(? AS DOUBLE)" for number in self._numbers()]
            values += [search.text] * len(alike)
            refers = self._refer(search.text)
            alike.append(" AND ".join(refers))
            values += [search.text] * len(refers)
            conditions.append(f"({' OR '.join(f'({one})' for one in alike)})")
        for column, value in search.equals.items():
            conditions.append(f"row.{quote(column)}::VARCHAR = ?")
            values.append(value)
        return " AND ".join(conditions), values

    def _texts(self) -> Iterator[str]:
        yield self.known_as
        for column in self.kind.columns:
            if column.type in TEXT and column.name in self.stored.columns:
                yield f"row.{quote(column.name)}::VARCHAR"
        for declared in ("path", "labels"):
            yield f"{self.said(declared)}::VARCHAR"

    def _refer(self, text: str) -> list[str]:
        """Whether a row refers to what is called so. To take all references apart costs more than all else together."""
        refs = self.said("refs")
        names = f"map_values(CAST({refs} AS MAP(VARCHAR, VARCHAR[])))"  # not the roles: all have these
        exactly = CONTAINS.format(f"array_to_string(flatten({names}), ' ')")
        return [CONTAINS.format(f"{refs}::VARCHAR"), exactly] if PLAIN.fullmatch(text) else [exactly]

    def _numbers(self) -> Iterator[str]:
        for column in self.kind.columns:
            if column.type in NUMBERS and column.name in self.stored.columns:
                yield f"row.{quote(column.name)}"

    def _page(self, source: str, key: str, known: str, place: RowPlace | None, limit: int) -> tuple[LiveRow, ...]:
        """Which rows they are is found out with two columns: to sort whole rows takes half as long again."""
        beyond = f"WHERE {known} > $2 OR ({known} = $2 AND {key}::VARCHAR > $3)" if place else ""
        page = f"SELECT {key} AS key {source} {beyond} ORDER BY {known}, {key} LIMIT $1"
        which = f"JOIN page ON page.key = {self.key} ORDER BY {self.known_as}, {self.key}"
        return self._read(which, limit, *(place or ()), given=f"WITH page AS MATERIALIZED ({page})")

    def _read(self, which: str, *values: object, given: str = "") -> tuple[LiveRow, ...]:
        return tuple(row for row, _ in self.records(which, *values, given=given))

    def records(
        self, which: str, *values: object, given: str = "", source: str = "", extra: Sequence[str] = ()
    ) -> Iterator[tuple[LiveRow, Sequence[Any]]]:
        """The rows that a part of a query names, and the values of further expressions; `source` has more tables."""
        columns = tuple(column for column in self.stored.columns if self.kind.column(column) is not None)
        cells = (*(f"row.{quote(column)}" for column in (*columns, *TIMESTAMPS)), *extra)
        query = (
            f"{given} SELECT {self.known_as}, {self.said('path')}, {self.said('line')}, "
            f"{', '.join(cells)} {source or self.source} {which}"
        )
        own = len(cells) - len(extra) + 3
        with reading_live_tables():
            records = self.connection.execute(query, list(values)).fetchall()
        return ((_live_row(self.kind, columns, record[:own]), record[own:]) for record in records)


def _live_row(kind: Kind, columns: Sequence[str], record: Sequence[Any]) -> LiveRow:
    name, path, line, *values = record
    stamps = zip(TIMESTAMPS, map(stamp_as_found, values[len(columns) :]), strict=True)
    return LiveRow(
        kind=kind.name,
        name=name,
        values={**values_as_found(kind, columns, values[: len(columns)]), **dict(stamps)},
        path=path,
        line=line,
    )


EXPORTED_AT_ONCE = 5_000
AS_TEXT = frozenset({"UUID", "JSON"})


def export_rows(connection: StoreConnection, kind: Kind, stored: StoredKind) -> TableExport:
    """The rows in order of name, then id. To be read before the connection does anything else."""
    columns = export_columns(kind)
    return TableExport(kind.table, columns, _export_blocks(connection, _export_query(stored, columns)))


def _export_blocks(connection: StoreConnection, query: str) -> Iterator[Sequence[tuple[Any, ...]]]:
    with reading_live_tables():
        result = connection.execute(query)
        while block := result.fetchmany(EXPORTED_AT_ONCE):
            yield block


def _export_query(stored: StoredKind, columns: Sequence[tuple[str, str]]) -> str:
    own = len(columns) - len(BESIDE)
    cells = [_export_cell("row", name, type_, stored) for name, type_ in columns[:own]]
    name, path, key = (quote(stored.declaration("name")), quote(stored.declaration("path")), quote(stored.key))
    # What left git may share its name with what took its place, and refer to what has left, too: as `import` sees it
    gone = f"said.{path} IS NULL"
    hidden = {"name": f"{gone} AND count(*) OVER (PARTITION BY said.{name}) > 1", "refs": gone}
    for plain, (column, _) in zip(BESIDE, columns[own:], strict=True):
        cells.append(f"CASE WHEN {hidden.get(plain, 'false')} THEN NULL ELSE said.{quote(column)}::VARCHAR END")
    live, desired = qualify(LIVE, stored.table), qualify(DESIRED, stored.table)
    return (
        f"SELECT {', '.join(cells)} FROM {live} AS row LEFT JOIN {desired} AS said ON row.{key} = said.{key} "
        f"ORDER BY said.{name}, {gone}, row.{key}"
    )


def _export_cell(side: str, name: str, type_: str, stored: StoredKind) -> str:
    if name not in (*stored.columns, *TIMESTAMPS):
        return "NULL"
    return f"{side}.{quote(name)}::{'VARCHAR' if type_ in AS_TEXT else type_}"  # whatever somebody made of the column


TableSum: TypeAlias = "tuple[tuple[tuple[str, str], ...], int, int]"
"""What a table holds: its columns as name and type, how many rows there are, and the sum of their hashes."""


def declared_table(connection: StoreConnection, stored: StoredKind) -> TableExport:
    """A live table as git says it is, whatever somebody did to it. To be read before the connection does more."""
    columns = _declared_columns(connection, stored)
    return TableExport(stored.table, columns, _declared_blocks(connection, f"{_select(columns)} {_source(stored)}"))


def declared_sum(connection: StoreConnection, stored: StoredKind) -> TableSum:
    """What the live table of a kind holds as git says it is."""
    columns = _declared_columns(connection, stored)
    with reading_desired_tables():
        return columns, *sum_rows(connection, f"({_select(columns)} {_source(stored)})")


def sum_rows(connection: StoreConnection | duckdb.DuckDBPyConnection, source: str) -> tuple[int, int]:
    """How many rows a table or query in brackets has, and the sum of their hashes."""
    count, total = connection.execute(f"SELECT count(*), coalesce(sum(hash(t)), 0) FROM {source} AS t").fetchall()[0]
    return int(count), int(total)


def _declared_columns(connection: StoreConnection, stored: StoredKind) -> tuple[tuple[str, str], ...]:
    names = quote_list((*stored.columns, *TIMESTAMPS))
    with reading_desired_tables():
        found = connection.execute(f"DESCRIBE SELECT {names} {_source(stored)}").fetchall()
    return tuple((name, type_) for name, type_, *_ in found)


def _select(columns: Sequence[tuple[str, str]]) -> str:
    return f"SELECT {quote_list(name for name, _ in columns)}"


def _source(stored: StoredKind) -> str:
    return f"FROM {qualify(DESIRED, stored.table)}"


def _declared_blocks(connection: StoreConnection, query: str) -> Iterator[Sequence[tuple[Any, ...]]]:
    with reading_desired_tables():
        result = connection.execute(query)
        while block := result.fetchmany(EXPORTED_AT_ONCE):
            yield block


COPIED_AT_ONCE = 5_000
"""Rows that are on their way to the process at once."""
AS_THEY_ARE = frozenset({"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR"})
"""Types whose values get there as Python has them; those of others as text."""
QUERY_TABLES = (
    "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() "
    "USING (database_name, schema_name, table_name) WHERE database_name = current_database() "
    "ORDER BY schema_name, table_name, column_index"
)


def copy_for_query(connection: StoreConnection, sql: str) -> Iterator[FillTable]:
    """All tables of a store, and the rows of those that a query names: there is no other way to them."""
    text = sql.lower()
    for (schema, table), columns in _tables(connection).items():
        named = spell_in_query(table) in text
        yield from _copy(connection, schema, table, columns, rows=named)


def _copy(
    connection: StoreConnection, schema: str, table: str, columns: dict[str, str], *, rows: bool
) -> Iterator[FillTable]:
    types = tuple(columns.items())
    yield FillTable(schema, table, types, ())
    if rows:
        cells = ", ".join(quote(name) if type_ in AS_THEY_ARE else f"{quote(name)}::VARCHAR" for name, type_ in types)
        result = connection.execute(f"SELECT {cells} FROM {qualify(schema, table)} ORDER BY rowid")
        while block := result.fetchmany(COPIED_AT_ONCE):
            yield FillTable(schema, table, (), block)


def _tables(connection: StoreConnection) -> dict[tuple[str, str], dict[str, str]]:
    tables: dict[tuple[str, str], dict[str, str]] = {}
    records: list[tuple[Any, ...]] = connection.execute(QUERY_TABLES).fetchall()
    for schema, table, column, type_ in records:
        tables.setdefault((schema, table), {})[column] = type_
    return tables
