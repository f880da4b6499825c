"""Whose history a ledger keeps, and what it asks of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.tables.clickhouse import ColumnChange, Table


CHDB_FOLDER, DUCKDB_FILE = "history", "history.duckdb"
"""In the state folder: where the engines keep a history that need no server."""


class ProbeAnswer(NamedTuple):
    """What an engine says of itself. `now` is its time, in UTC; `place` is where it is, in words."""

    place: str
    version: str
    now: datetime


class RecordedBranch(Struct, frozen=True):
    """A repository and branch by their names in the history.

    `store` is the id of the host's store, through whose eyes the history is seen; empty where there is none. `former`
    are what else the repository may have been called in it.
    """

    repository: str
    branch: str
    store: str = ""
    former: tuple[str, ...] = ()


class Connection(Protocol):
    """An open engine. `place` says in messages where it is; `database` is the one everything happens in.

    `drift_of_kind` is an expression in the engine's words, for which the others have none: `DRIFT_EVENTS` has it.

    Columns have ClickHouse's types, in every engine. All calls raise `RetryLater` while the engine cannot answer, and
    `NeedsHuman` when it will not.
    """

    place: str
    database: str
    drift_of_kind: str

    def close(self) -> None:
        """Give the engine's files or the server's connections free."""

    def ask(self, query: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a SELECT; `{name:Type}` in it is bound to the parameter of that name, or the database's."""

    def ask_named(self, query: str, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """The rows of a SELECT by column."""

    def blocks(self, query: str, **parameters: object) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows of a SELECT a block at a time: all of them may be more than there is memory for."""

    def catalog(self) -> Iterable[tuple[str, str, str, str]]:
        """Table, column and type of each column there is, and the comment on the table of versions."""

    def make_database(self) -> None:
        """Create the database if it is missing."""

    def create(self, table: Table) -> None:
        """Create a table if it is missing."""

    def comment(self, table: Table) -> None:
        """Give a table that exists its comment."""

    def alter(self, table: str, change: ColumnChange) -> None:
        """Add a column to a table, or give it a wider type."""

    def drop(self, table: str) -> None:
        """Remove a table."""

    def insert(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows; of several with one key the last counts, or the one with the highest version."""

    def copy_rows(self, table: Table, column: str, old: str, new: str) -> None:
        """Insert the rows with one value in a column once more with another one, in the order of the key."""
