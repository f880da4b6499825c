"""Copying a whole history from one engine to another: what is there already is not written again.

Rows are read in order of their keys, a bounded number at a time. Of each batch the target is asked for the same rows,
what it lacks is written, and what was written is read back: so a copy that was broken off goes on, and its end says
whether all is there.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import UsageError
from reconciler.kinds.kind import Kinds
from reconciler.ledger.tables import Catalog
from reconciler.tables.clickhouse import (
    EVENTS,
    INTERVALS,
    OWN_TABLES,
    STATES,
    VERSIONS,
    VERSIONS_TABLE,
    Table,
    history_table,
    kind_of_table,
    quote,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.ledger.connection import Connection

    Key: TypeAlias = "tuple[Any, ...]"
    Rows: TypeAlias = "dict[Key, tuple[Any, ...]]"
    Progress = Callable[[int, int], None]

COUNT = "SELECT count() FROM {database:Identifier}.{table:Identifier} FINAL"
NULLABLE = "Nullable("
EMPTY: Mapping[str, object] = {
    "UUID": UUID(int=0),
    "Bool": False,
    "Float64": 0.0,
    "Array(String)": (),
    "DateTime64(6, 'UTC')": datetime(1970, 1, 1, tzinfo=UTC),
    **dict.fromkeys(("Int16", "Int64", "UInt8", "UInt32", "UInt64"), 0),
}
"""What ClickHouse has in a column that a row knows nothing of; text is empty."""
OF_THE_WRITER = {VERSIONS_TABLE: ("recorded_at", "generation")}
"""Columns in which two records of one thing differ, because two hosts wrote it."""
DIGITS = 16
BATCH = 1_000
"""Rows that are copied at a time: the keys of so many fit into one question."""


class CopiedTable(Struct, frozen=True):
    """What came of a table: the rows of the source, those written, those that were there, and how many are not there.

    Of those that were there `differing` have other values, which are kept. The digests are sums over the rows that
    should be the same.
    """

    name: str
    rows: int
    written: int
    differing: int
    missing: int
    digest: str
    target_digest: str

    @property
    def is_complete(self) -> bool:
        """Whether all is there as it was."""
        return not self.missing and self.digest == self.target_digest


def copy_history(
    source: Connection, target: Connection, progress: Progress = lambda done, total: None
) -> tuple[CopiedTable, ...]:
    """Copy all rows. Raises `UsageError` where there are none, `NeedsHuman` when a table cannot be made to fit.

    Rows of kinds come first and versions after them, so that a version is there with its rows or not at all.
    """
    catalog = Catalog(source)
    existing = dict(catalog.tables())
    if VERSIONS_TABLE not in existing:
        raise UsageError(f"{source.place} is empty", hint="there is nothing to copy: `reconciler sync` records it")
    kinds = [kind for name, columns in sorted(existing.items()) if (kind := _kind(name, columns)) is not None]
    fitted = Catalog(target)
    fitted.fit(Kinds(tuple(kinds)))
    own = [table for table in (VERSIONS, STATES, EVENTS, INTERVALS) if table.name in existing]
    for table in own:
        fitted.fit_own(table)
    tables = [*map(history_table, kinds), *own]
    finders = [kind.key for kind in kinds] + [FINDERS[table.name] for table in own]
    counts = [int(source.ask(COUNT, table=table.name)[0][0]) for table in tables]
    copied, done = [], 0
    for table, finder in zip(tables, finders, strict=True):
        wanted = Table(table.name, fitted.columns(table.name), table.key, table.version)
        before = done
        one = _TableCopy(source, target, wanted, existing[table.name], finder)
        for done in one.run(before):
            progress(done, sum(counts))
        copied.append(one.result())
    return tuple(copied)


FINDERS = {VERSIONS.name: "commit_sha", STATES.name: "commit_sha", EVENTS.name: "seq", INTERVALS.name: "seq"}
"""The column of a key by which rows are looked up, and that few rows share."""


def _kind(table: str, columns: Mapping[str, str]) -> Kind | None:
    return None if table in OWN_TABLES else kind_of_table(table, columns)


class _TableCopy:
    """The copy of one table. `table` has the columns of the target, `existing` are those of the source."""

    def __init__(
        self, source: Connection, target: Connection, table: Table, existing: Mapping[str, str], finder: str
    ) -> None:
        self._source, self._target, self._table, self._finder = source, target, table, finder
        self._existing = existing
        self._names = list(table.columns)
        self._key = [self._names.index(name) for name in table.key]
        self._version = self._names.index(table.version) if table.version else None
        ignored = OF_THE_WRITER.get(table.name, ())
        self._compared = [at for at, name in enumerate(self._names) if name not in ignored]
        self._rows = self._written = self._differing = self._missing = 0
        self._digest = self._target_digest = 0

    def run(self, done: int) -> Iterator[int]:
        """Copy, batch by batch; how many rows are done then, counted from the given number."""
        for block in self._source.blocks(self._query()):
            for first in range(0, len(block), BATCH):
                rows = self._keyed(map(self._fitted, block[first : first + BATCH]))
                self._copy(rows)
                self._rows += len(rows)
                yield done + self._rows

    def result(self) -> CopiedTable:
        """What came of it."""
        return CopiedTable(
            self._table.name,
            self._rows,
            self._written,
            self._differing,
            self._missing,
            f"{self._digest:0{DIGITS}x}",
            f"{self._target_digest:0{DIGITS}x}",
        )

    def _copy(self, rows: Rows) -> None:
        there = self._there(rows)
        lacking = {key: row for key, row in rows.items() if key not in there or self._is_newer(row, there[key])}
        if lacking:
            self._target.insert(self._table, lacking.values())
            there |= self._there(lacking)
            self._written += len(lacking)
        for key, row in rows.items():
            self._compare(row, there.get(key), written=key in lacking)

    def _compare(self, row: Sequence[Any], found: Sequence[Any] | None, *, written: bool) -> None:
        if found is None:
            self._missing += 1
            return
        ours, theirs = self._sum(row), self._sum(found)
        if ours != theirs and not written:
            self._differing += 1
            return
        self._digest = (self._digest + ours) % 16**DIGITS
        self._target_digest = (self._target_digest + theirs) % 16**DIGITS

    def _sum(self, row: Sequence[Any]) -> int:
        text = repr([row[at] for at in self._compared])
        return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[: DIGITS // 2])

    def _is_newer(self, row: Sequence[Any], found: Sequence[Any]) -> bool:
        return self._version is not None and row[self._version] > found[self._version]

    def _there(self, rows: Rows) -> Rows:
        """Those of some rows that the target has."""
        at = self._names.index(self._finder)
        type_ = self._table.columns[self._finder]
        columns = ", ".join(map(quote, self._names))
        query = (
            f"SELECT {columns} FROM {{database:Identifier}}.{{table:Identifier}} FINAL "  # noqa: S608  names, quoted
            f"WHERE {quote(self._finder)} IN {{wanted:Array({type_})}}"
        )
        wanted = list(dict.fromkeys(row[at] for row in rows.values()))
        found = self._target.ask(query, table=self._table.name, wanted=wanted)
        return {key: row for key, row in self._keyed(tuple(map(_cell, row)) for row in found).items() if key in rows}

    def _query(self) -> str:
        columns = ", ".join(quote(name) for name in self._names if name in self._existing)
        order = ", ".join(map(quote, (self._finder, *self._table.key)))
        source = f"{quote(self._source.database)}.{quote(self._table.name)}"
        return f"SELECT {columns} FROM {source} FINAL ORDER BY {order}"  # noqa: S608  names, quoted

    def _fitted(self, row: Iterable[Any]) -> tuple[Any, ...]:
        """A row of the source as the target has it: its columns, and its types where they are wider."""
        values = iter(row)
        return tuple(
            _wide(_cell(next(values)), type_) if name in self._existing else _empty(type_)
            for name, type_ in self._table.columns.items()
        )

    def _keyed(self, rows: Iterable[tuple[Any, ...]]) -> Rows:
        return {tuple(row[at] for at in self._key): row for row in rows}


def _cell(value: Any) -> Any:
    """A value as both engines have it."""
    if isinstance(value, datetime):
        return canonical.utc(value)
    if isinstance(value, UUID):
        return str(value)
    return tuple(value) if isinstance(value, list) else value


def _wide(value: Any, type_: str) -> Any:
    """A value in a column whose type may be wider than its own: text holds all, a double integers."""
    plain = type_.removeprefix(NULLABLE).removesuffix(")")
    if plain == "String" and isinstance(value, bool | int | float):
        return canonical.dumps(value)
    return float(value) if plain == "Float64" and isinstance(value, int) else value


def _empty(type_: str) -> Any:
    return None if type_.startswith(NULLABLE) else _cell(EMPTY.get(type_, ""))
