"""Taking over what was recorded of a repository under other names: its URL in other spellings, or a former name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.ledger.names import name_repository
from reconciler.tables.clickhouse import (
    EVENTS_TABLE,
    INTERVALS_TABLE,
    VERSIONS_TABLE,
    find_tables,
    recorded_column,
)

if TYPE_CHECKING:
    from reconciler.ledger.connection import Connection, RecordedBranch
    from reconciler.ledger.tables import Catalog

NAMES = "SELECT DISTINCT repository FROM {database:Identifier}.config_versions"
NAMES_TOLD = "SELECT DISTINCT repository FROM {database:Identifier}.host_events WHERE store = {store:UUID}"
ANY_LEFT = "SELECT 1 FROM {database:Identifier}.{table:Identifier} FINAL WHERE repository = {former:String} LIMIT 1"
VERSION_LEFT = """
SELECT 1 FROM (
  SELECT branch, commit_sha FROM {database:Identifier}.config_versions WHERE repository = {former:String}
  ORDER BY branch DESC, commit_sha DESC LIMIT 1
) WHERE (branch, commit_sha) NOT IN (
  SELECT branch, commit_sha FROM {database:Identifier}.config_versions WHERE repository = {ours:String}
)
"""
"""The one that is taken over last."""


def adopt_rows(connection: Connection, catalog: Catalog, recorded: RecordedBranch) -> None:
    """Copy to the repository's name what was recorded under others; from then on this only looks at the names.

    Host events and live intervals move, as host, store and number say which one it is. Versions come last and in order:
    what was interrupted is done again.
    """
    if not catalog.columns(VERSIONS_TABLE):
        return
    for former in _find_former_names(connection, catalog, recorded):
        if _has_any_left(connection, catalog, former, recorded.repository):
            for table in find_tables(catalog.tables()):
                column = recorded_column("repository", table.columns)
                connection.copy_rows(table, column, former, recorded.repository)


def _find_former_names(connection: Connection, catalog: Catalog, recorded: RecordedBranch) -> list[str]:
    same = {name_repository(name) for name in (recorded.repository, *recorded.former)}
    names = {str(name) for (name,) in connection.ask(NAMES)}
    told: set[str] = set()
    if recorded.store and catalog.columns(EVENTS_TABLE):
        told = {str(name) for (name,) in connection.ask(NAMES_TOLD, store=recorded.store)}
    others = (names | told) - {recorded.repository}
    return sorted(name for name in others if name in told or name_repository(name) in same)


def _has_any_left(connection: Connection, catalog: Catalog, former: str, ours: str) -> bool:
    own = [table for table in (EVENTS_TABLE, INTERVALS_TABLE) if catalog.columns(table)]
    return bool(connection.ask(VERSION_LEFT, former=former, ours=ours)) or any(
        connection.ask(ANY_LEFT, table=table, former=former) for table in own
    )
