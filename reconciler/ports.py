"""What the core asks of the outside world, and nothing more. Adapters implement these; contract suites test them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind
    from reconciler.kinds.registry import Kinds
    from reconciler.model.change import Row, Stamp
    from reconciler.model.commit import Commit, CommitDelta, FileChange, Version
    from reconciler.model.policy import Policy, Verdict
    from reconciler.model.problem import Problem
    from reconciler.model.resource import Key, Resource, RowId


class Clock(Protocol):
    """The time of day, for what git does not know: when this host did something."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
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


class PolicyEngine(Protocol):
    """Runs policies. They read two states and can do nothing else: no file, no network, no setting, no end to wait for.

    One engine may be asked many times; what one call was given is gone by the next.
    """

    def run(
        self, policies: Sequence[Policy], kinds: Kinds, live: Iterable[Row], desired: Iterable[Row]
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy, in order, on `main.<table>` (made of `live`) and `desired.<table>`.

        The tables are those of `kinds`. Rows of other kinds are left out. Never raises for what a policy does.
        """
        ...


class Base(Protocol):
    """The valid state that is already in a store, looked up piece by piece so that cost follows the change."""

    def in_file(self, path: str) -> tuple[Resource, ...]:
        """What a file declares."""
        ...

    def named(self, key: Key) -> tuple[Resource, ...]:
        """What goes by this kind and name: one resource or none, as the state is valid."""
        ...

    def row(self, row_id: RowId) -> Row | None:
        """The row with this id, a tombstone too."""
        ...

    def referring(self, key: Key) -> tuple[Resource, ...]:
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


@dataclass(frozen=True, slots=True)
class Applied:
    """The commit whose state the live rows are."""

    stamp: Stamp
    height: int
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """The newest commit that was looked at. `problems` is why it was refused; none of them an error when applied."""

    stamp: Stamp
    at: datetime
    refused: bool
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """What would have been refused and was let through: the codes of its problems, and who or what approved them."""

    by: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Application:
    """One commit's step for the store: every row that was touched since the applied commit, tombstones included.

    Rows that only moved in the tree are among them. `counts` is what the plan says: creates, updates, deletes.
    """

    commit: Commit
    height: int
    digest: str
    rows: tuple[Row, ...]
    warnings: tuple[Problem, ...]
    creates: int
    updates: int
    deletes: int
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A live row as consumers see it, and where git declares it (`path` None for what left git)."""

    kind: str
    name: str
    values: Mapping[str, Any]
    path: str | None
    line: int | None


class StoreReader(Protocol):
    """What can be asked of the store."""

    def applied(self) -> Applied | None:
        """The applied commit; None before the first."""
        ...

    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas its tables were made from, by kind."""
        ...

    def attempted(self) -> Attempt | None:
        """The newest attempt; None before the first."""
        ...

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind in order of name, or the one that goes by a name."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind."""
        ...

    def base(self, kinds: Kinds) -> Base:
        """The state at the applied commit."""
        ...


class Store(StoreReader, Protocol):
    """The live rows, for the one process that may write them. Each writing call is one transaction."""

    def claim(self, repository: str, branch: str) -> None:
        """Bind the store to a repository. Raises `NeedsHuman` when it belongs to another one."""
        ...

    def apply(self, kinds: Kinds, step: Application) -> None:
        """Advance from the applied commit: tables migrate, touched rows and the applied commit change together."""
        ...

    def replace(self, kinds: Kinds, step: Application) -> None:
        """Become the given state, whatever was there: for a first commit and a rewritten history."""
        ...

    def refuse(self, attempt: Attempt) -> None:
        """Record that a commit was refused; no row changes."""
        ...


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as it is read back from the ledger."""

    commit: Commit
    height: int
    mainline: bool
    status: str
    problems: tuple[Problem, ...]
    creates: int
    updates: int
    deletes: int
    digest: str
    orphaned: bool
    recorded_at: datetime


class LedgerReader(Protocol):
    """What can be asked of the ledger, for one repository and branch."""

    def versions(self, *, limit: int) -> tuple[VersionRow, ...]:
        """The newest versions first: mainline height downwards, side branches after the commit that merged them."""
        ...

    def version(self, sha: str) -> VersionRow | None:
        """One version by its full or abbreviated sha."""
        ...

    def state_at(self, kind: Kind, height: int) -> tuple[Mapping[str, Value], ...]:
        """Each row of a kind as of a mainline height, in order of the key column: its newest version up to there.

        A mapping holds `op` (of that version) and the columns of the desired table, with the projection of
        `tables.rows`: a row that left git is there with op `delete`.
        """
        ...


class Ledger(LedgerReader, Protocol):
    """The history, append only. Recording the same version twice leaves one."""

    def prepare(self, kinds: Kinds) -> None:
        """Create the tables of these kinds, or add what columns they lack."""
        ...

    def recorded(self, among: Collection[str] | None = None) -> Mapping[str, bool]:
        """The recorded commits that are not orphaned (of some, or all), and whether each is on the mainline.

        Commits are recorded parents first: where one is recorded, all that it reaches are.
        """
        ...

    def record(self, versions: Sequence[Version]) -> None:
        """Record versions: the kinds' rows first, the versions last, so that one is there in full or not at all."""
        ...

    def orphan(self, shas: Collection[str]) -> None:
        """Mark commits that the branch no longer reaches."""
        ...
