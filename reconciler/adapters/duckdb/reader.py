"""What can be asked of the store without the right to write. Implements the port `StoreReader`.

Readers of the store as it is at one moment find out once what all readers of that moment ask for. While one process
has the store open nobody else writes, and no row changes without a host event: what was found is right for whoever
sees the same newest event. A page that a hundred browsers look at is one query for each change.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import _duckdb as duckdb

from reconciler.adapters.duckdb import intervals, keptrules, rollbacks, state
from reconciler.adapters.duckdb.base import DuckDBBase
from reconciler.adapters.duckdb.connection import fetch_first, fetch_number, reading_live_tables
from reconciler.adapters.duckdb.drift import DriftScope, scan_drift
from reconciler.adapters.duckdb.folders import FolderKinds
from reconciler.adapters.duckdb.halts import count_halted, read_failed, read_halts, read_said
from reconciler.adapters.duckdb.rows import Rows, copy_for_query, declared_sum, declared_table, export_rows
from reconciler.adapters.duckdb.selecting import SelectedRows
from reconciler.adapters.duckdb.state import (
    events_after,
    newest_event_number,
    newest_events,
    suspension,
)
from reconciler.adapters.duckdb.tables import load_catalog, parts_of, read_structure
from reconciler.model.halt import DRILLED
from reconciler.model.refusal import Refusal
from reconciler.model.rows import MAX_REPORTED, TableExport
from reconciler.tables.duckdb import DESIRED, LIVE, qualify, quote
from reconciler.tables.rows import export_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.rows import RowPlace, TableSum
    from reconciler.adapters.duckdb.selecting import SortedPlace
    from reconciler.adapters.duckdb.tables import Catalog, StoredKind
    from reconciler.adapters.sandbox.protocol import FillTable
    from reconciler.evidence.chain import Span
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import RowId
    from reconciler.model.commit import Applied, Attempt
    from reconciler.model.halt import Halts
    from reconciler.model.host import HostEvent, Owner, Suspension
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.keptrules import KeptRules
    from reconciler.model.rollback import Rollback
    from reconciler.model.rows import DriftFilter, Drifts, LiveRow, Search, Tally
    from reconciler.model.selection import Selection
    from reconciler.ports import Base


class DuckDBReader:
    """Reads through one connection, for one thread at a time. Closing it gives the file free."""

    def __init__(self, connection: StoreConnection, tables: Catalog | None = None) -> None:
        self._connection = connection
        self._catalog = load_catalog(connection) if tables is None else tables

    def __enter__(self) -> DuckDBReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file free; what the log of writes still holds goes into it first."""
        self._connection.close()

    def owner(self) -> Owner | None:
        """The repository and branch that the store belongs to; None before it does."""
        return state.owner(self._connection)

    def applied(self) -> Applied | None:
        """The applied commit."""
        return state.applied(self._connection)

    def last_attempt(self) -> Attempt | None:
        """The newest attempt."""
        return state.attempted(self._connection)

    def known_faults(self, program: str) -> Mapping[str, str]:
        """What a version of the program could not judge, and why, by subject."""
        return state.known_faults(self._connection, program)

    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas its tables were made from, by kind."""
        return {name: stored.schema for name, stored in self._catalog.items()}

    def base(self, kinds: Kinds) -> Base:
        """The state at the applied commit. Good until the next step is applied."""
        return DuckDBBase(self._connection, self._catalog, kinds, lambda: bool(self.halts().standing), self.folders)

    def folders(self) -> FolderKinds:
        """Which kinds the files of each folder may declare. To find it out takes longer than to look for one file."""
        return FolderKinds(None)

    def halts(self) -> Halts:
        """The halts that the live rows obey."""
        return read_halts(self._connection)

    def failed_halts(self) -> Mapping[str, str]:
        """The kinds whose tables do not take these halts, and why."""
        return read_failed(self._connection)

    def halts_at(self, moment: datetime) -> HostEvent | None:
        """The newest host event until a moment that says which halts stood; None where the store has none."""
        return next(iter(state.halts_at(self._connection, moment)), None)

    def halted_rows(self) -> Mapping[str, int]:
        """How many live rows halts keep from what git says, by kind."""
        return count_halted(self._connection)

    def said_by_git(self, kind: Kind, rows: Sequence[LiveRow]) -> Mapping[str, Mapping[str, Any]]:
        """What git says of the fields that a halt made something else, of each of some rows where one did, by id."""
        if not self.halts().standing:
            return {}
        live = {str(row.values[kind.key]): row.values for row in rows}
        said = read_said(self._connection, kind, list(live))
        others = {
            row: {name: value for name, value in fields.items() if value != live[row].get(name)}
            for row, fields in said.items()
        }
        return {row: fields for row, fields in others.items() if fields}

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind; of a kind whose table somebody dropped there are none."""
        try:
            return self._counts(self._catalog.values())
        except duckdb.CatalogException:
            return self._counts_of_what_is_there()

    def _counts_of_what_is_there(self) -> dict[str, int]:
        there = read_structure(self._connection)
        left = [stored for stored in self._catalog.values() if parts_of(there, LIVE, stored)]
        return dict.fromkeys(self._catalog, 0) | self._counts(left)

    def _counts(self, kinds: Collection[StoredKind]) -> dict[str, int]:
        counts = (f"(SELECT count(*) FROM {qualify(LIVE, stored.table)})" for stored in kinds)
        numbers = fetch_first(self._connection, f"SELECT {', '.join(counts)}") if kinds else ()
        return dict(zip((stored.name for stored in kinds), numbers or (), strict=True))

    def events(self, limit: int, before: int | None = None, only: Collection[str] = ()) -> tuple[HostEvent, ...]:
        """The newest host events first, of all or of those before one; with `only`, those of these names."""
        return newest_events(self._connection, limit, before, only)

    def last_drill(self) -> HostEvent | None:
        """The newest host event of a drill."""
        return next(iter(self.events(1, only=(DRILLED,))), None)

    def event_names(self) -> tuple[str, ...]:
        """The names of the host events that there are."""
        return state.event_names(self._connection)

    def suspension(self) -> Suspension | None:
        """The suspension that was asked for last, expired or not."""
        return suspension(self._connection)

    def rollback(self) -> Rollback | None:
        """The rollback that this host is under."""
        return rollbacks.rollback(self._connection)

    def went_live(self, commit: str) -> HostEvent | None:
        """The newest host event, as far as the store still has it, that says that a commit went live."""
        return state.newest_of_commit(self._connection, "applied", commit)

    def kept_rules(self, rules_id: str) -> KeptRules | None:
        """Rules of this id; None where they are not kept."""
        return keptrules.find_rules(self._connection, rules_id)

    def identity(self) -> str:
        """The store's id, which a new file or a restored one does not share."""
        return state.identity(self._connection)

    def events_after(self, seq: int, limit: int) -> tuple[HostEvent, ...]:
        """The host events that follow one, the oldest first."""
        return events_after(self._connection, seq, limit)

    def events_in(self, span: Span) -> tuple[HostEvent, ...]:
        """The host events of a span of the chain, in order."""
        return state.events_in(self._connection, span)

    def intervals_in(self, span: Span) -> tuple[LiveInterval, ...]:
        """The intervals that began or ended within a span of the chain."""
        return intervals.intervals_in(self._connection, span)

    def recorded_numbers(self) -> tuple[Span, ...]:
        """From which to which number it has events and intervals, by the store that gave them."""
        return state.recorded_numbers(self._connection)

    def recorded_versions(self, branch: str) -> int:
        """How many versions the ledger was last seen to have of a branch."""
        return state.cursor(self._connection, f"{state.RECORDED_CURSOR} {branch}")

    def last_uploaded_event(self) -> int:
        """The newest host event that the ledger has; 0 when it has none."""
        return state.cursor(self._connection, state.EVENT_CURSOR)

    def lacks_past(self) -> bool:
        """Whether the ledger has yet to tell what stood on this host before."""
        return state.cursor(self._connection, state.LACKS_PAST) > 0

    def live_at(self, moment: datetime) -> LiveInterval | None:
        """What was live at a moment; None when this store does not know."""
        return intervals.interval_at(self._connection, moment)

    def intervals_of(self, commits: Collection[str]) -> tuple[LiveInterval, ...]:
        """From when to when some commits were live, the oldest first."""
        return intervals.intervals_of(self._connection, commits)

    def newest_intervals(self, limit: int, *, off: str | None = None) -> tuple[LiveInterval, ...]:
        """The newest intervals, of all branches or of all but one, the newest first."""
        return intervals.newest_intervals(self._connection, limit, off)

    def refusals_of(self, commits: Collection[str]) -> tuple[Refusal, ...]:
        """Why some commits were refused, as far as the store still has the events: the newest of each."""
        return tuple(map(Refusal.of_event, state.newest_refusals(self._connection, commits)))

    def refused_since(self, moment: datetime) -> tuple[str, ...]:
        """The commits that were refused since a time, as far as the store still has the events."""
        return state.refused_since(self._connection, moment)

    def drift_events(self, only: DriftFilter) -> tuple[HostEvent, ...]:
        """Host events about drift, as far as the store still has them, the oldest first."""
        return state.drift_events(self._connection, only)

    def intervals_after(self, change: int, limit: int) -> tuple[LiveInterval, ...]:
        """The intervals that began or ended after a change, in the order of their changes."""
        return intervals.intervals_after(self._connection, change, limit)

    def last_uploaded_interval(self) -> int:
        """The newest change of an interval that the ledger has; 0 when it has none."""
        return state.cursor(self._connection, intervals.INTERVAL_CURSOR)

    def drift(self, kinds: Kinds, *, leaving: Collection[RowId] = (), limit: int = MAX_REPORTED) -> Drifts:
        """Where the live rows, or their tables, are not what git says. `leaving` are left out.

        Raises `NeedsHuman` when the tables of what git says were altered.
        """
        return scan_drift(self._connection, self._catalog, DriftScope(kinds, leaving, limit))

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind in order of name, or those that go by a name (what left git may share one) or id.

        A row that something else put there has no name in git: it goes by its id.
        """
        stored = self._catalog.get(kind.name)
        if stored is None:
            return ()
        rows = Rows(self._connection, kind, stored)
        return rows.all() if name is None else rows.called(name)

    def copies(self, sql: str) -> Iterator[FillTable]:
        """The tables, and the rows of those that a query names, for a query in the sandbox."""
        return copy_for_query(self._connection, sql)

    def export(self, kind: Kind) -> TableExport:
        """The live rows of a kind for a file. To be read before anything else is asked."""
        stored = self._catalog.get(kind.name)
        if stored is None:
            return TableExport(kind.table, export_columns(kind), ())
        return export_rows(self._connection, kind, stored)

    def declared_tables(self) -> Iterator[TableExport]:
        """The live tables as git says they are, each to be read before the next."""
        return (declared_table(self._connection, stored) for stored in self._catalog.values())

    def declared_sums(self) -> Mapping[str, TableSum]:
        """What each of these tables holds."""
        return {stored.table: declared_sum(self._connection, stored) for stored in self._catalog.values()}

    def live_after(self, kind: Kind, place: RowPlace | None, limit: int) -> tuple[LiveRow, ...]:
        """So many live rows of a kind after a place, in order of name and id."""
        stored = self._catalog.get(kind.name)
        return () if stored is None else Rows(self._connection, kind, stored).after(place, limit)

    def selected(
        self, kind: Kind, selection: Selection, place: SortedPlace | None, limit: int | None
    ) -> tuple[LiveRow, ...]:
        """The live rows of a kind that a selection wants, so many after a place, or all."""
        if kind.name not in self._catalog:
            return ()
        return SelectedRows(self._connection, kind, self._catalog, selection).read(place, limit)

    def tally(self, kind: Kind, role: str | None = None) -> tuple[Tally, ...]:
        """How many live rows of a kind there are, and are switched on, in all or by what they name in a role."""
        stored = self._catalog.get(kind.name)
        return () if stored is None else Rows(self._connection, kind, stored).tally(role)

    def found(self, kind: Kind, search: Search) -> tuple[int, tuple[LiveRow, ...]]:
        """How many live rows of a kind a search finds, and those of them that it asks for, in order of name."""
        stored = self._catalog.get(kind.name)
        return (0, ()) if stored is None else Rows(self._connection, kind, stored).found(search)


MAX_ANSWERS, MAX_ROWS = 128, 128
"""Answers that are remembered, and the rows of the longest of them."""
MAX_REMEMBERED = 4_096
"""Rows in all of them: some megabytes."""
T = TypeVar("T")
UNKNOWN = object()


class StoreSnapshot:
    """A state of the store. `newest` is the number of its newest host event. For any thread."""

    def __init__(self, newest: int, catalog: Catalog) -> None:
        self.newest, self.catalog = newest, catalog
        self._lock = threading.Lock()
        self._found: dict[tuple[Any, ...], Any] = {}
        self._asking: dict[tuple[Any, ...], threading.Lock] = {}
        self._rows = 0

    def once(self, question: tuple[Any, ...], ask: Callable[[], T]) -> T:
        """The answer to a question, from whoever asked it first or by asking now. Who asks meanwhile waits for it."""
        with self._lock:
            if question not in self._found:
                asking = self._asking.setdefault(question, threading.Lock())
            else:
                return cast("T", self._found[question])
        with asking:
            with self._lock:
                known = self._found.get(question, UNKNOWN)
            if known is not UNKNOWN:
                return cast("T", known)
            try:
                answer = ask()
                self._remember(question, answer)
            finally:
                with self._lock:
                    self._asking.pop(question, None)
        return answer

    def _remember(self, question: tuple[Any, ...], answer: Any) -> None:
        """Keep an answer, in place of the oldest ones where there is no room."""
        rows = _count_rows(answer)
        if rows > MAX_ROWS:
            return
        with self._lock:
            while self._found and (len(self._found) >= MAX_ANSWERS or self._rows + rows > MAX_REMEMBERED):
                self._rows -= _count_rows(self._found.pop(next(iter(self._found))))
            self._found[question] = answer
            self._rows += rows


def _count_rows(answer: Any) -> int:
    """The rows of an answer, or of the list in one."""
    if not isinstance(answer, tuple):
        return 1
    return sum(len(one) if isinstance(one, tuple) else 1 for one in answer)


class SnapshotReader(DuckDBReader):
    """A reader whose transaction has begun, and so sees one moment until it is closed."""

    def __init__(self, connection: StoreConnection, moment: StoreSnapshot) -> None:
        super().__init__(connection, moment.catalog)
        self._moment = moment

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind. What is there is asked first: a query that fails would end the transaction."""
        return self._moment.once(("counts",), self._counts_of_what_is_there)

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind, or those that go by a name."""
        if name is None:
            return super().live(kind)
        return self._moment.once((kind, name), lambda: super(SnapshotReader, self).live(kind, name))

    def live_after(self, kind: Kind, place: RowPlace | None, limit: int) -> tuple[LiveRow, ...]:
        """So many live rows of a kind after a place, in order of name and id."""
        return self._moment.once((kind, place, limit), lambda: self._page(kind, place, limit))

    def selected(
        self, kind: Kind, selection: Selection, place: SortedPlace | None, limit: int | None
    ) -> tuple[LiveRow, ...]:
        """The live rows of a kind that a selection wants."""
        ask = partial(super().selected, kind, selection, place, limit)
        return self._moment.once((kind, selection, place, limit), ask)

    def tally(self, kind: Kind, role: str | None = None) -> tuple[Tally, ...]:
        """How many live rows of a kind there are, and are switched on."""
        return self._moment.once(("tally", kind, role), partial(super().tally, kind, role))

    def found(self, kind: Kind, search: Search) -> tuple[int, tuple[LiveRow, ...]]:
        """How many live rows of a kind a search finds, and those of them that it asks for."""
        equals = tuple(sorted(search.equals.items()))
        asked = (search.text, equals, search.offset, search.limit, search.sort, search.descending)
        return self._moment.once(("found", kind, *asked), partial(super().found, kind, search))

    def _page(self, kind: Kind, place: RowPlace | None, limit: int) -> tuple[LiveRow, ...]:
        stored = self._catalog.get(kind.name)
        if stored is None or not self._moment.once((kind,), lambda: self._is_paired(stored)):
            return super().live_after(kind, place, limit)
        return Rows(self._connection, kind, stored).paired_after(place, limit)

    def _is_paired(self, stored: StoredKind) -> bool:
        """Whether the live rows are those that git says, in number and id, whatever is in them."""
        key = quote(stored.key)
        both = f"{qualify(LIVE, stored.table)} AS row FULL JOIN {qualify(DESIRED, stored.table)} AS said"
        alone = f"FROM {both} ON row.{key} = said.{key} WHERE row.{key} IS NULL OR said.{key} IS NULL"
        with reading_live_tables():
            return fetch_number(self._connection, f"SELECT count(*) {alone}") == 0


class SnapshotCache:
    """Remembers the last moment that somebody looked at. For any thread."""

    def __init__(self) -> None:
        self._last: StoreSnapshot | None = None

    def reader(self, connection: StoreConnection) -> SnapshotReader:
        """A reader through a connection of its own, of the store as it is now."""
        connection.begin()
        newest, last = newest_event_number(connection), self._last  # the transaction sees what is there at this query
        if last is None or last.newest != newest:
            self._last = last = StoreSnapshot(newest, load_catalog(connection))
        return SnapshotReader(connection, last)
