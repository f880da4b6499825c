"""What the core asks of the outside world, and nothing more. Adapters implement these; contract suites test them.

Redis holds sessions and the live view, and is not on the way to the live rows. All of its calls raise `RetryLater` when
the server is out of reach, slow, loading, failing over or out of memory, within a quarter of a second, and `NeedsHuman`
when it refuses who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.model.drift import MAX_REPORTED
from reconciler.model.host import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Key, Resource, Row, RowId
    from reconciler.model.commit import Applied, Attempt, Commit, CommitDelta, FileChange, StoreUpdate, Version
    from reconciler.model.drift import Drifts
    from reconciler.model.host import HostEvent, Suspension
    from reconciler.model.live import (
        CacheState,
        NewSession,
        Session,
        SessionCursor,
        SessionPage,
        ViewMark,
        ViewStep,
        ViewWrite,
    )
    from reconciler.model.problem import Policy, Verdict
    from reconciler.model.rows import (
        ActiveDay,
        ChangeCursor,
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
        """The present moment, aware, in UTC."""
        ...


class Log(Protocol):
    """Where the daemon writes down what happens."""

    def event(
        self,
        event: str,
        message: str = "",
        *,
        level: Level = Level.INFO,
        error: BaseException | None = None,
        **fields: Any,
    ) -> None:
        """Write an event down: a CamelCase word, a sentence, and fields such as commit or duration_ms."""
        ...


class Source(Protocol):
    """A git repository, read only. A revision that does not exist raises `UsageError`."""

    @property
    def repository(self) -> str:
        """What tells this repository from others in the ledger: its origin's URL without credentials, else its path."""
        ...

    def resolve(self, revision: str) -> str | None:
        """The sha of the commit a revision names; None for a branch without commits."""
        ...

    def parents(self, head: str, *, known: str | None = None) -> Mapping[str, tuple[str, ...]]:
        """The parents of every commit reachable from `head` and not from `known`."""
        ...

    def commit(self, sha: str) -> Commit:
        """One commit."""
        ...

    def is_shallow(self) -> bool:
        """Whether history was cut off when this was cloned."""
        ...

    def grep(self, commit: str, folder: str, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Path and text of each line below a folder that matches one of some POSIX extended regular expressions.

        Only `*.yaml` and `*.yml` files are searched, in any case of letters.
        """
        ...

    def height(self, commit: str) -> int:
        """The number of commits on the first-parent chain, the commit itself included: 1 for a root."""
        ...

    def history(self, head: str, *, known: str | None = None) -> Iterator[CommitDelta]:
        """Every commit reachable from `head` and not from `known`, parents before children, as one stream."""
        ...

    def changes(self, old: str | None, new: str) -> tuple[FileChange, ...]:
        """The paths that differ between the trees of two commits; `old` None stands for the empty tree."""
        ...

    def files(self, commit: str, paths: Collection[str]) -> tuple[FileChange, ...]:
        """Those of the given files that the commit's tree has, as they are there."""
        ...

    def paths(self, commit: str) -> tuple[str, ...]:
        """All paths of the commit's tree but those of its folders."""
        ...

    def has_folder(self, commit: str, folder: str) -> bool:
        """Whether the commit's tree has a folder."""
        ...

    def listing(self, commit: str, folder: str) -> tuple[FileChange, ...]:
        """What stands directly in a folder of the commit's tree; nothing when there is no such folder."""
        ...

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of blobs, in the order asked for, as one stream."""
        ...


@dataclass(frozen=True, slots=True)
class Between:
    """What tells two states from all others, and the rows that differ between them.

    `rows` are those of the new state, tombstones of what left it included; None when any row may differ. A state is
    known by the same text only if it has the same rows.
    """

    old: str
    new: str
    rows: Collection[Row] | None


class PolicyEngine(Protocol):
    """Runs policies. They read two states and can do nothing else: no file, no network, no setting, no end to wait for.

    One engine may be asked many times; policies see nothing of what another call was given.
    """

    def run(
        self,
        policies: Sequence[Policy],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None = None,
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy, in order, on `main.<table>` (made of `live`) and `desired.<table>`.

        The tables are those of `kinds`. Rows of other kinds are left out. With a `step`, an engine that has one of the
        two states takes the rows that differ, and does not look at the rest. Otherwise it goes through `live` and
        `desired`, more than once if it has to. Never raises for what a policy does.
        """
        ...

    def close_idle(self) -> None:
        """Let go of all memory and processes until somebody asks again."""
        ...


class Base(Protocol):
    """The valid state that is already in a store, looked up piece by piece so that cost follows the change."""

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        """What a file declares."""
        ...

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        """What goes by this kind and name: one resource or none, as the state is valid."""
        ...

    def row(self, row_id: RowId) -> Row | None:
        """The row with this id, a tombstone too."""
        ...

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        """The resources with a reference to this kind and name."""
        ...

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        """The files that declare any resource of these kinds."""
        ...

    def count(self, kind: str) -> int:
        """How many resources of a kind are declared."""
        ...

    def rows(self) -> Iterator[Row]:
        """Everything, tombstones too, in no particular order: for when all of it is looked at anyhow."""
        ...


class StoreReader(Protocol):
    """What can be asked of the store."""

    def applied(self) -> Applied | None:
        """The applied commit; None before the first."""
        ...

    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas its tables were made from, by kind."""
        ...

    def last_attempt(self) -> Attempt | None:
        """The newest attempt; None before the first."""
        ...

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind in order of name, or those that go by a name, before the one that goes by an id.

        Raises `NeedsHuman` when somebody altered their table so that they cannot be read.
        """
        ...

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind."""
        ...

    def base(self, kinds: Kinds) -> Base:
        """The state at the applied commit."""
        ...

    def suspension(self) -> Suspension | None:
        """The suspension of reconciling that was asked for last, expired or not; None when there is none."""
        ...

    def identity(self) -> str:
        """What tells this store from one that was deleted and made anew, or restored: a UUID."""
        ...

    def events_after(self, seq: int, limit: int) -> tuple[HostEvent, ...]:
        """The host events that follow one, the oldest first."""
        ...

    def last_uploaded_event(self) -> int:
        """The newest host event that the ledger has, and with it all before; 0 when it has none."""
        ...

    def drift(self, kinds: Kinds, *, leaving: Collection[RowId] = (), limit: int = MAX_REPORTED) -> Drifts:
        """Where the live rows, or their tables, are not what git says; all are counted, so many told.

        `kinds` are those of the tables. `leaving` are left out: with `RowId(kind, "")`, all of a kind. Raises
        `NeedsHuman` when what git says was altered, too, so that there is nothing to compare with.
        """
        ...


class Store(StoreReader, Protocol):
    """The live rows, for the one process that may write them. Each writing call is one transaction."""

    def claim(self, repository: str, branch: str) -> None:
        """Bind the store to a repository. Raises `NeedsHuman` when it belongs to another one."""
        ...

    def apply(self, kinds: Kinds, step: StoreUpdate) -> None:
        """Advance from the applied commit: tables migrate, touched rows and the applied commit change together."""
        ...

    def replace(self, kinds: Kinds, step: StoreUpdate) -> None:
        """Become the given state, whatever was there: for a first commit and a rewritten history."""
        ...

    def refuse(self, attempt: Attempt) -> None:
        """Record that a commit was refused; no row changes."""
        ...

    def heal(self, kinds: Kinds, *, leaving: Collection[RowId] = (), limit: int = MAX_REPORTED) -> Drifts:
        """Make the live rows what git says, the first so many that drifted; gives those, and how many there were.

        One host event `drift-healed` says what was found and what was made of it. A table that was altered is made
        anew with all of its rows. Raises like `drift`.
        """
        ...

    def record_drift(self, kinds: Kinds) -> Drifts:
        """What `drift` finds; host event `drift-found` when it is not what it was, `drift-gone` when it is over."""
        ...

    def suspend(self, suspension: Suspension) -> None:
        """Suspend reconciling, in place of a suspension that is there; host event `suspended`."""
        ...

    def resume(self, actor: str) -> Suspension | None:
        """End the suspension, host event `resumed`; gives it, None when there was none."""
        ...

    def expire(self) -> Suspension | None:
        """End the suspension if it has expired, host event `suspension-expired`; gives it, None when nothing ended."""
        ...

    def record_event(self, event: str, detail: Mapping[str, Value]) -> None:
        """Write down as a host event what this host did beside the rows."""
        ...

    def mark_uploaded(self, seq: int) -> None:
        """The ledger has the host events up to this one. Those of them that are older than a week go."""
        ...


@dataclass(frozen=True, slots=True)
class VersionFilter:
    """Which versions are looked for; what is None lets all through.

    `author` is a part of `Name <email>`, in any case. `kinds` with `name`: commits that changed a resource of one of
    these kinds, which went by this name or id. `since` and `until` bound the committer time, `until` excluded.
    `after` is where the versions found so far end: committer time, height and sha of the last of them.
    """

    author: str | None = None
    kinds: tuple[Kind, ...] | None = None
    name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None
    after: tuple[datetime, int, str] | None = None


class LedgerReader(Protocol):
    """What can be asked of the ledger, for one repository and branch."""

    def recorded_commits(self, among: Collection[str] | None = None) -> Mapping[str, bool]:
        """The recorded commits that are not orphaned (of some, or all), and whether each is on the mainline.

        Commits are recorded parents first: where one is recorded, all that it reaches are.
        """
        ...

    def find_by_sha(self, shas: Collection[str]) -> tuple[VersionRow, ...]:
        """The versions of some commits in no particular order, orphaned ones too."""
        ...

    def row_counts(self, kinds: Kinds, shas: Collection[str]) -> Mapping[str, int]:
        """How many changes of rows of these kinds are there for each of some commits; none is left out."""
        ...

    def events(self, *, limit: int, host: str | None = None) -> tuple[RecordedEvent, ...]:
        """The newest host events first, of one host or of all."""
        ...

    def versions(self, *, limit: int, upto: int | None = None) -> tuple[VersionRow, ...]:
        """The newest versions first: mainline height downwards, side branches after the commit that merged them.

        From the mainline's commit of the height `upto` on, else from the newest.
        """
        ...

    def find_versions(self, only: VersionFilter, *, limit: int) -> tuple[VersionRow, ...]:
        """The versions that a filter lets through, newest committer time first; orphaned ones only if asked for."""
        ...

    def activity(self, since: datetime) -> tuple[ActiveDay, ...]:
        """The days since a moment on which anything was committed to the mainline, in order; orphaned commits apart."""
        ...

    def count_orphans(self) -> int:
        """How many versions the branch no longer reaches."""
        ...

    def side_versions(self) -> Mapping[str, SideVersion]:
        """All versions that are not on the mainline now, by their commits."""
        ...

    def live_at(self, host: str, moment: datetime) -> str | None:
        """The commit that was live on a host at a moment; None when the host has not told."""
        ...

    def version_at(self, moment: datetime) -> VersionRow | None:
        """The highest commit of the mainline whose committer time is not after a moment."""
        ...

    def other_kinds(self, known: Kinds) -> tuple[Kind, ...]:
        """What else has a table here: kinds that are no more, as far as the table tells, each by its table's name."""
        ...

    def rows_at(self, kind: Kind, point: HistoryPoint, name: str | None = None) -> tuple[HistoryRow, ...]:
        """Each row of a kind at a point, or those that went by a name or id there, in order of the key column."""
        ...

    def count_declared(self, kind: Kind, point: HistoryPoint) -> int:
        """How many resources of a kind git declares at a point."""
        ...

    def changed_rows(
        self, kind: Kind, old: HistoryPoint, new: HistoryPoint
    ) -> tuple[tuple[HistoryRow | None, HistoryRow | None], ...]:
        """Each row that is another one at two points, as it is at both, in order of the key column."""
        ...

    def changes_of(self, kind: Kind, name: str) -> tuple[HistoryChange, ...]:
        """Every change of the resources that ever went by a name or id, the highest first; orphaned ones too."""
        ...

    def newest_changes(self, kind: Kind, *, limit: int, after: ChangeCursor | None = None) -> tuple[HistoryChange, ...]:
        """The highest changes of a kind first, so many at most, and of each row among them the change before.

        Within a commit by what happened, name and id, as `ChangeCursor` has it; only those that come after a place,
        when one is given. None that is orphaned is among them.
        """
        ...

    def version(self, sha: str) -> VersionRow | None:
        """One version by its full or abbreviated sha."""
        ...


class Ledger(LedgerReader, Protocol):
    """The history, append only. Recording the same version twice leaves one."""

    def prepare(self, kinds: Kinds) -> None:
        """Create the tables of these kinds, or add what columns they lack."""
        ...

    def record(self, versions: Sequence[Version]) -> None:
        """Record versions: the kinds' rows first, the versions last, so that one is there in full or not at all."""
        ...

    def orphan(self, shas: Collection[str]) -> None:
        """Mark commits that the branch no longer reaches."""
        ...

    def record_events(self, host: str, events: Sequence[HostEvent]) -> None:
        """Record what happened on a host. An event is known by host, store and number: twice leaves one."""
        ...


class Sessions(Protocol):
    """Sessions, each call atomic. An idle one is EXPIRED from the first look at it on, and seven days later gone."""

    def create(self, new: NewSession) -> Session | None:
        """Begin a session, active now; None when there is one with this id already."""
        ...

    def get(self, session_id: str) -> Session | None:
        """A session as it is now; None when there is none, or none any more."""
        ...

    def touch(self, session_id: str) -> Session | None:
        """Note that a session is used. One that is EXPIRED stays as it is. None when there is none."""
        ...

    def expire(self, session_id: str) -> Session | None:
        """End a session; nothing changes when it has ended. None when there is none."""
        ...

    def expire_all(self, owner: str) -> int:
        """End all sessions of an owner, at once for whoever looks. Gives how many records this call changed."""
        ...

    def page(self, owner: str, limit: int, after: SessionCursor | None = None) -> SessionPage:
        """Up to so many sessions of an owner, the one used last first.

        One that is used while somebody turns the pages moves to the first of them.
        """
        ...

    def owners(self) -> tuple[str, ...]:
        """The owners who may have active sessions, in no particular order."""
        ...


class Cache(Protocol):
    """The live view, for the one process that writes it. Readers see each row as it was at one commit."""

    def state(self) -> CacheState:
        """What the view holds."""
        ...

    def advance(self, step: ViewStep) -> bool:
        """Take a step; False, and nothing has changed, when the view is not at its base: it has to be rebuilt."""
        ...

    def rebuild(self, writes: Sequence[ViewWrite], to: ViewMark) -> None:
        """Become the given rows, whatever was there."""
        ...

    def keep_within(self, budget: int) -> CacheState:
        """Take no more than so many bytes from now on: what is used least goes first. More room brings nothing back."""
        ...
