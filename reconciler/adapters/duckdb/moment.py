"""Readers of the store as it is at one moment, which find out once what all readers of that moment ask for.

While one process has the store open nobody else writes, and no row changes without a host event: what was found is
right for whoever sees the same newest event. A page that a hundred browsers look at is one query for each change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.adapters.duckdb import catalog, events
from reconciler.adapters.duckdb.altered import live_tables
from reconciler.adapters.duckdb.browsing import Rows
from reconciler.adapters.duckdb.connection import fetch_number
from reconciler.adapters.duckdb.reader import DuckDBReader
from reconciler.tables.duckdb import DESIRED, LIVE, qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb

    from reconciler.adapters.duckdb.browsing import Place
    from reconciler.adapters.duckdb.catalog import Catalog, StoredKind
    from reconciler.kinds.kind import Kind
    from reconciler.model.rows import LiveRow

MOST_ANSWERS, MOST_ROWS = 64, 128
"""Answers that are remembered, and the rows of the longest of them: some megabytes."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the store. `newest` is the number of its newest host event."""

    newest: int
    catalog: Catalog
    _found: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def once(self, question: tuple[Any, ...], ask: Callable[[], T]) -> T:
        """The answer to a question, from whoever asked it first or by asking now. For any thread."""
        if question in self._found:
            found: T = self._found[question]
            return found
        answer = ask()
        if not isinstance(answer, tuple) or len(answer) <= MOST_ROWS:
            if len(self._found) >= MOST_ANSWERS:
                self._found.clear()
            self._found[question] = answer
        return answer


class MomentReader(DuckDBReader):
    """A reader whose transaction has begun, and so sees one moment until it is closed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, moment: Moment) -> None:
        super().__init__(connection, moment.catalog)
        self._moment = moment

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind. What is there is asked first: a query that fails would end the transaction."""
        return self._moment.once(("counts",), self._counts_of_what_is_there)

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind, or those that go by a name."""
        if name is None:
            return super().live(kind)
        return self._moment.once((kind, name), lambda: super(MomentReader, self).live(kind, name))

    def live_after(self, kind: Kind, place: Place | None, limit: int) -> tuple[LiveRow, ...]:
        """So many live rows of a kind after a place, in order of name and id."""
        return self._moment.once((kind, place, limit), lambda: self._page(kind, place, limit))

    def _page(self, kind: Kind, place: Place | None, limit: int) -> tuple[LiveRow, ...]:
        stored = self._catalog.get(kind.name)
        if stored is None or not self._moment.once((kind,), lambda: self._is_paired(stored)):
            return super().live_after(kind, place, limit)
        return Rows(self._connection, kind, stored).paired_after(place, limit)

    def _is_paired(self, stored: StoredKind) -> bool:
        """Whether the live rows are those that git says, in number and id, whatever is in them."""
        key = quoted(stored.key)
        both = f"{qualified(LIVE, stored.table)} AS row FULL JOIN {qualified(DESIRED, stored.table)} AS said"
        alone = f"FROM {both} ON row.{key} = said.{key} WHERE row.{key} IS NULL OR said.{key} IS NULL"
        with live_tables():
            return fetch_number(self._connection, f"SELECT count(*) {alone}") == 0


class Moments:
    """Remembers the last moment that somebody looked at. For any thread."""

    def __init__(self) -> None:
        self._last: Moment | None = None

    def reader(self, connection: duckdb.DuckDBPyConnection) -> MomentReader:
        """A reader through a connection of its own, of the store as it is now."""
        connection.begin()
        newest, last = events.newest_number(connection), self._last  # the transaction sees what is there at this query
        if last is None or last.newest != newest:
            self._last = last = Moment(newest, catalog.load(connection))
        return MomentReader(connection, last)
