"""Rows as a Parquet file, written by a DuckDB that holds nothing else: the store's own may touch no file."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from reconciler import canonical
from reconciler.errors import RetryLater
from reconciler.tables.duckdb import quoted

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.rows import Record, TableExport

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": "1GB",
    "threads": "1",
}


def write_parquet(sheet: TableExport, file: Path) -> int:
    """Write a file that is not there yet; how many rows it has. Raises `RetryLater` when there is no room."""
    try:
        with duckdb.connect(":memory:", config={**CONFIG, "temp_directory": str(file.parent)}) as connection:
            columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in sheet.columns)
            connection.execute(f"CREATE TABLE sheet ({columns})")
            rows = 0
            for block in sheet.blocks:
                with connection.appender("sheet") as appender:
                    appender.append_rows([_naive(record) for record in block])
                rows += len(block)
            connection.execute("COPY sheet TO ? (FORMAT parquet, COMPRESSION zstd)", [str(file)])
            return rows
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        why = str(error).partition("\n")[0]
        raise RetryLater(
            f"{sheet.table} could not be exported: {why}", hint="free some disk space or memory"
        ) from error


def _naive(record: Record) -> list[Any]:
    """A row whose moments are as DuckDB's TIMESTAMP has them: in UTC, without saying so."""
    return [canonical.utc(value).replace(tzinfo=None) if isinstance(value, datetime) else value for value in record]
