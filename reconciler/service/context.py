"""What services answer from: the repository that settings mean, opened stores, the clock and the kinds."""

from __future__ import annotations

import hashlib
import re
from typing import IO, TYPE_CHECKING, NamedTuple

from msgspec import Struct
from platformdirs import user_state_path

from reconciler.errors import NeedsHuman
from reconciler.ledger.connection import CHDB_FOLDER, DUCKDB_FILE, RecordedBranch
from reconciler.ledger.names import name_repository
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.reconcile.branch import BranchChoice, choose_branch
from reconciler.reconcile.ownership import Claimant
from reconciler.settings import EMBEDDED_HISTORY, FILE_HISTORY
from reconciler.status import BranchHead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.daemonfile import Daemon
    from reconciler.adapters.duckdb.backup import Backup
    from reconciler.adapters.duckdb.backup import Restored as StoreRestored
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.adapters.git.repository import GitSource
    from reconciler.adapters.haltfile import HaltFile
    from reconciler.evidence.chain import SignedRoot
    from reconciler.kinds.kind import Kinds
    from reconciler.ledger.connection import Connection
    from reconciler.ledger.ledger import SqlLedger
    from reconciler.model.halt import Halts
    from reconciler.model.host import Owner
    from reconciler.model.live import CompareView
    from reconciler.model.rows import QueryLimits, QueryResult, TableExport
    from reconciler.ports import Clock, LedgerReader, PolicyEngine, Store, StoreReader
    from reconciler.reconcile.branch import FollowedBranch
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.plan import Planner
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.redisports import Sessions as SessionStore
    from reconciler.sessionlayout import SessionLayout
    from reconciler.settings import Settings
    from reconciler.status import Status

    Progress = Callable[[int, int], None]
    OpenLedger = Callable[[Path, RecordedBranch, int], AbstractContextManager[SqlLedger]]


UPLOAD_WAIT = 5.0
"""Seconds that a question to the history waits for versions on their way there."""


class Place(Struct, frozen=True):
    """An open repository, this host's state folder, and the folder the configuration is in.

    `name` is what settings call the repository in the history; empty when they do not.
    """

    source: GitSource
    state: Path
    folder: str
    name: str

    @property
    def claimant(self) -> Claimant:
        """What claims the store of the state folder."""
        return Claimant(self.source, self.repository, self.folder, self.name)

    @property
    def repository(self) -> str:
        """Where the configuration is: `repository//folder`, as two folders are two of them."""
        return f"{self.source.repository}//{self.folder}" if self.folder else self.source.repository


class Target(Place, frozen=True):
    """The same with the branch to follow."""

    branch: str

    def recorded_branch(self, owner: Owner | None, store: str) -> RecordedBranch:
        """The branch as the history names it."""
        if owner is None:
            return RecordedBranch(self.claimant.name_in_history(None), self.branch, store, (self.repository,))
        return recorded_branch(owner, self.branch, store, self.name)


def recorded_branch(owner: Owner, branch: str, store: str, name: str) -> RecordedBranch:
    """A branch of the owner's as the history names it; `name` is what settings call the repository there."""
    former = tuple({owner.url, owner.repository})
    return RecordedBranch(name or name_repository(owner.repository), branch, store, former)


class History(Struct, frozen=True):
    """An open history. `kinds` gives those of the store.

    `resolve` asks git what a tag or branch names, and raises what git has to say. `sql` is None while nothing has
    been recorded. `branch` is the one that the host follows; `open_rows` gives this host's store.
    """

    ledger: LedgerReader
    sql: SqlLedger | None
    kinds: Callable[[], Kinds]
    resolve: Callable[[str], str | None]
    branch: str
    open_rows: Callable[[], AbstractContextManager[StoreReader | None]]


class Heartbeat(NamedTuple):
    """What a thread is doing, how many seconds ago it last reported, and how many it may be silent."""

    thread: str
    doing: str
    age: float
    limit: float

    @property
    def stuck(self) -> bool:
        """Whether it has been silent for too long."""
        return self.age > self.limit


