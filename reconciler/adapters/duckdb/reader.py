"""What can be asked of the store without the right to write. Implements the port `StoreReader`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.adapters.duckdb import catalog, codec, drift, events, integrity, state, suspending
from reconciler.adapters.duckdb.base import DuckDBBase
from reconciler.adapters.duckdb.connection import fetch_first
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.drift import MOST_TOLD
from reconciler.ports import LiveRow
from reconciler.tables.duckdb import DESIRED, LIVE, qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType

    import duckdb

    from reconciler.kinds.kind import Kind
    from reconciler.kinds.registry import Kinds
    from reconciler.model.drift import Drifts
    from reconciler.model.event import HostEvent
    from reconciler.model.resource import RowId
    from reconciler.model.suspension import Suspension
    from reconciler.ports import Applied, Attempt, Base


class DuckDBReader:
    """Reads through one connection, for one thread at a time. Closing it gives the file free."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._catalog = catalog.load(connection)

    def __enter__(self) -> DuckDBReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file free; what the log of writes still holds goes into it first."""
        self._connection.close()

    def another(self) -> DuckDBReader:
        """A reader of the same database for another thread, which sees it as it is now until it is closed."""
        connection = self._connection.cursor()
        connection.begin()
        return DuckDBReader(connection)

    def check_owner(self, repository: str) -> None:
        """Raise `NeedsHuman` when the store belongs to another repository than this."""
        state.check_owner(self._connection, repository)

    def owner(self) -> tuple[str, str] | None:
        """The repository and branch that the store belongs to; None before it does."""
        return state.owner(self._connection)

    def applied(self) -> Applied | None:
        """The applied commit."""
        return state.applied(self._connection)

    def attempted(self) -> Attempt | None:
        """The newest attempt."""
        return state.attempted(self._connection)

    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas its tables were made from, by kind."""
        return {name: stored.schema for name, stored in self._catalog.items()}

    def base(self, kinds: Kinds) -> Base:
        """The state at the applied commit. Good until the next step is applied."""
        return DuckDBBase(self._connection, self._catalog, kinds)

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind."""
        counts = (f"(SELECT count(*) FROM {qualified(LIVE, stored.table)})" for stored in self._catalog.values())
        found = fetch_first(self._connection, f"SELECT {', '.join(counts)}") if self._catalog else ()
        return dict(zip(self._catalog, found or (), strict=True))

    def events(self, limit: int) -> tuple[HostEvent, ...]:
        """The newest host events first."""
        return events.newest(self._connection, limit)

    def suspension(self) -> Suspension | None:
        """The suspension that was asked for last, expired or not."""
        return suspending.get(self._connection)

    def identity(self) -> str:
        """The store's id, which a new file or a restored one does not share."""
        return state.identity(self._connection)

    def events_after(self, seq: int, limit: int) -> tuple[HostEvent, ...]:
        """The host events that follow one, the oldest first."""
        return events.after(self._connection, seq, limit)

    def shipped_to(self) -> int:
        """The newest host event that the ledger has; 0 when it has none."""
        return events.shipped_to(self._connection)

    def drift(self, kinds: Kinds, *, leaving: Collection[RowId] = (), limit: int = MOST_TOLD) -> Drifts:
        """Where the live rows, or their tables, are not what git says. `leaving` are left out.

        Raises `NeedsHuman` when the tables of what git says were altered.
        """
        return drift.scan(self._connection, self._catalog, drift.Asked(kinds, leaving, limit))

    def intact(self, kinds: Kinds) -> bool:
        """Whether what the store takes for git's is what was applied."""
        return integrity.is_intact(self._connection, self._catalog, kinds)

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind in order of name, or those that go by a name (what left git may share one) or id.

        A row that something else put there has no name in git: it goes by its id.
        """
        stored = self._catalog.get(kind.name)
        if stored is None:
            return ()
        columns = tuple(column for column in stored.columns if kind.column(column) is not None)
        name_column, path, line = (quoted(stored.declaration(one)) for one in ("name", "path", "line"))
        key = quoted(stored.key)
        known_as = f"coalesce(said.{name_column}, row.{key}::VARCHAR)"
        query = (
            f"SELECT {known_as}, said.{path}, said.{line}, "
            f"{', '.join(f'row.{quoted(column)}' for column in (*columns, *TIMESTAMPS))} "
            f"FROM {qualified(LIVE, stored.table)} AS row "
            f"LEFT JOIN {qualified(DESIRED, stored.table)} AS said ON row.{key} = said.{key} "
            f"{'' if name is None else f'WHERE {known_as} = $1 OR row.{key}::VARCHAR = $1 '}"
            f"ORDER BY {known_as if name is None else f'{known_as} <> $1'}, said.{path} IS NULL, row.{key}"
        )
        records = self._connection.execute(query, [] if name is None else [name]).fetchall()
        return tuple(_live_row(kind, columns, record) for record in records)


def _live_row(kind: Kind, columns: Sequence[str], record: Sequence[Any]) -> LiveRow:
    name, path, line, *values = record
    stamps = zip(TIMESTAMPS, map(canonical.utc, values[len(columns) :]), strict=True)
    return LiveRow(
        kind=kind.name,
        name=name,
        values={**codec.values_of(kind, columns, values[: len(columns)]), **dict(stamps)},
        path=path,
        line=line,
    )
