"""What the core asks of the outside world, and nothing more. Adapters implement these; contract suites test them.

Redis holds sessions and the live view, and is not on the way to the live rows. All of its calls raise `RetryLater` when
the server is out of reach, slow, loading, failing over or out of memory, within a quarter of a second, and `NeedsHuman`
when it refuses who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from reconciler.model.log import Level
from reconciler.model.rows import MAX_REPORTED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Between, Key, Resource, Row, RowId
    from reconciler.model.commit import Applied, Attempt, StoreUpdate, Version
    from reconciler.model.halt import Halts, HaltStep
    from reconciler.model.host import HostEvent, Owner, Suspension
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.keptrules import KeptRules
    from reconciler.model.problem import Policy, Verdict
    from reconciler.model.refusal import Refusal
    from reconciler.model.rollback import Rollback
    from reconciler.model.rows import (
        ActiveDay,
        ChangeCursor,
        DriftFilter,
        Drifts,
        HistoryChange,
        HistoryPoint,
        HistoryRow,
        LiveRow,
        RecordedEvent,
        SideVersion,
        VersionRow,
    )


class Clock(Protocol):
    """The time of day, for what git does not know: when this host did something."""

    def now(self) -> datetime:
        """The present time, aware, in UTC."""


class Log(Protocol):
    """The daemon's log."""

    def event(
        self,
        event: str,
        message: str = "",
        *,
        level: Level = Level.INFO,
        error: BaseException | None = None,
        **fields: Any,
    ) -> None:
        """Log an event: a CamelCase word, a sentence, and fields such as commit or duration_ms."""