class Readers(Struct, frozen=True):
    """How the parts of a host are opened to look at it. The composition root makes it: it alone knows the drivers.

    `source` opens the repository that the settings name. `reader` gives None where a state folder has no store.
    `ledger` opens the history of a branch in a state folder, with so many whole seconds for which a server may say
    nothing; it is None on a host that keeps none. `engine` gives it as a value of `history.url`, `recorded` whether
    there is anything in one without a server. `halts` gives the file of a state folder with what is halted. `planner`
    gives what plans in the repository, and the head of the branch that is named, or HEAD.

    Whoever opens a store obeys the halts first, and tells the published copy and the live view what that changed.
    """

    source: Callable[[], AbstractContextManager[GitSource]]
    reader: Callable[[Path], DuckDBReader | None]
    ledger: OpenLedger | None
    engine: Callable[[Path], str]
    recorded: Callable[[Path], bool]
    halts: Callable[[Path], HaltFile]
    planner: Callable[[], AbstractContextManager[tuple[Planner, str]]]
    sessions: Callable[[], AbstractContextManager[SessionStore]]
    query: Callable[[Callable[[], AbstractContextManager[DuckDBReader | None]], Kinds, str, QueryLimits], QueryResult]
    write_table: Callable[[TableExport, Iterable[str] | None, Path], None]


class Openers(Readers, frozen=True):
    """The same, and how they are opened to change it.

    `nearby` opens the repository as it is on this machine, with nothing fetched; `fetch` brings a mirror of it up to
    date. `connect_history` opens the engine of any value of `history.url`. `compare_view` is None on a host without a
    live view. `faults` is for whatever judges commits.

    `obey` opens a store and does nothing else; it gives what was not told of the halts, and why. `make_root` makes the
    daily root of the host with a name, if a day is over.
    """

    nearby: Callable[[], AbstractContextManager[GitSource]]
    fetch: Callable[[], None]
    store: Callable[[Path], AbstractContextManager[DuckDBStore]]
    obey: Callable[[Path], tuple[str, ...]]
    make_root: Callable[[str, Store], SignedRoot | None]
    connect_history: Callable[[str, Path], Connection]
    policy_engine: Callable[[], AbstractContextManager[PolicyEngine]]
    compare_view: Callable[[Path], CompareView] | None
    back_up: Callable[[Path], Path]
    restore: Callable[[Path, Path, Claimant], StoreRestored]
    publish: Callable[[Path, DuckDBStore, AppliedStep | None], None]
    faults: FaultFinder


class Context(Struct, frozen=True):
    """A host, opened by one command or shared by the threads of a daemon. All members may be called from any thread.

    `open_rows` gives None before the first sync; `open_own_rows` raises `NeedsHuman` where they are another
    repository's. `open_history` waits up to so many seconds for versions on their way to the history, and raises
    `UsageError` on a host that keeps none. `open_planner` gives the branch beside it. `write_table` writes text lines,
    or Parquet where there are none. `standing_halts` are those of the file, whoever has the store. `spool` opens what
    is written to a temporary file; it and what follows are for a daemon.
    """

    settings: Settings
    name: str
    state: Path
    clock: Clock
    open_bundled: Callable[[], BundledSchemas]
    keeps_history: bool
    open_rows: Callable[[], AbstractContextManager[DuckDBReader | None]]
    open_own_rows: Callable[[], AbstractContextManager[DuckDBReader | None]]
    open_history: Callable[[float], AbstractContextManager[History]]
    open_planner: Callable[[], AbstractContextManager[tuple[Planner, str]]]
    open_sessions: Callable[[], AbstractContextManager[SessionStore]]
    session_layout: Callable[[], SessionLayout]
    query_rows: Callable[[str, QueryLimits], QueryResult]
    write_table: Callable[[TableExport, Iterable[str] | None, Path], None]
    status: Callable[[], Status]
    standing_halts: Callable[[], Halts]
    spool: Callable[[Callable[[Path], None]], IO[bytes]] | None = None
    list_backups: Callable[[], Sequence[Backup]] = tuple
    heartbeats: Callable[[], Sequence[Heartbeat]] = tuple
    ready: Callable[[], bool] = lambda: True
    hold: Callable[[], HostCondition | None] = lambda: None

    @property
    def bundled(self) -> BundledSchemas:
        """The kinds that come with the program."""
        return self.open_bundled()


class Service:
    """Answers questions about the host of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context


HELD, BRANCH, PUBLISHED, HISTORY, DAEMON = "Reconciling", "Branch", "PublishedCopy", "History", "Daemon"
EVIDENCE = "Evidence"
"""What conditions are about: that nothing goes live, the branch that is followed all the same, the copy for readers,
the history that is recorded, the process that has the host, and the daily root."""
STATE_FOLDER = "reconciler"
UNFIT = re.compile(r"[^\w.-]+", re.ASCII)
"""Characters of a repository's name that its state folder is not named with."""


