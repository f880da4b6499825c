"""The live rows in DuckDB, for the one process that writes them. Implements the port `Store`."""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import _duckdb as duckdb

from reconciler.adapters.duckdb import intervals, keptrules, rollbacks, state
from reconciler.adapters.duckdb.connection import (
    CONFIG,
    FILE_NAME,
    StoreConnection,
    is_there,
    open_readable,
    open_writable,
    transaction,
)
from reconciler.adapters.duckdb.drift import DriftScope, altered_tables, heal, scan_drift
from reconciler.adapters.duckdb.folders import after_rows
from reconciler.adapters.duckdb.halts import switch_off_all
from reconciler.adapters.duckdb.memory import (
    APPLIED,
    ATTEMPTED,
    COUNTS,
    CURSORS,
    DRILL,
    FAULTS,
    FOLDERS,
    HALTED,
    HALTS,
    OWNER,
    ROLLBACK,
    RULES,
    SUSPENSION,
    StoreMemory,
)
from reconciler.adapters.duckdb.obeying import HaltUpdate, obey
from reconciler.adapters.duckdb.reader import DuckDBReader, SnapshotCache
from reconciler.adapters.duckdb.remembering import RememberingReader
from reconciler.adapters.duckdb.state import add_event, last_drift_event, mark_events_uploaded, set_suspension
from reconciler.adapters.duckdb.tables import catalog_of, kinds_of, save_catalog
from reconciler.adapters.duckdb.writing import advance, replace_all
from reconciler.adapters.haltfile import HaltFile
from reconciler.adapters.machine import SystemClock
from reconciler.errors import BugError, NeedsHuman, ReconcilerError
from reconciler.kinds.kind import Kinds
from reconciler.model.change import RowId
from reconciler.model.commit import Applied, Attempt
from reconciler.model.host import HostEvent, ownership_events
from reconciler.model.intervals import IntervalEnd
from reconciler.model.refusal import REFUSED, refusal_detail
from reconciler.model.rollback import is_hold
from reconciler.model.rows import DRIFT_HEALED, MAX_REPORTED, TABLE_ITSELF, next_drift_event
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.model.commit import StoreUpdate
    from reconciler.model.halt import Halts, HaltStep
    from reconciler.model.host import Owner, Suspension
    from reconciler.model.rollback import Rollback
    from reconciler.model.rows import Drifts
    from reconciler.ports import Clock

T = TypeVar("T")
MAX_MENDED = 100_000
"""Altered rows that are put right to make way for a step."""


def open_store(folder: Path, clock: Clock, recall: Callable[[], StoreMemory | None] = lambda: None) -> DuckDBStore:
    """Open `state.duckdb` in a state folder for writing, creating both when they are missing.

    `recall` gives what was known of it, if nobody has written to the file; it is asked when nobody else can any more.
    Raises `RetryLater` while another process has it open, `NeedsHuman` when it is damaged, of a newer format or
    not ours. A store of an older format is upgraded, and its rows obey the halts of the folder before anything else.
    """
    connection = open_writable(folder / FILE_NAME)
    try:
        memory = recall()
        if memory is not None and state.position(connection) != memory.position:
            memory = None
        if memory is None:
            state.prepare(connection)
            with suppress(OSError):  # a disk that is full by now is told by whoever writes more
                HaltFile(folder).reserve()
        store = DuckDBStore(connection, clock, memory)
        store.obeyed = obey_file(store, folder)
    except BaseException:
        connection.close()
        raise
    return store


def obey_file(store: DuckDBStore, folder: Path) -> HaltStep | None:
    """Make the rows obey the halts of a state folder; None where they do. Raises `NeedsHuman` where it cannot be read.

    A file that was lost, or is older than what the rows obey, is written anew, as is what was typed for a kind.
    """
    file, obeyed, tables = HaltFile(folder), store.halts(), store.tables()
    written = file.read()
    if written.number < obeyed.number:
        file.change(lambda found: found if found.number >= obeyed.number else obeyed)
        return None
    named = written.named(tables)
    step = store.obey(store.made_under(), named) if named != obeyed or store.failed_halts() else None
    if named != written:
        with suppress(ReconcilerError):  # the next opening tries again
            file.change(lambda found: found.named(tables))
    return step


def open_temporary(clock: Clock) -> DuckDBStore:
    """A new, empty store in memory."""
    connection = StoreConnection(duckdb.connect(config=CONFIG), Path(":memory:"))
    state.prepare(connection)
    return DuckDBStore(connection, clock)


