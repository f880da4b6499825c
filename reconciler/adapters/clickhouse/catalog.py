"""What the database has, and making it fit the kinds. Asked once, and again only when something is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.clickhouse import statements
from reconciler.errors import NeedsHuman
from reconciler.tables import clickhouse as ddl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.adapters.clickhouse.connection import Connection
    from reconciler.kinds.kind import Kind, Kinds


_BOUND_COLUMNS = {
    "repository": "repository",
    "branch": "branch",
    "height": "height",
    "commit": "commit_sha",
    "op": "op",
}


def bound_columns(kind: Kind) -> dict[str, str]:
    """The history's own columns as the kind's table names them, by the names they have in statements."""
    return {f"{short}_column": ddl.own_column(kind, name) for short, name in _BOUND_COLUMNS.items()}


class Catalog:
    """The tables of the ledger's database with their columns and types.

    Every call raises `NeedsHuman` when a newer version of reconciler has given them another format.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables: dict[str, dict[str, str]] = {}

    def columns(self, table: str) -> Mapping[str, str]:
        """A table's columns and their types; none when there is no such table, or it is not for us to see."""
        if table not in self._tables:
            self._read()
        return self._tables.get(table, {})

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """All of them, as they are now."""
        self._read()
        return self._tables

    def fit(self, kinds: Kinds) -> None:
        """Create or alter what these kinds need. Raises `NeedsHuman` when a table cannot be made to fit."""
        self._read()
        if not self._tables:
            self._make_database()
        wanted = [statement for kind in kinds for statement in self._for_kind(kind)]
        if ddl.VERSIONS_TABLE not in self._tables:
            wanted.append(ddl.create_versions(self._connection.database))
        for statement in wanted:
            self._connection.command(statement)
        if wanted:
            self._read()

    def fit_events(self) -> None:
        """Create the table of host events when it is missing."""
        if not self.columns(ddl.EVENTS_TABLE):
            if not self._tables:
                self._make_database()
            self._connection.command(ddl.create_events(self._connection.database))
            self._read()

    def _for_kind(self, kind: Kind) -> tuple[str, ...]:
        existing = self._tables.get(kind.table)
        if existing is None:
            return (ddl.create_kind(self._connection.database, kind),)
        return ddl.migrations(self._connection.database, kind, existing)

    def _make_database(self) -> None:
        """Only when it is missing: a login that may not create databases can still be given one."""
        database = self._connection.database
        if not self._connection.ask(statements.DATABASES)[0][0]:
            self._connection.command(ddl.create_database(database))

    def _read(self) -> None:
        self._tables = {}
        for table, name, type_, comment in self._connection.ask(statements.CATALOG):
            self._refuse_newer(ddl.format_version(comment))
            self._tables.setdefault(table, {})[name] = type_

    def _refuse_newer(self, version: int) -> None:
        if version > ddl.FORMAT_VERSION:
            raise NeedsHuman(
                f"{self._connection.place} has format {version}, "
                f"this version of reconciler reads format {ddl.FORMAT_VERSION}",
                hint="update reconciler on this host; nothing was changed there",
            )
