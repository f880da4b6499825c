"""Verifying store and ledger: every version and every live row is compared with a fresh walk through git."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import NeedsHuman, ReconcilerError, UsageError
from reconciler.kinds.kind import TIMESTAMPS, Kinds, SqlType, without_remarks
from reconciler.model.commit import Status
from reconciler.model.live import ViewContent, ViewFault
from reconciler.reconcile.walk import WalkStart, check_dates, walk_history
from reconciler.tables.rows import declaration_columns, desired_values, is_live, live_values, rows_under
from reconciler.tables.view import view_mark, view_writes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from reconciler.gitports import Source
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied, Version
    from reconciler.model.live import ComparedView, CompareView
    from reconciler.model.rows import VersionRow
    from reconciler.ports import LedgerReader, StoreReader
    from reconciler.reconcile.walk import CommitProcessor, ProcessedCommit, Progress, TreeState

    RowsById = Mapping[str, Row]
    FieldDifferences = list[tuple[str, str, str]]
    """Names of fields that differ, each with its value and the one that git says."""


MAX_EXAMPLES: Final = 20
"""Examples of a sort of difference; all differences are counted."""
MAX_FIELDS: Final = 5
"""Fields of an example."""
BATCH: Final = 2_000
"""Commits that are looked up at once."""
FIELDS: Final = ("height", "mainline", "status", "creates", "updates", "deletes", "digest")
DESIRED, LIVE = "desired", "main"
OTHER_SCHEMA: Final = "other-schema"


class Example(Struct, frozen=True):
    """One difference: what it is about, and what is wrong."""

    subject: str
    message: str


class Difference(Struct, frozen=True):
    """All differences of one sort: how many, and the first of them."""

    sort: str
    count: int
    examples: tuple[Example, ...]


class DifferenceCounter:
    """Counts differences by sort, and keeps the first of each as examples."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[Example]] = {}

    def add(self, sort: str, subject: str, message: str) -> None:
        """Add a difference."""
        self._counts[sort] += 1
        examples = self._examples.setdefault(sort, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(Example(subject, message))

    def all(self) -> tuple[Difference, ...]:
        """The sorts in the order of their first differences."""
        return tuple(Difference(sort, self._counts[sort], tuple(examples)) for sort, examples in self._examples.items())


def describe_fields(fields: FieldDifferences) -> str:
    """Fields that differ, as text."""
    texts = [f"{name} is {actual}, git says {expected}" for name, actual, expected in fields[:MAX_FIELDS]]
    more = len(fields) - len(texts)
    return "; ".join([*texts, f"and {more} more"] if more else texts)


class HistoryCheck:
    """Compares the versions of a fresh walk with those in the ledger, in batches."""

    def __init__(self, ledger: LedgerReader, differences: DifferenceCounter) -> None:
        self._ledger, self._differences = ledger, differences
        self._versions: dict[str, Version] = {}
        self._kinds: Kinds | None = None

    def expect(self, version: Version, kinds: Kinds) -> None:
        """Compare a version that the ledger should have; `kinds` are those of its rows."""
        if self._kinds is not None and self._kinds.digest != kinds.digest:
            self._flush()
        self._kinds = kinds
        self._versions[version.commit.sha] = version
        if len(self._versions) >= BATCH:
            self._flush()

    def finish(self, reachable: Collection[str]) -> None:
        """Compare the rest. Whatever else is reachable in the ledger than these commits is gone from git."""
        self._flush()
        for sha in sorted(self._ledger.recorded_commits().keys() - set(reachable)):
            self._differences.add("not-orphaned", sha, "recorded as reachable, but the branch does not reach it")

    def _flush(self) -> None:
        versions, kinds = self._versions, self._kinds
        if not versions or kinds is None:
            return
        self._versions = {}
        recorded: defaultdict[str, list[VersionRow]] = defaultdict(list)
        for row in self._ledger.find_by_sha(versions.keys()):
            recorded[row.commit.sha].append(row)
        for version in versions.values():
            self._compare(version, recorded[version.commit.sha])
        with_rows = [sha for sha, version in versions.items() if version.mainline and version.status is Status.VALID]
        for sha, count in self._ledger.row_counts(kinds, with_rows).items():
            expected = len(versions[sha].rows)
            if count != expected and recorded[sha]:
                self._differences.add("wrong-rows", sha, f"{count} changes of rows are recorded, git says {expected}")

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
        fields = _version_differences(version, row)
        if fields:
            self._differences.add("wrong-version", sha, describe_fields(fields))


def _version_differences(version: Version, row: VersionRow) -> FieldDifferences:
    pairs = [(name, getattr(row, name), getattr(version, name)) for name in FIELDS]
    pairs.append(("parents", list(row.commit.parents), list(version.commit.parents)))
    return [
        (name, canonical.text(actual), canonical.text(expected))
        for name, actual, expected in pairs
        if actual != expected
    ]


class RowCheck:
    """Compares the store with the state of a fresh walk at the applied commit."""

    def __init__(self, store: StoreReader, differences: DifferenceCounter) -> None:
        self._store, self._differences = store, differences

    def compare(self, state: TreeState) -> int:
        """Compare all rows; returns how many live rows there should be."""
        kinds = self._comparable_kinds(state.snapshot.kinds)
        rows: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        for row in expected_rows(self._store, state):
            rows[row.resource.kind][row.resource.id] = row
        self._compare_desired(kinds, rows)
        return sum(self._compare_live(kind, rows[kind.name]) for kind in kinds)

    def _comparable_kinds(self, kinds: Kinds) -> Kinds:
        """The kinds whose tables in the store have the same schema."""
        stored = self._store.kinds()
        same = tuple(
            kind
            for kind in kinds
            if kind.name in stored and without_remarks(stored[kind.name]) == without_remarks(kind.schema)
        )
        names = {kind.name for kind in same}
        for name in sorted({*kinds.by_name, *stored} - names):
            self._differences.add(
                OTHER_SCHEMA, name, "its tables were made under another schema than git and this program have now"
            )
        return Kinds(same)

    def _compare_desired(self, kinds: Kinds, rows: Mapping[str, RowsById]) -> None:
        seen: set[tuple[str, str]] = set()
        for row in rows_under(self._store.halts(), kinds, self._store.base(kinds).rows()):
            kind = kinds.by_name.get(row.resource.kind)
            if kind is None:
                continue
            seen.add(row.row_id)
            expected = rows[kind.name].get(row.resource.id)
            if expected is None:
                self._differences.add("unknown-row", _subject(DESIRED, row), "git does not have it")
            elif row != expected:
                fields = _value_differences(_desired_values(kind, row), _desired_values(kind, expected))
                message = describe_fields(fields) or "it is another"
                self._differences.add("wrong-row", _subject(DESIRED, expected), message)
        for row in (row for kind in kinds for row in rows[kind.name].values()):
            if row.row_id not in seen:
                self._differences.add("missing-row", _subject(DESIRED, row), "it is not there")

    def _compare_live(self, kind: Kind, rows: RowsById) -> int:
        expected = {id_: row for id_, row in rows.items() if is_live(kind, row)}
        try:
            live = self._store.live(kind)
        except NeedsHuman as error:
            self._differences.add("altered-table", f"{LIVE} {kind.name}", str(error))
            return len(expected)
        seen = set()
        for row in live:
            id_ = str(row.values[kind.key])
            seen.add(id_)
            if id_ not in expected:
                self._differences.add("unknown-row", f"{LIVE} {kind.name} {row.name}", "git does not have it")
                continue
            fields = _value_differences(row.values, _live_values(kind, expected[id_]))
            if fields:
                self._differences.add("wrong-row", _subject(LIVE, expected[id_]), describe_fields(fields))
        for id_ in expected.keys() - seen:
            self._differences.add("missing-row", _subject(LIVE, expected[id_]), "it is not there")
        return len(expected)


def expected_rows(store: StoreReader, state: TreeState) -> Iterator[Row]:
    """What a store should hold at a commit: its rows under the halts, and what a rollback to it left INACTIVE."""
    yield from rows_under(store.halts(), state.snapshot.kinds, state.rows())
    rollback = store.rollback()
    if rollback is not None:
        known = {row.row_id for row in state.rows()}
        rows = rows_under(store.halts(), state.snapshot.kinds, store.base(state.snapshot.kinds).rows())
        yield from (row for row in rows if row.removed is not None and row.row_id not in known)


def _subject(table: str, row: Row) -> str:
    return f"{table} {row.resource.kind} {row.resource.name}"


def _desired_values(kind: Kind, row: Row) -> dict[str, Any]:
    names = [*(column.name for column in kind.columns), *TIMESTAMPS, *(name for name, _ in declaration_columns(kind))]
    values = dict(zip(names, desired_values(kind, row), strict=True))
    if row.removed is None:
        return values
    return {**values, "prune": str(row.removed.prune), "path": row.resource.path, "updated_at": row.updated.time}


def _live_values(kind: Kind, row: Row) -> dict[str, Any]:
    names = [*(column.name for column in kind.columns), *TIMESTAMPS]
    values = dict(zip(names, live_values(kind, row), strict=True))
    for column in kind.columns:
        if column.type is SqlType.JSON and values[column.name] is not None:
            values[column.name] = json.loads(values[column.name])
    return values


def _value_differences(actual: Mapping[str, Any], expected: Mapping[str, Any]) -> FieldDifferences:
    names = dict.fromkeys((*expected, *actual))
    texts = ((name, _to_text(actual.get(name)), _to_text(expected.get(name))) for name in names)
    return [(name, text, expected_text) for name, text, expected_text in texts if text != expected_text]


def _to_text(value: Any) -> str:
    return canonical.text(canonical.to_json_value(value))


VIEW_FAULTS = {
    ViewFault.LOST: ("missing-row", "it is not there"),
    ViewFault.ALTERED: ("wrong-row", "it is not what git says"),
    ViewFault.UNKNOWN: ("unknown-row", "no live row has it"),
}


def add_view_differences(view: ComparedView, differences: DifferenceCounter) -> None:
    """Count what differs in the live view."""
    if view.stale:
        differences.add("stale-view", "live view", view.reason)
    for one in view.differences:
        sort, message = VIEW_FAULTS[one.fault]
        differences.add(sort, f"live view {one.shown}", message)


class Verification(Struct, frozen=True):
    """The result: `rows` of the applied commit and `commits` of the head were compared.

    `has_history` is False when there is no ledger; `view` is None when there is no live view. `approximated` are the
    commits with dates that the stores cannot hold: how many, and the first of them.
    """

    repository: str
    branch: str
    head: str
    applied: str
    commits: int
    rows: int
    has_history: bool
    view: ComparedView | None
    differences: tuple[Difference, ...]
    approximated: Difference | None = None


class Verifier(Struct, frozen=True):
    """Verifies one branch of one repository with its store, ledger and live view (None: there is none). Reads only.

    Memory grows with the number of rows and commits, not with the size of the commits.
    """

    source: Source
    processor: CommitProcessor
    repository: str
    branch: str
    store: StoreReader
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None
    compare_view: CompareView | None = None

    def verify(self, progress: Progress = lambda done, total: None) -> Verification:
        """Walk through the whole history and compare.

        Raises `UsageError` when there is nothing to compare, and other `ReconcilerError` when git or a store fail.
        """
        head, applied = self.source.branch_head(self.branch), self.store.applied()
        if head is None:
            raise UsageError(f"the branch {self.branch} has no commits: there is nothing to verify")
        if applied is None:
            hint = "`reconciler sync` brings a commit live, or says why none can be"
            raise UsageError("nothing is live yet: there is nothing to verify", hint=hint)
        self.processor.faults.known.read(self.store)
        differences, dates = DifferenceCounter(), DifferenceCounter()
        commits, applied_commit = self._compare_history(head, applied, (differences, dates), progress)
        rows = self._compare_rows(applied, applied_commit, differences)
        return Verification(
            repository=self.repository,
            branch=self.branch,
            head=head,
            applied=applied.stamp.commit,
            commits=commits,
            rows=rows,
            has_history=self.open_ledger is not None,
            view=self._compare_view(applied, applied_commit, differences),
            differences=differences.all(),
            approximated=next(iter(dates.all()), None),
        )

    def compare_rows(self, progress: Progress = lambda done, total: None) -> tuple[Difference, ...]:
        """Compare no more than the rows, with the history up to their commit. What cannot be compared is told, too.

        Kinds that have another schema by now are left out: the next reconcile makes their tables anew from git.
        """
        applied = self.store.applied()
        if applied is None:
            return ()
        self.processor.faults.known.read(self.store)
        differences = DifferenceCounter()
        try:
            counters = (differences, DifferenceCounter())
            _, commit = self._compare_history(applied.stamp.commit, applied, counters, progress)
            self._compare_rows(applied, commit, differences)
        except ReconcilerError as error:  # the rows are there whatever git or the store say now
            differences.add("not-compared", applied.stamp.commit, str(error))
        return tuple(one for one in differences.all() if one.sort != OTHER_SCHEMA)

    def _compare_history(
        self, head: str, applied: Applied, counters: tuple[DifferenceCounter, DifferenceCounter], progress: Progress
    ) -> tuple[int, ProcessedCommit | None]:
        """The number of commits, and the applied one; None if it is not on the mainline.

        `counters` are for what differs, and for dates that the stores cannot hold.
        """
        differences, dates = counters
        parents = self.source.parents(head)
        start = WalkStart(None, self.processor.empty_state())
        applied_commit: ProcessedCommit | None = None
        with self.open_ledger() if self.open_ledger else nullcontext() as ledger:
            check = HistoryCheck(ledger, differences) if ledger is not None else None
            for done, commit in enumerate(walk_history(self.source, self.processor, start, head, parents), 1):
                for problem in check_dates(commit.version.commit):
                    dates.add(problem.code, commit.version.commit.sha, problem.message)
                if check is not None:
                    check.expect(commit.version, commit.kinds)
                if commit.version.mainline and commit.version.commit.sha == applied.stamp.commit:
                    applied_commit = commit
                progress(done, len(parents))
            if check is not None:
                check.finish(parents.keys())
        return len(parents), applied_commit

    def _compare_rows(self, applied: Applied, commit: ProcessedCommit | None, differences: DifferenceCounter) -> int:
        if commit is None:
            differences.add(
                "applied-commit", applied.stamp.commit, f"its rows are live, but {self.branch} does not go through it"
            )
            return 0
        version = commit.version
        if (version.height, version.digest) != (applied.height, applied.digest):
            differences.add("applied-commit", applied.stamp.commit, "the store has another height or digest for it")
        return RowCheck(self.store, differences).compare(commit.state)

    def _compare_view(
        self, applied: Applied, commit: ProcessedCommit | None, differences: DifferenceCounter
    ) -> ComparedView | None:
        if self.compare_view is None or commit is None:
            return None
        kinds = commit.state.snapshot.kinds
        content = ViewContent(view_writes(kinds, expected_rows(self.store, commit.state)))
        view = self.compare_view(view_mark(applied), content, {kind.name.lower() for kind in kinds})
        add_view_differences(view, differences)
        return view
