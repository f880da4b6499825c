"""Verifying both projections: every version and every live row is held against a fresh walk through git."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler import canonical
from reconciler.errors import NeedsHuman, UsageError
from reconciler.kinds.kind import TIMESTAMPS, Kinds, SqlType
from reconciler.model.commit import Status
from reconciler.reconcile.walk import Origin, replay
from reconciler.tables.rows import declaration_columns, desired_values, is_live, live_values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied, Version
    from reconciler.model.history import VersionRow
    from reconciler.ports import LedgerReader, Source, StoreReader
    from reconciler.reconcile.processor import Position, Stepper
    from reconciler.reconcile.walk import Step

    RowsById = Mapping[str, Row]

    Progress = Callable[[int, int], None]


MOST_TOLD: Final = 20
"""Differences of a sort that are told; all are counted."""
MOST_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One difference: what it is about, and what is wrong with it."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Difference:
    """All differences of one sort: how many, and the first of them."""

    sort: str
    count: int
    examples: tuple[Example, ...]


class Differences:
    """Takes differences as they come."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[Example]] = {}

    def add(self, sort: str, subject: str, message: str) -> None:
        """One more."""
        self._counts[sort] += 1
        told = self._examples.setdefault(sort, [])
        if len(told) < MOST_TOLD:
            told.append(Example(subject, message))

    def all(self) -> tuple[Difference, ...]:
        """The sorts in the order they were first found."""
        return tuple(Difference(sort, self._counts[sort], tuple(told)) for sort, told in self._examples.items())


def unlike(found: list[tuple[str, str, str]]) -> str:
    """Fields that differ, as text: each a name, what it is, and what git says."""
    told = [f"{name} is {is_}, git says {should}" for name, is_, should in found[:MOST_FIELDS]]
    more = len(found) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told)


BATCH: Final = 2_000
"""Commits that are asked about at once."""
FIELDS: Final = ("height", "mainline", "status", "creates", "updates", "deletes", "digest")


class HistoryCheck:
    """Takes every version that a fresh walk makes, and looks each up."""

    def __init__(self, ledger: LedgerReader, differences: Differences) -> None:
        self._ledger, self._differences = ledger, differences
        self._versions: dict[str, Version] = {}
        self._kinds: Kinds | None = None

    def expect(self, version: Version, kinds: Kinds) -> None:
        """The ledger should have this version; `kinds` are those at this commit."""
        if self._kinds is not None and self._kinds.digest != kinds.digest:
            self._flush()
        self._kinds = kinds
        self._versions[version.commit.sha] = version
        if len(self._versions) >= BATCH:
            self._flush()

    def finish(self, reachable: Collection[str]) -> None:
        """These are all commits: whatever else counts as reachable in the ledger was dropped from git."""
        self._flush()
        for sha in sorted(self._ledger.recorded().keys() - set(reachable)):
            self._differences.add("not-orphaned", sha, "recorded as reachable, but the branch does not reach it")

    def _flush(self) -> None:
        versions, kinds = self._versions, self._kinds
        if not versions or kinds is None:
            return
        self._versions = {}
        found: defaultdict[str, list[VersionRow]] = defaultdict(list)
        for row in self._ledger.look_up(versions.keys()):
            found[row.commit.sha].append(row)
        for version in versions.values():
            self._compare(version, found[version.commit.sha])
        counting = [sha for sha, one in versions.items() if one.mainline and one.status is Status.VALID]
        for sha, count in self._ledger.row_counts(kinds, counting).items():
            should = len(versions[sha].rows)
            if count != should and found[sha]:
                self._differences.add("wrong-rows", sha, f"{count} changes of rows are recorded, git says {should}")

    def _compare(self, version: Version, rows: Sequence[VersionRow]) -> None:
        sha = version.commit.sha
        if not rows:
            self._differences.add("missing-version", sha, "not recorded")
            return
        if len(rows) > 1:
            self._differences.add("duplicate-version", sha, f"recorded {len(rows)} times")
        row = rows[0]
        if row.orphaned:
            self._differences.add("wrongly-orphaned", sha, "marked as orphaned, but the branch reaches it")
        differing = _version_differences(version, row)
        if differing:
            self._differences.add("wrong-version", sha, unlike(differing))


def _version_differences(version: Version, row: VersionRow) -> list[tuple[str, str, str]]:
    pairs = [(name, getattr(row, name), getattr(version, name)) for name in FIELDS]
    pairs.append(("parents", list(row.commit.parents), list(version.commit.parents)))
    return [(name, canonical.text(is_), canonical.text(should)) for name, is_, should in pairs if is_ != should]


DESIRED, LIVE = "desired", "main"


