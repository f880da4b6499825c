"""Read-only queries, and whole tables as files."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import RetryLater, UsageError
from reconciler.model import rows
from reconciler.model.rows import QueryLimits, TableExport
from reconciler.report.queries import QueryResult, Table, Tables, build_query_result
from reconciler.report.rows import csv_lines, json_lines
from reconciler.service.context import UPLOAD_WAIT, Context, Service
from reconciler.service.kinds import find_kind, known_kinds
from reconciler.service.limits import CSV, DEFAULT_ROWS, FORMATS
from reconciler.tables.rows import export_columns
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.ledger.ledger import SqlLedger
    from reconciler.service.context import History

PARALLEL, TURN_WAIT = 2, 5.0
"""Queries and exports that run at once, each of which may take a core, and seconds that others wait for their turn."""
EMPTY_HINT = "`reconciler sync` records every commit of the branch"


class ExportedFile(NamedTuple):
    """A table as a file, which is gone when `content` is closed."""

    table: str
    form: str
    rows: int
    content: IO[bytes]


class Sql(Service):
    """Queries on the live rows, or on the history. They take turns."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._turns = threading.BoundedSemaphore(PARALLEL)

    def query(self, query: str, history: bool = False, limit: int = DEFAULT_ROWS) -> QueryResult:
        """Run one SELECT; `limit` rows at most. Raises `UsageError` for what cannot be run."""
        limits = QueryLimits(rows=limit)
        with self._turn():
            if not history:
                return _build(self.context.query_rows(query, limits))
            with self.context.open_history(UPLOAD_WAIT) as opened:
                return _build(_recorded(opened).query(query, limits))

    def tables(self, history: bool = False) -> Tables:
        """The tables that can be exported, and the kinds whose they are."""
        if history:
            with self.context.open_history(UPLOAD_WAIT) as opened:
                kinds = {kind.table: kind.name for kind in opened.kinds()}
                names = _recorded(opened).exports()
                tables = tuple(Table(table=name, kind=kinds.get(name)) for name in names)
                return Tables(tables=tables)
        with self.context.open_rows() as store:
            known = known_kinds(store, self.context.bundled)
            return Tables(tables=tuple(Table(table=kind.table, kind=kind.name) for kind in known))

    def write(self, table: str, form: str, file: Path, history: bool = False) -> tuple[str, int]:
        """Write a table, named by itself or its kind, into a new file; its name, and how many rows it has."""
        if form not in FORMATS:
            raise UsageError(f"there is no format {form}", hint=suggest(form, FORMATS))
        with self._turn(), self._open_table(table, history=history) as table_export:
            counter = _RowCounter(table_export)
            lines = {CSV: csv_lines, "json": json_lines}.get(form)
            self.context.write_table(counter.table_export, None if lines is None else lines(counter.table_export), file)
            return table_export.table, counter.rows

    def export(self, table: str, form: str = CSV, history: bool = False) -> ExportedFile:
        """The same, opened for reading."""
        assert self.context.spool is not None
        written: list[tuple[str, int]] = []
        stream = self.context.spool(lambda file: written.append(self.write(table, form, file, history)))
        (name, rows) = written[0]
        return ExportedFile(name, form, rows, stream)

    @contextmanager
    def _open_table(self, word: str, *, history: bool) -> Iterator[TableExport]:
        if history:
            with self.context.open_history(UPLOAD_WAIT) as opened:
                yield _find_table(opened, word)
            return
        with self.context.open_rows() as store:
            kind = find_kind(known_kinds(store, self.context.bundled), word)
            yield store.export(kind) if store else TableExport(kind.table, export_columns(kind), ())

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=TURN_WAIT):
            raise RetryLater(f"{PARALLEL} queries or exports are under way already", hint="try again in a moment")
        try:
            yield
        finally:
            self._turns.release()


def _build(found: rows.QueryResult) -> QueryResult:
    if found.cut is rows.CutBy.BYTES and not found.rows:
        message = f"the first row alone takes more than the {rows.MAX_QUERY_BYTES >> 20} MiB that an answer may have"
        raise UsageError(message, hint="name fewer columns, or cut long texts: left(text, 1000)")
    return build_query_result(found)


def _recorded(history: History) -> SqlLedger:
    if history.sql is None:
        raise UsageError("the history is empty", hint=EMPTY_HINT)
    return history.sql


def _find_table(history: History, word: str) -> TableExport:
    exports, kind = _recorded(history).exports(), history.kinds().find(word)
    name = kind.table if kind is not None and kind.table in exports else word
    if name not in exports:
        raise UsageError(f"the history has no table {word}", hint=suggest(word, exports) or EMPTY_HINT)
    return exports[name]


class _RowCounter:
    """Counts the rows of a table as they go by."""

    def __init__(self, table_export: TableExport) -> None:
        self.rows = 0
        self._blocks = table_export.blocks
        self.table_export = TableExport(table_export.table, table_export.columns, self._counted())

    def _counted(self) -> Iterator[Any]:
        for block in self._blocks:
            self.rows += len(block)
            yield block
