"""Somebody's own queries, and whole tables for files: the same with and without a daemon."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from reconciler.answers import to_json
from reconciler.errors import RetryLater, UsageError
from reconciler.model.rows import QueryLimits, TableExport
from reconciler.report.rows import build_query_result, csv_lines, json_lines
from reconciler.tables.rows import sheet_columns
from reconciler.wiring.answers import found_kind
from reconciler.wiring.program import known_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.sandbox.messages import Fill
    from reconciler.kinds.kind import Kinds
    from reconciler.ports import LedgerReader

    Answer = dict[str, Any]
    Reading = Callable[[], AbstractContextManager[DuckDBReader | None]]
    OpenLedger = Callable[[], AbstractContextManager[LedgerReader]]

FORMATS: Final = ("parquet", "csv", "json")
AT_ONCE, TURN = 2, 5.0
"""Queries and exports that are made at once, and seconds that others wait for their turn: each may take a core."""
EMPTY = "`reconciler sync` records every commit of the branch"


@dataclass(frozen=True)
class Questions:
    """For any thread. `reading` opens the store; None before the first sync.

    `ledger` gives what opens the history, None on a host that keeps none; `kinds` are those that it is asked in.
    """

    reading: Reading
    ledger: Callable[[], OpenLedger | None]
    kinds: Callable[[], Kinds]
    turns: threading.BoundedSemaphore

    def query(self, sql: str, rows: int, *, history: bool) -> Answer:
        """What a query finds: columns, and so many rows at most. Raises `UsageError` for what cannot be run."""
        limits = QueryLimits(rows=rows)
        with self._turn():
            if history:
                with self._history() as ledger:
                    return to_json(build_query_result(ledger.query(sql, limits)))
            from reconciler.adapters.duckdb.looking import look

            return to_json(build_query_result(look(lambda: self._copies(sql), sql, limits)))

    def tables(self, *, history: bool) -> Answer:
        """The tables that there are, and the kinds whose they are."""
        if history:
            with self._history() as ledger:
                kinds = {kind.table: kind.name for kind in self.kinds()}
                return {"tables": [{"table": table, "kind": kinds.get(table)} for table in ledger.sheets()]}
        with self.reading() as reader:
            return {"tables": [{"table": kind.table, "kind": kind.name} for kind in known_kinds(reader)]}

    def write(self, word: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
        """Write a table into a file that is not there; what the table is called, and how many rows it has."""
        with self._turn(), self._sheet(word, history=history) as sheet:
            return sheet.table, _write(sheet, form, file)

    def spooled(self, word: str, form: str, folder: Path, *, history: bool) -> tuple[str, int, IO[bytes]]:
        """The same, opened for reading; the file is gone when it is closed."""
        from reconciler.adapters.files import write_spooled

        done: list[tuple[str, int]] = []
        stream = write_spooled(folder, lambda file: done.append(self.write(word, form, file, history=history)))
        return *done[0], stream

    def _copies(self, sql: str) -> Iterator[Fill]:
        with self.reading() as reader:
            yield from _nothing(known_kinds(None)) if reader is None else reader.copies(sql)

    @contextmanager
    def _sheet(self, word: str, *, history: bool) -> Iterator[TableExport]:
        if history:
            with self._history() as ledger:
                yield _found_sheet(ledger.sheets(), self.kinds(), word)
            return
        with self.reading() as reader:
            kind = found_kind(known_kinds(reader), word)
            yield reader.sheet(kind) if reader else TableExport(kind.table, sheet_columns(kind), ())

    @contextmanager
    def _history(self) -> Iterator[ClickHouseLedger]:
        from reconciler.adapters.clickhouse.ledger import ClickHouseLedger

        opened = self.ledger()
        if opened is None:
            raise UsageError("this host keeps no history", hint="set history.url to chdb or a ClickHouse server")
        with opened() as ledger:
            if not isinstance(ledger, ClickHouseLedger):
                raise UsageError("the history is empty", hint=EMPTY)
            yield ledger

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.turns.acquire(timeout=TURN):
            raise RetryLater(f"{AT_ONCE} queries or exports are under way already", hint="try again in a moment")
        try:
            yield
        finally:
            self.turns.release()


def questions(reading: Reading, ledger: Callable[[], OpenLedger | None], kinds: Callable[[], Kinds]) -> Questions:
    """Questions that take turns with each other."""
    return Questions(reading, ledger, kinds, threading.BoundedSemaphore(AT_ONCE))


def _nothing(kinds: Kinds) -> Iterable[Fill]:
    """Tables without rows."""
    from reconciler.adapters.duckdb.sandbox.messages import Fill

    for kind in kinds:
        columns = sheet_columns(kind)
        yield Fill("main", kind.table, columns[: len(kind.columns) + 2], ())
        yield Fill("desired", kind.table, columns, ())


def _found_sheet(sheets: dict[str, TableExport], kinds: Kinds, word: str) -> TableExport:
    kind = kinds.find(word)
    name = kind.table if kind is not None and kind.table in sheets else word
    if name not in sheets:
        hint = f"there are: {', '.join(sheets)}" if sheets else EMPTY
        raise UsageError(f"the history has no table {word}", hint=hint)
    return sheets[name]


def _write(sheet: TableExport, form: str, file: Path) -> int:
    if form not in FORMATS:
        raise UsageError(f"there is no format {form}", hint=f"there are: {', '.join(FORMATS)}")
    if form == "parquet":
        from reconciler.adapters.duckdb.parquet import write_parquet

        return write_parquet(sheet, file)
    from reconciler.adapters.files import write_lines

    counter = _Counter(sheet)
    write_lines((csv_lines if form == "csv" else json_lines)(counter.sheet), file)
    return counter.rows


class _Counter:
    """Counts the rows of a sheet as they go by."""

    def __init__(self, sheet: TableExport) -> None:
        self.rows = 0
        self._blocks = sheet.blocks
        self.sheet = TableExport(sheet.table, sheet.columns, self._counted())

    def _counted(self) -> Iterator[Any]:
        for block in self._blocks:
            self.rows += len(block)
            yield block