def open_reader(folder: Path, on_obeyed: Callable[..., object] = lambda store, step: None) -> DuckDBReader | None:
    """Open the store in a state folder for reading only; None when there is none yet. Raises like `open_store`.

    A store of an older format is upgraded first, and made to obey the halts of the folder, which `on_obeyed` hears.
    """
    file = folder / FILE_NAME
    if not is_there(file):
        return None
    connection = open_readable(file)
    try:
        version = state.stored_format(connection)
        if version == state.FORMAT_VERSION:
            reader = DuckDBReader(connection)
            if not HaltFile(folder).is_newer(reader.halts()):
                return reader
    except BaseException:
        connection.close()
        raise
    connection.close()
    if version is None:
        return None
    with open_writable(file) as older:
        state.prepare(older)
        store = DuckDBStore(older, SystemClock())
        if (obeyed := obey_file(store, folder)) is not None:
            on_obeyed(store, obeyed)
    return DuckDBReader(open_readable(file))


class DuckDBStore(RememberingReader):
    """Each writing call is one transaction: rows, applied commit and host event change together or not at all."""

    obeyed: HaltStep | None = None
    """What the halts of the state folder changed when it was opened."""

    def __init__(self, connection: StoreConnection, clock: Clock, memory: StoreMemory | None = None) -> None:
        super().__init__(connection, memory)
        self._clock = clock
        self._timeline = memory.timeline if memory else None
        self._moments = SnapshotCache()

    def another(self) -> DuckDBReader:
        """A reader for another thread, which sees the store as it is now until it is closed."""
        connection = self._connection.cursor()
        try:
            return self._moments.reader(connection)
        except BaseException:
            connection.close()
            raise

    def settle(self) -> StoreMemory | None:
        """Put what the log of writes holds into the file, so that closing it changes nothing there any more.

        Gives what whoever opens it next need not ask; None when that failed.
        """
        with suppress(duckdb.Error, ReconcilerError):  # on a full disk: closing tries again, as does the next start
            self._connection.execute("CHECKPOINT")
            position = state.position(self._connection)
            if position is not None:
                return StoreMemory(position, self._catalog, self._known.all(), self._timeline)
        return None

    def __enter__(self) -> DuckDBStore:
        return self

    def tables(self) -> tuple[tuple[str, str], ...]:
        """The names of the kinds that it has tables of, each with its table."""
        return tuple((stored.name, stored.table) for stored in self._catalog.values())

    def made_under(self) -> Kinds:
        """The kinds that the tables were made under."""
        return kinds_of(self._catalog)

    def bind(self, owner: Owner) -> None:
        """Give the store an owner, whatever it had."""
        before = self.owner()
        if owner == before:
            return
        with self._transaction(OWNER):
            now = self._clock.now()
            state.set_owner(self._connection, owner)
            self._timeline = None
            for event, detail in ownership_events(before, owner):
                add_event(self._connection, HostEvent(0, now, event, None, None, 0, detail))

    def apply(self, kinds: Kinds, step: StoreUpdate) -> Applied:
        """Advance from the applied commit. Raises `NeedsHuman` when rows that stay do not fit a changed schema.

        Live tables and rows that somebody altered are put right when they are in the way.
        """
        try:
            return self._advance(kinds, step)
        except BugError:
            if not self._mend_tables():
                raise
            return self._advance(kinds, step)
        except NeedsHuman:
            if not self._mend_rows(kinds):
                raise
            return self._advance(kinds, step)

    def replace(self, kinds: Kinds, step: StoreUpdate) -> Applied:
        """Become the given state, whatever was there."""
        with self._step(kinds, step, "replace") as applied:
            replace_all(self._connection, self._catalog, kinds, step.rows, self.halts())
        return applied

    def roll_back(self, kinds: Kinds, step: StoreUpdate, rollback: Rollback) -> Applied:
        """Become the state of a rollback's target, and keep the rollback."""
        with self._step(kinds, step, "replace", rollback) as applied:
            replace_all(self._connection, self._catalog, kinds, step.rows, self.halts())
        return applied

    def end_rollback(self, reason: str, actor: str) -> Rollback | None:
        """End the rollback; gives it, None when there was none."""
        rollback = self.rollback()
        if rollback is not None:
            with self._transaction(ROLLBACK):
                rollbacks.end_rollback(self._connection, rollback, reason, actor, self._clock.now())
        return rollback

    def recall(self, rollback: Rollback | None) -> None:
        """Be under this rollback, or under none, from now on, as the ledger tells; and lack the past no more."""
        with self._transaction(CURSORS, ROLLBACK):
            rollbacks.set_rollback(self._connection, rollback)
            state.set_cursor(self._connection, state.LACKS_PAST, 0)

    def obey(self, kinds: Kinds, halts: Halts) -> HaltStep | None:
        """Make the live rows what git says and these halts leave of it; None where they obey them already.

        For any thread: the connection is its own.
        """
        with self._lock:
            before, failed, halts = self.halts(), self.failed_halts(), halts.named(kinds.tables)
            if halts == before and not failed:
                return None
            with closing(self._connection.cursor()) as cursor:
                base = state.applied(cursor)
                update = HaltUpdate(self._catalog, kinds, base, before, halts, self._clock.now())
                try:
                    return obey(cursor, update, failed)
                finally:
                    self._timeline = None
                    self._known.forget((APPLIED, COUNTS, HALTED, HALTS))

    def refuse(self, attempt: Attempt, judged: Attempt | None = None) -> None:
        """Record that a commit was refused. Hearing it again about the same commit is no second event."""
        if not attempt.refused:
            raise BugError(f"the attempt at {attempt.stamp.commit} was not refused")
        before = self.last_attempt()
        again = (
            before is not None
            and (before.refused, before.stamp) == (True, attempt.stamp)
            and is_hold(before.problems) == is_hold(attempt.problems)
        )
        with self._transaction(ATTEMPTED):
            state.set_attempted(self._connection, attempt)
            for one in (attempt, judged):
                if one is not None and not again:
                    event = HostEvent(0, attempt.at, REFUSED, one.stamp.commit, None, 0, refusal_detail(one.problems))
                    add_event(self._connection, event)

    def keep_faults(self, program: str, faults: Mapping[str, str]) -> None:
        """Know these in place of all before."""
        with self._transaction(FAULTS):
            state.keep_faults(self._connection, program, faults)

    def heal(
        self,
        kinds: Kinds,
        *,
        leaving: Collection[RowId] = (),
        checked: datetime | None = None,
        limit: int = MAX_REPORTED,
    ) -> Drifts:
        """Make the live rows what git says, but those in `leaving`, at most so many; gives what was put right.

        Raises `NeedsHuman` when what git says was altered, too, or something of somebody's depends on a table.
        """
        with self._transaction(COUNTS):
            off = [RowId(kind, TABLE_ITSELF) for kind in self.failed_halts()]  # and `desired` does not say so
            drifts = scan_drift(self._connection, self._catalog, DriftScope(kinds, (*leaving, *off), limit))
            if drifts.reported:
                heal(self._connection, self._catalog, drifts)
                self._record_drift(DRIFT_HEALED, drifts.detail(checked) | ({"left": True} if leaving else {}))
        return drifts

    def record_drift(self, kinds: Kinds, *, checked: datetime | None = None) -> Drifts:
        """What `drift` finds. That there is some, other than before, or none any more, is written down as an event."""
        with self._transaction():
            scope, failed = DriftScope(kinds, (), MAX_REPORTED), self.failed_halts()
            drifts = scan_drift(self._connection, self._catalog, scope)
            sound = Kinds(tuple(kind for kind in kinds if kind.name not in failed))
            if drifts.total and (off := switch_off_all(self._connection, sound, self._catalog, self.halts())):
                self._record_drift(DRIFT_HEALED, {**drifts.only(off).detail(checked), "left": True})
                drifts = scan_drift(self._connection, self._catalog, scope)
            news = next_drift_event(drifts, last_drift_event(self._connection))
            if news is not None:
                self._record_drift(news, drifts.detail(checked))
        return drifts

    def _advance(self, kinds: Kinds, step: StoreUpdate) -> Applied:
        counts, folders = self._known.of(COUNTS), self._known.of(FOLDERS)
        with self._step(kinds, step, "advance") as applied:
            resized = advance(self._connection, self._catalog, kinds, step.rows, self.halts())
        self._known.note(({} if resized else counts) | after_rows(folders, step.rows))
        return applied

    def _mend_tables(self) -> bool:
        """Whether any live table was altered, and is as it should be now."""
        return self._mend(lambda: altered_tables(self._connection, self._catalog))

    def _mend_rows(self, kinds: Kinds) -> bool:
        """Whether any live row was altered, and is as it should be now: what somebody wrote may not fit new tables."""
        return self._mend(lambda: scan_drift(self._connection, self._catalog, DriftScope(kinds, (), MAX_MENDED)))

    def _mend(self, find: Callable[[], Drifts]) -> bool:
        with self._transaction(COUNTS):
            drifts = find()
            if drifts.reported:
                heal(self._connection, self._catalog, drifts)
                self._record_drift(DRIFT_HEALED, drifts.detail())
        return bool(drifts.reported)

    def _record_drift(self, event: str, detail: Mapping[str, Value]) -> None:
        applied = self.applied()
        commit, digest = (applied.stamp.commit, applied.digest) if applied else (None, None)
        add_event(self._connection, HostEvent(0, self._clock.now(), event, commit, digest, 0, detail))

    def suspend(self, suspension: Suspension) -> None:
        """Suspend reconciling, in place of a suspension that is there."""
        with self._transaction(SUSPENSION):
            set_suspension(self._connection, suspension)
            event = HostEvent(0, self._clock.now(), "suspended", None, None, 0, suspension.detail())
            add_event(self._connection, event)

    def resume(self, actor: str) -> Suspension | None:
        """End the suspension; gives it, None when there was none."""
        return self._end_suspension("resumed", {"resumed_by": actor})

    def expire(self) -> Suspension | None:
        """End the suspension if it has expired; gives it, None when there is none or it still holds."""
        over = (suspension := self.suspension()) is not None and not suspension.holds(self._clock.now())
        return self._end_suspension("suspension-expired", {}) if over else None

    def _end_suspension(self, how: str, more: dict[str, Value]) -> Suspension | None:
        if (suspension := self.suspension()) is None:
            return None
        with self._transaction(SUSPENSION):
            set_suspension(self._connection, None)
            event = HostEvent(0, self._clock.now(), how, None, None, 0, {**suspension.detail(), **more})
            add_event(self._connection, event)
        return suspension

    def record_event(self, event: str, detail: Mapping[str, Value]) -> None:
        """Write down as a host event what this host did beside the rows."""
        with self._transaction(DRILL):
            add_event(self._connection, HostEvent(0, self._clock.now(), event, None, None, 0, detail))

    def mark_uploaded(self, seq: int) -> None:
        """The ledger has the host events up to this one. Those of them that are older than a week go."""
        drill, now = self.last_drill(), self._clock.now()
        gone = () if drill is None or drill.at >= now - state.EVENTS_KEPT else (DRILL,)
        with self._transaction(CURSORS, *gone):
            mark_events_uploaded(self._connection, seq, now)

    def note_recorded_versions(self, branch: str, versions: int) -> None:
        """Note how many versions the ledger has of a branch."""
        with self._transaction(CURSORS):
            state.set_cursor(self._connection, f"{state.RECORDED_CURSOR} {branch}", versions)

    def mark_intervals_uploaded(self, change: int) -> None:
        """The ledger has the intervals as they were after this change."""
        with self._transaction(CURSORS):
            state.move_cursor(self._connection, intervals.INTERVAL_CURSOR, change)

    @contextmanager
    def _transaction(self, *changed: str) -> Iterator[None]:
        """`changed` is what of all that is remembered is written."""
        with self._lock:
            self._known.forget(changed)
            try:
                with transaction(self._connection):
                    yield
            except BaseException:
                self._known.clear()
                raise
            self._known.forget(changed)

    @contextmanager
    def _step(self, kinds: Kinds, step: StoreUpdate, how: str, rollback: Rollback | None = None) -> Iterator[Applied]:
        """What a step writes beside the rows; with the rollback that it is of, which else is over now."""
        began = perf_counter()
        now, stamp, known = self._clock.now(), step.commit.stamp, catalog_of(kinds)
        halts = self.halts().digest_without(self.failed_halts())
        event = HostEvent(0, now, "applied", stamp.commit, step.digest, 0, step.detail(how))
        applied = Applied(stamp, step.height, step.digest, now, halts, step.rebuilt, step.rules_id)
        over = self.rollback()
        ended = IntervalEnd.ROLLED_BACK if rollback else None
        kept = (HALTED,) if self.halts().standing else ()  # without halts none is kept from what git says
        known_rules = self._known.get((RULES,), lambda: keptrules.kept_ids(self._connection))
        rules = step.rules.read() if step.rules and step.rules.id not in known_rules else None
        with self._transaction(APPLIED, ATTEMPTED, COUNTS, FOLDERS, ROLLBACK, *kept, *((RULES,) if rules else ())):
            yield applied
            if rules:
                keptrules.keep_rules(self._connection, rules)
            if known != self._catalog:
                save_catalog(self._connection, known)
            state.set_applied(self._connection, applied, step.warnings)
            attempt = state.set_attempted(self._connection, Attempt(stamp, now, refused=False, problems=step.warnings))
            timeline = self._timeline or intervals.read_timeline(self._connection)
            self._timeline = None
            timeline = intervals.begin_interval(
                self._connection, timeline, stamp.commit, applied.live_digest, now, ended=ended
            )
            elapsed = (perf_counter() - began) * 1000
            add_event(self._connection, replace(event, duration_ms=elapsed), timeline.store)
            if rollback or over:
                rollbacks.follow_step(self._connection, over, rollback, applied)
        self._catalog, self._timeline = known, timeline
        self._known.note({(APPLIED,): applied, (ATTEMPTED,): attempt} | ({} if rollback else {(ROLLBACK,): None}))
