"""The live rows of a kind on their way into a file, each with what git says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.adapters.duckdb.altered import live_tables
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.rows import TableExport
from reconciler.tables.duckdb import DESIRED, LIVE, qualified, quoted
from reconciler.tables.rows import BESIDE, sheet_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from reconciler.adapters.duckdb.catalog import StoredKind
    from reconciler.kinds.kind import Kind

BLOCK = 5_000
AS_TEXT = frozenset({"UUID", "JSON"})


def live_sheet(connection: duckdb.DuckDBPyConnection, kind: Kind, stored: StoredKind) -> TableExport:
    """The rows in order of name, then id. To be read before the connection does anything else."""
    columns = sheet_columns(kind)
    return TableExport(kind.table, columns, _blocks(connection, _query(stored, columns)))


def _blocks(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Sequence[tuple[Any, ...]]]:
    with live_tables():
        found = connection.execute(query)
        while block := found.fetchmany(BLOCK):
            yield block


def _query(stored: StoredKind, columns: Sequence[tuple[str, str]]) -> str:
    own = len(columns) - len(BESIDE)
    cells = [_cell("row", name, type_, stored) for name, type_ in columns[:own]]
    name, path, key = (quoted(stored.declaration("name")), quoted(stored.declaration("path")), quoted(stored.key))
    # What left git may share its name with what took its place, and refer to what has left, too: as `import` sees it
    gone = f"said.{path} IS NULL"
    hidden = {"name": f"{gone} AND count(*) OVER (PARTITION BY said.{name}) > 1", "refs": gone}
    for plain, (column, _) in zip(BESIDE, columns[own:], strict=True):
        cells.append(f"CASE WHEN {hidden.get(plain, 'false')} THEN NULL ELSE said.{quoted(column)}::VARCHAR END")
    live, desired = qualified(LIVE, stored.table), qualified(DESIRED, stored.table)
    return (
        f"SELECT {', '.join(cells)} FROM {live} AS row LEFT JOIN {desired} AS said ON row.{key} = said.{key} "
        f"ORDER BY said.{name}, {gone}, row.{key}"
    )


def _cell(side: str, name: str, type_: str, stored: StoredKind) -> str:
    if name not in (*stored.columns, *TIMESTAMPS):
        return "NULL"
    return f"{side}.{quoted(name)}::{'VARCHAR' if type_ in AS_TEXT else type_}"  # whatever somebody made of the column