class PolicyEngine(Protocol):
    """Runs policies, which read two states and nothing else: no file, network, setting or other run; not for ever."""

    def run(
        self,
        policies: Sequence[Policy],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None = None,
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy, in order, on `main.<table>` (made of `live`) and `desired.<table>`.

        The tables are those of `kinds`; rows of other kinds are left out. With a `step`, an engine that holds one of
        the two states reads only the rows that differ; else it iterates over `live` and `desired`, maybe more than
        once. Never raises for what a policy does.
        """

    def close_idle(self) -> None:
        """Free all memory and stop all processes until the next run."""


class Base(Protocol):
    """The valid state that a store holds, looked up piece by piece so that the cost follows the change."""

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        """The resources that a file declares."""

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        """The resource of this kind and name, if there is one: the state is valid, so there is no second."""

    def row(self, row_id: RowId) -> Row | None:
        """The row with this id, also a tombstone."""

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        """The resources that refer to this kind and name."""

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        """The files that declare any resource of these kinds."""

    def count(self, kind: str) -> int:
        """How many resources of a kind are declared."""

    def rows(self) -> Iterator[Row]:
        """All rows, tombstones included, in no particular order."""


class StoreReader(Protocol):
    """The store as a reader sees it."""

    def owner(self) -> Owner | None:
        """The repository and branch that it belongs to; None before the first reconcile."""

    def applied(self) -> Applied | None:
        """The applied commit; None before the first."""

    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas its tables were made from, by kind."""

    def last_attempt(self) -> Attempt | None:
        """The newest attempt; None before the first."""

    def known_faults(self, program: str) -> Mapping[str, str]:
        """What a version of the program could not judge, and why, by subject."""

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind by name, or those with a name, then an id. `NeedsHuman`: the table was altered."""

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind."""

    def base(self, kinds: Kinds) -> Base:
        """The state at the applied commit, as git has it, whatever halts make of it."""

    def halts(self) -> Halts:
        """The halts that the live rows obey."""

    def failed_halts(self) -> Mapping[str, str]:
        """The kinds whose rows could not be made to obey these, and why."""

    def halts_at(self, moment: datetime) -> HostEvent | None:
        """The newest host event until a time that says which halts stood, as far as the store still has the events."""

    def halted_rows(self) -> Mapping[str, int]:
        """How many live rows halts keep from what git says, by kind."""

    def suspension(self) -> Suspension | None:
        """The last suspension of reconciling, expired or not; None when there is none."""

    def rollback(self) -> Rollback | None:
        """The rollback that this host is under; None without one."""

    def went_live(self, commit: str) -> HostEvent | None:
        """The newest host event, as far as the store still has it, that says that a commit went live."""

    def kept_rules(self, rules_id: str) -> KeptRules | None:
        """The rules of commits that went live, by the id that such an event tells; None where they are not kept."""

    def lacks_past(self) -> bool:
        """Whether it was made anew or brought back, and nobody has asked the ledger what stood on this host before."""

    def identity(self) -> str:
        """A UUID that a store gets when it is created: one that was deleted and made anew, or restored, has another."""

    def events(self, limit: int, before: int | None = None, only: Collection[str] = ()) -> tuple[HostEvent, ...]:
        """The newest host events first, of all or of those before one; with `only`, those of these names."""

    def last_drill(self) -> HostEvent | None:
        """The newest host event of a drill of a halt; None when there is none, or it is gone."""

    def events_after(self, seq: int, limit: int) -> tuple[HostEvent, ...]:
        """The host events after one, the oldest first."""

    def recorded_versions(self, branch: str) -> int:
        """How many versions the ledger was last seen to have of a branch."""

    def last_uploaded_event(self) -> int:
        """The newest host event that the ledger has, together with all before it; 0 when it has none."""

    def live_at(self, moment: datetime) -> LiveInterval | None:
        """The interval of the commit that was live at a time; None when the store does not know."""

    def intervals_of(self, commits: Collection[str]) -> tuple[LiveInterval, ...]:
        """The intervals in which some commits were live, the oldest first."""

    def newest_intervals(self, limit: int, *, off: str | None = None) -> tuple[LiveInterval, ...]:
        """The newest intervals, the newest first; with `off`, only those of other branches than this one."""

    def refusals_of(self, commits: Collection[str]) -> tuple[Refusal, ...]:
        """Why some commits were refused, as far as the store still has the events: the newest of each commit."""

    def refused_since(self, moment: datetime) -> tuple[str, ...]:
        """The commits that were refused since a time, as far as the store still has the events."""

    def intervals_after(self, change: int, limit: int) -> tuple[LiveInterval, ...]:
        """The intervals that began or ended after a change, in the order of their changes."""

    def last_uploaded_interval(self) -> int:
        """The newest change of an interval that the ledger has, together with all before it; 0 when it has none."""

    def drift_events(self, only: DriftFilter) -> tuple[HostEvent, ...]:
        """Host events about drift, and that the store was restored, as far as it still has them, the oldest first."""

    def drift(self, kinds: Kinds, *, leaving: Collection[RowId] = (), limit: int = MAX_REPORTED) -> Drifts:
        """Where the live rows, or their tables, differ from git; all are counted, up to `limit` are reported.

        `kinds` are of the tables; `leaving` are left out, `RowId(kind, "")`: a kind. `NeedsHuman`: git's were altered.
        """


class Store(StoreReader, Protocol):
    """The live rows, for the one process that may write them. Each writing call is one transaction."""

    def bind(self, owner: Owner) -> None:
        """Give the store an owner, whatever it had; another branch or URL than before is a host event."""

    def apply(self, kinds: Kinds, step: StoreUpdate) -> Applied:
        """Advance from the applied commit: tables, touched rows, applied commit and live interval change together."""

    def replace(self, kinds: Kinds, step: StoreUpdate) -> Applied:
        """Replace all state with the given one: for a first commit and for a rewritten history."""

    def obey(self, kinds: Kinds, halts: Halts) -> HaltStep | None:
        """Make the live rows what git says and these halts leave of it; None where they obey them already.

        `kinds` are of the tables; each call tries again those in the way. The live interval ends as `halt-changed`.
        """

    def roll_back(self, kinds: Kinds, step: StoreUpdate, rollback: Rollback) -> Applied:
        """Replace all state, as `replace`, by that of a rollback's target, and keep the rollback in place of any other.

        The interval ends as `rolled-back`, an event too; the next `apply` or `replace` ends it: event `rollback-ended`.
        """

    def end_rollback(self, reason: str, actor: str) -> Rollback | None:
        """End the rollback and return it, no row changes; host event `rollback-ended`. None when there was none."""

    def recall(self, rollback: Rollback | None) -> None:
        """Be under this rollback, or under none, from now on, as the ledger tells; and lack the past no more."""

    def refuse(self, attempt: Attempt, judged: Attempt | None = None) -> None:
        """Record that a commit was refused, and `judged`, which was to go live, where it is another; no row changes."""

    def keep_faults(self, program: str, faults: Mapping[str, str]) -> None:
        """Know these in place of all before, which other versions of the program judge again."""

    def heal(
        self,
        kinds: Kinds,
        *,
        leaving: Collection[RowId] = (),
        checked: datetime | None = None,
        limit: int = MAX_REPORTED,
    ) -> Drifts:
        """Restore up to `limit` drifted rows; event `drift-healed` tells all, and when `checked`. Raises as `drift`."""

    def record_drift(self, kinds: Kinds, *, checked: datetime | None = None) -> Drifts:
        """Record what `drift` finds: host event `drift-found` when it changed, `drift-gone` when it is over."""

    def suspend(self, suspension: Suspension) -> None:
        """Suspend reconciling, replacing any suspension; host event `suspended`."""

    def resume(self, actor: str) -> Suspension | None:
        """End the suspension and return it; host event `resumed`. None when there was none."""

    def expire(self) -> Suspension | None:
        """End and return the suspension if it has expired; host event `suspension-expired`. None when nothing ended."""

    def record_event(self, event: str, detail: Mapping[str, Value]) -> None:
        """Record a host event that changes no row."""

    def mark_uploaded(self, seq: int) -> None:
        """Note that the ledger has the host events up to this one; those older than a week are deleted."""

    def note_recorded_versions(self, branch: str, versions: int) -> None:
        """Note how many versions the ledger has of a branch."""

    def mark_intervals_uploaded(self, change: int) -> None:
        """Note that the ledger has the intervals as they were after this change; none is deleted."""


class VersionFilter(Struct, frozen=True):
    """Which versions to find; a field that is None lets all pass.

    `author` is part of `Name <email>`, `text` of that or of the message, ignoring case, or how a sha begins. `kinds`
    with `name`: commits that changed a resource of one of these kinds with this name or id. `since` and `until` bound
    the committer time, `until` excluded. `after` is the last version of the page before: its time, height and sha.
    """

    author: str | None = None
    text: str | None = None
    kinds: tuple[Kind, ...] | None = None
    name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None
    after: tuple[datetime, int, str] | None = None


class LedgerReader(Protocol):
    """The ledger as a reader sees it, for one repository and branch."""

    def recorded_commits(self, among: Collection[str] | None = None) -> Mapping[str, bool]:
        """The recorded commits that are not orphaned (of some, or all), and whether each is on the mainline.

        Commits are recorded parents first: where one is recorded, all that it reaches are.
        """

    def find_by_sha(self, shas: Collection[str]) -> tuple[VersionRow, ...]:
        """The versions of some commits, orphaned ones included, in no particular order."""

    def mainline_heights(self, shas: Collection[str]) -> Mapping[str, int]:
        """The heights of those of some commits that are on the mainline and not orphaned."""

    def row_counts(self, kinds: Kinds, shas: Collection[str]) -> Mapping[str, int]:
        """The number of row changes of these kinds for each of some commits, 0 included."""

    def events(self, *, limit: int, host: str | None = None) -> tuple[RecordedEvent, ...]:
        """Host events of one host or of all, the newest first."""

    def versions(self, *, limit: int, upto: int | None = None) -> tuple[VersionRow, ...]:
        """The newest versions first: mainline height downwards, side branches after the commit that merged them.

        From the mainline's commit of the height `upto` on, else from the newest.
        """

    def find_versions(self, only: VersionFilter, *, limit: int) -> tuple[VersionRow, ...]:
        """The versions that pass a filter, newest committer time first; orphaned ones only for status `ORPHANED`."""

    def activity(self, since: datetime, refused: Collection[str] = ()) -> tuple[ActiveDay, ...]:
        """The days since a time with commits of the mainline, in order, without what `refused` ones would change."""

    def count_orphans(self) -> int:
        """The number of versions that the branch no longer reaches."""

    def side_versions(self) -> Mapping[str, SideVersion]:
        """All versions that are not on the mainline now, by sha."""

    def live_at(self, host: str, moment: datetime) -> LiveInterval | None:
        """What was live on a host at a time, on any branch; None when the host has not reported it."""

    def intervals_of(self, host: str, commits: Collection[str]) -> tuple[LiveInterval, ...]:
        """The intervals in which some commits were live on a host, on any branch, the oldest first.

        Those from before hosts kept them are made of host events; one that was never ended ends where the next begins.
        """

    def newest_intervals(self, host: str, limit: int, *, off: str | None = None) -> tuple[LiveInterval, ...]:
        """The newest intervals of a host, the newest first; with `off`, only those of other branches than this one."""

    def refusals_of(self, host: str, commits: Collection[str]) -> tuple[Refusal, ...]:
        """Why some commits were refused on a host, on any branch: the newest refusal of each."""

    def refused_since(self, host: str, moment: datetime) -> tuple[str, ...]:
        """The commits that were refused on a host since a time."""

    def last_rollback(self, host: str) -> HostEvent | None:
        """The newest host event of a host about a rollback, or the end of one."""

    def halts_at(self, host: str, moment: datetime) -> HostEvent | None:
        """The newest host event of a host until a time that says which halts stood."""

    def drift_events(self, host: str, only: DriftFilter) -> tuple[HostEvent, ...]:
        """Host events about drift on a host, and that its store was restored, the oldest first."""

    def on_branch(self, branch: str) -> LedgerReader:
        """The same ledger for another branch of the repository; closed with this one."""

    def branches(self, sha: str = "") -> tuple[str, ...]:
        """The recorded branches, or those with a commit whose sha begins so; the one recorded last comes first."""

    def version_at(self, moment: datetime) -> VersionRow | None:
        """The highest commit of the mainline whose committer time is not later than a time."""

    def other_kinds(self, known: Kinds) -> tuple[Kind, ...]:
        """Kinds that no longer exist but have a table here, as far as the table describes them, named by it."""

    def rows_at(self, kind: Kind, point: HistoryPoint, name: str | None = None) -> tuple[HistoryRow, ...]:
        """The rows of a kind at a point, all or those with a name or id, in order of the key column."""

    def count_declared(self, kind: Kind, point: HistoryPoint) -> int:
        """How many resources of a kind git declares at a point."""

    def changed_rows(
        self, kind: Kind, old: HistoryPoint, new: HistoryPoint
    ) -> tuple[tuple[HistoryRow | None, HistoryRow | None], ...]:
        """The rows that differ between two points, as they are at both, in order of the key column."""

    def changes_of(self, kind: Kind, name: str) -> tuple[HistoryChange, ...]:
        """Every change of the resources that ever had a name or id, the highest first, orphaned ones included."""

    def newest_changes(self, kind: Kind, *, limit: int, after: ChangeCursor | None = None) -> tuple[HistoryChange, ...]:
        """Up to `limit` changes of a kind after a cursor, the highest first, and the change before of each row in them.

        Within a commit they are in the order of `ChangeCursor`. Orphaned ones are left out.
        """

    def version(self, sha: str) -> VersionRow | None:
        """One version by its full or abbreviated sha."""


class Ledger(LedgerReader, Protocol):
    """The history, append only. Recording the same version twice leaves one."""

    def prepare(self, kinds: Kinds) -> None:
        """Create the tables of these kinds, or add the columns they lack."""

    def record(self, versions: Sequence[Version]) -> None:
        """Record versions: the kinds' rows first, the versions last, so that each is there in full or not at all."""

    def orphan(self, shas: Collection[str]) -> None:
        """Mark commits that the branch no longer reaches."""

    def record_events(self, host: str, events: Sequence[HostEvent]) -> None:
        """Record host events. Host, store and number identify an event: recording it twice leaves one."""

    def record_intervals(self, host: str, intervals: Sequence[LiveInterval]) -> None:
        """Record live intervals. Host, store and number identify one; of several records the newest change counts."""
