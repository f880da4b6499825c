"""The ledger in ClickHouse, embedded or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.clickhouse.connection import (
    DEFAULT_TIMEOUTS,
    Connection,
    connect_server,
    open_embedded,
    parse_url,
)
from reconciler.adapters.clickhouse.sql import query_tables
from reconciler.ledger.connection import CHDB_FOLDER
from reconciler.ledger.ledger import SqlLedger

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.clickhouse.connection import Timeouts
    from reconciler.ledger.connection import RecordedBranch
    from reconciler.model.rows import QueryLimits, QueryResult
    from reconciler.ports import Clock


class ClickHouseLedger(SqlLedger):
    """The same, with queries that somebody else wrote."""

    _connection: Connection

    def query(self, sql: str, limits: QueryLimits) -> QueryResult:
        """What a query finds in tables of this repository and branch."""
        return query_tables(self._connection, sql, self.offered(), self.bound(), limits)


def open_ledger(
    url: str, folder: Path, recorded: RecordedBranch, clock: Clock, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> ClickHouseLedger:
    """Open the ledger of one repository and branch.

    `url` is the setting history.url; `folder` is the state folder, in which the embedded engine has `history/`.
    Raises `UsageError` for a URL that names nothing, `RetryLater` when the engine is in use or the server does not
    answer, `NeedsHuman` for a refused login or a missing engine.
    """
    server = parse_url(url)
    connection = connect_server(server, timeouts) if server else open_embedded(folder / CHDB_FOLDER)
    return ClickHouseLedger.opened(connection, recorded, clock)