def describe_place(source: GitSource, settings: Settings) -> Place:
    """A repository with the state folder."""
    return Place(source, state_folder(source, settings), settings.path, settings.repository_name)


def describe_target(place: Place, settings: Settings, bound: str | None) -> Target:
    """A place with the branch to follow, on a host that is bound to a branch, or to none.

    Raises `UsageError` when nothing says which one.
    """
    branch = choose_branch(place.source, branch_choice(settings), bound)
    return Target(place.source, place.state, place.folder, place.name, branch)


def branch_choice(settings: Settings) -> BranchChoice:
    """What the settings, and the call that they are for, say of the branch."""
    return BranchChoice(settings.asked_branch, settings.branch, settings.follow_checkout)


def describe_branch(place: Place, followed: FollowedBranch, clock: Clock) -> BranchHead:
    """What is reconciled, and what keeps it from that."""
    conditions = branch_conditions(followed, clock)
    return BranchHead(place.repository, followed.name, followed.head, place.source.is_shallow(), conditions)


def branch_conditions(followed: FollowedBranch, clock: Clock) -> tuple[HostCondition, ...]:
    """What keeps the branch from being reconciled, or should be looked at although it is."""
    if followed.hold is not None:
        hold, stalled = followed.hold, ConditionSeverity.STALLED
        return (HostCondition(HELD, stalled, hold.reason, hold.message, hold.hint, clock.now()),)
    if followed.warning is not None:
        return (HostCondition(BRANCH, ConditionSeverity.WARNING, *followed.warning, since=clock.now()),)
    return ()


def state_folder(source: GitSource, settings: Settings) -> Path:
    """The state folder: as set, else inside a repository in a folder, else where such things are kept."""
    return known_state_folder(settings) or source.git_dir / STATE_FOLDER


def history_engine(settings: Settings, state: Path, has_chdb: Callable[[], bool]) -> str:
    """The history of a state folder, as a value of `history.url`.

    Where nobody set that, it stays in the engine that has it already; a new one is in chDB where that is installed.
    """
    if settings.history_given:
        return settings.history_url
    in_chdb, in_file = _is_there(state / CHDB_FOLDER), _is_there(state / DUCKDB_FILE)
    if in_chdb != in_file:
        return EMBEDDED_HISTORY if in_chdb else FILE_HISTORY
    return EMBEDDED_HISTORY if has_chdb() else FILE_HISTORY


def is_recorded(url: str, state: Path) -> bool:
    """Whether there is a history: one in the state folder is not created by looking."""
    if url == EMBEDDED_HISTORY:
        return _is_there(state / CHDB_FOLDER)
    return url != FILE_HISTORY or _is_there(state / DUCKDB_FILE)


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        message = f"cannot look into the state folder {path.parent}: {error.strerror}"
        raise NeedsHuman(
            message, hint="run reconciler as the user it belongs to, or choose another with --state"
        ) from error
    return True


def known_state_folder(settings: Settings) -> Path | None:
    """The state folder where the settings alone say it: of a repository elsewhere always, of a folder if it is set."""
    return remote_state_folder(settings) if settings.origin.url is not None else settings.state


def remote_state_folder(settings: Settings) -> Path:
    """The state folder for a repository elsewhere: where this system keeps the state of a user's programs."""
    if settings.state is not None:
        return settings.state
    url = (settings.origin.url or "").rstrip("/").removesuffix(".git")
    name = UNFIT.sub("-", re.split(r"[/:]", url)[-1]) or "repository"
    state = user_state_path(STATE_FOLDER, appauthor=False)
    return state / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def describe_silence(daemon: Daemon, clock: Clock) -> HostCondition:
    """A daemon is there, and another process was asked all the same."""
    who, now = f"the daemon (process {daemon.pid})", clock.now()
    stopped = f"{who} is stopped: this is what its files say"
    hangs = f"{who} does not answer: this is what its files say"
    hint = "let it go on, or end it and start it again; `reconciler halt` and `release` work meanwhile"
    if daemon.stopped:
        return HostCondition(DAEMON, ConditionSeverity.STALLED, "Stopped", stopped, hint, now)
    return HostCondition(DAEMON, ConditionSeverity.STALLED, "NotAnswering", hangs, hint, now)