class RowCheck:
    """Compares the store with the position of a walk at the applied commit."""

    def __init__(self, store: StoreReader, differences: Differences) -> None:
        self._store, self._differences = store, differences

    def compare(self, position: Position) -> int:
        """Compare everything; returns how many live rows there should be."""
        kinds = self._same_kinds(position.snapshot.kinds)
        rows: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        for row in position.rows():
            rows[row.resource.kind][row.resource.id] = row
        self._compare_desired(kinds, rows)
        return sum(self._compare_live(kind, rows[kind.name]) for kind in kinds)

    def _same_kinds(self, kinds: Kinds) -> Kinds:
        """The kinds that the store's tables were made from, too. Rows of others cannot be compared."""
        stored = self._store.kinds()
        same = tuple(kind for kind in kinds if stored.get(kind.name) == kind.schema)
        names = {kind.name for kind in same}
        for name in sorted({*kinds.by_name, *stored} - names):
            self._differences.add(
                "other-schema", name, "its tables were made under another schema than git and this program have now"
            )
        return Kinds(same)

    def _compare_desired(self, kinds: Kinds, rows: Mapping[str, RowsById]) -> None:
        seen: set[tuple[str, str]] = set()
        for found in self._store.base(kinds).rows():
            kind = kinds.by_name.get(found.resource.kind)
            if kind is None:
                continue
            seen.add(found.row_id)
            should = rows[kind.name].get(found.resource.id)
            if should is None:
                self._differences.add("unknown-row", _subject(DESIRED, found), "git does not have it")
            elif found != should:
                differing = _value_differences(_desired(kind, found), _desired(kind, should))
                self._differences.add("wrong-row", _subject(DESIRED, should), unlike(differing) or "it is another")
        for row in (row for kind in kinds for row in rows[kind.name].values()):
            if row.row_id not in seen:
                self._differences.add("missing-row", _subject(DESIRED, row), "it is not there")

    def _compare_live(self, kind: Kind, rows: RowsById) -> int:
        due = {id_: row for id_, row in rows.items() if is_live(kind, row)}
        try:
            live = self._store.live(kind)
        except NeedsHuman as error:
            self._differences.add("altered-table", f"{LIVE} {kind.name}", str(error))
            return len(due)
        seen = set()
        for found in live:
            id_ = str(found.values[kind.key])
            seen.add(id_)
            if id_ not in due:
                self._differences.add("unknown-row", f"{LIVE} {kind.name} {found.name}", "git does not have it")
                continue
            differing = _value_differences(found.values, _live(kind, due[id_]))
            if differing:
                self._differences.add("wrong-row", _subject(LIVE, due[id_]), unlike(differing))
        for id_ in due.keys() - seen:
            self._differences.add("missing-row", _subject(LIVE, due[id_]), "it is not there")
        return len(due)


def _subject(table: str, row: Row) -> str:
    return f"{table} {row.resource.kind} {row.resource.name}"


def _desired(kind: Kind, row: Row) -> dict[str, Any]:
    names = [*(column.name for column in kind.columns), *TIMESTAMPS, *(name for name, _ in declaration_columns(kind))]
    values = dict(zip(names, desired_values(kind, row), strict=True))
    if row.removed is None:
        return values
    return {**values, "prune": str(row.removed.prune), "path": row.resource.path, "updated_at": row.updated.time}


def _live(kind: Kind, row: Row) -> dict[str, Any]:
    names = [*(column.name for column in kind.columns), *TIMESTAMPS]
    values = dict(zip(names, live_values(kind, row), strict=True))
    for column in kind.columns:
        if column.type is SqlType.JSON and values[column.name] is not None:
            values[column.name] = json.loads(values[column.name])
    return values


def _value_differences(found: Mapping[str, Any], should: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    names = dict.fromkeys((*should, *found))
    pairs = ((name, _text(found.get(name)), _text(should.get(name))) for name in names)
    return [(name, is_, wanted) for name, is_, wanted in pairs if is_ != wanted]


def _text(value: Any) -> str:
    return canonical.text(canonical.plain(value))


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it. `rows` were compared with those of the applied commit; `has_history` is False without a ledger.

    `differences` are empty when all is as git says.
    """

    repository: str
    branch: str
    head: str
    applied: str
    commits: int
    rows: int
    has_history: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Verifier:
    """One branch of one repository with its store and its ledger (None on a host that keeps no history).

    It reads only. What it holds in memory grows with the rows and with the number of commits, not with what they say.
    """

    source: Source
    stepper: Stepper
    repository: str
    branch: str
    store: StoreReader
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None

    def verify(self, progress: Progress = lambda done, total: None) -> Verification:
        """Walk through the whole history and compare.

        Raises `UsageError` when there is nothing to compare, and other `ReconcilerError` when git or a store fail.
        """
        head, applied = self.source.resolve(self.branch), self.store.applied()
        if head is None:
            raise UsageError(f"the branch {self.branch} has no commits: there is nothing to verify")
        if applied is None:
            raise UsageError("nothing is live yet: there is nothing to verify", hint="run `reconciler sync` first")
        differences = Differences()
        commits, step = self._walk(head, applied, differences, progress)
        rows = self._rows(applied, step, differences)
        return Verification(
            repository=self.repository,
            branch=self.branch,
            head=head,
            applied=applied.stamp.commit,
            commits=commits,
            rows=rows,
            has_history=self.open_ledger is not None,
            differences=differences.all(),
        )

    def _walk(
        self, head: str, applied: Applied, differences: Differences, progress: Progress
    ) -> tuple[int, Step | None]:
        """How many commits there are, and the step to the applied one; None if the mainline does not go through it."""
        parents = self.source.parents(head)
        beginning = Origin(None, self.stepper.nothing())
        found: Step | None = None
        with self.open_ledger() if self.open_ledger else nullcontext() as ledger:
            check = HistoryCheck(ledger, differences) if ledger is not None else None
            for done, step in enumerate(replay(self.source, self.stepper, beginning, head, parents), 1):
                if check is not None:
                    check.expect(step.version, step.position.snapshot.kinds)
                if step.version.mainline and step.version.commit.sha == applied.stamp.commit:
                    found = step
                progress(done, len(parents))
            if check is not None:
                check.finish(parents.keys())
        return len(parents), found

    def _rows(self, applied: Applied, step: Step | None, differences: Differences) -> int:
        if step is None:
            differences.add(
                "applied-commit", applied.stamp.commit, f"its rows are live, but {self.branch} does not go through it"
            )
            return 0
        version = step.version
        if (version.height, version.digest) != (applied.height, applied.digest):
            differences.add("applied-commit", applied.stamp.commit, "the store has another height or digest for it")
        return RowCheck(self.store, differences).compare(step.position)
