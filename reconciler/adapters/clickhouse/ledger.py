"""The ledger in ClickHouse, embedded or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.clickhouse.connection import DEFAULT_TIMEOUTS, Connection, open_history
from reconciler.adapters.clickhouse.sql import query_tables
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
    """Open the ledger of one repository and branch. Raises as `open_history` does."""
    return ClickHouseLedger.opened(open_history(url, folder, timeouts), recorded, clock)
