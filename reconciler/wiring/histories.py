"""The history that settings name: a file of DuckDB's, or a ClickHouse, whose driver is imported only for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.ledger import HistoryFile, open_ledger
from reconciler.adapters.machine import SystemClock
from reconciler.ledger.connection import DUCKDB_FILE
from reconciler.settings import FILE_HISTORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.ledger.connection import Connection, RecordedBranch
    from reconciler.ledger.ledger import SqlLedger


def open_engine(engine: Callable[[Path], str], state: Path, recorded: RecordedBranch, silence: int) -> SqlLedger:
    url = engine(state)
    if url == FILE_HISTORY:
        return open_ledger(state, recorded, SystemClock())
    from reconciler.adapters.clickhouse import connection, ledger

    timeouts = connection.DEFAULT_TIMEOUTS._replace(read=silence)
    return ledger.open_ledger(url, state, recorded, SystemClock(), timeouts=timeouts)


def connect_history(url: str, state: Path) -> Connection:
    if url == FILE_HISTORY:
        return HistoryFile(state / DUCKDB_FILE)
    from reconciler.adapters.clickhouse.connection import open_history

    return open_history(url, state)
