"""Admission: whether the step from one state to another may go live. Guards and policies of both states decide.

A commit is valid or not by itself. Admission reviews the step that a host would take to it, so a rule sees the old and
the new rows. As the rules of the old state count too, no commit can loosen a rule and use the gap.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.guards import BulkChange, GuardedStep, find_bulk_problems, find_prune_problems
from reconciler.kinds.kind import Kinds
from reconciler.model.change import Between, Op, Prune, Removal
from reconciler.model.commit import Approval, StoreUpdate
from reconciler.model.problem import APPROVABLE, Policy, Problem, Severity
from reconciler.plan import sort_changes
from reconciler.policy import locate_violations, read_policy
from reconciler.reconcile.narrowing import find_lost_rows
from reconciler.reconcile.read import locate_problems
from reconciler.snapshot.snapshot import LoadedBase, change_between
from reconciler.tables.rows import with_types
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from reconciler.model.change import Change, Key, Resource, Row, RowId
    from reconciler.model.commit import Commit, FileChange
    from reconciler.model.keptrules import OfferedRules
    from reconciler.ports import Base, PolicyEngine
    from reconciler.reconcile.rules import RuleReader, Rules
    from reconciler.reconcile.walk import ProcessedCommit, WalkStart

    OpenEngine = Callable[[], AbstractContextManager[PolicyEngine]]


PRUNE, SCHEMA, GROWTH = "prune", "schema", "growth"
"""What the trailer of a commit's message may approve: what it removes, what its schemas leave no place for, and what
it adds."""
_numbers = count(1)
MAX_CACHED_POLICIES = 1_000
MAX_LOOKUPS = 100
"""Resources of violations that are looked up one by one; for more, all rows are read."""


class CommitState(Struct, frozen=True):
    """One side of a step: a commit, the rules and kinds in force there, and its rows, tombstones included.

    With the commit, `digest` identifies the rows. It is empty when they are not what the commit's history makes of it.
    """

    commit: str
    rules: Rules
    kinds: Kinds
    rows: Callable[[], Iterable[Row]]
    digest: str = ""

    @property
    def identity(self) -> str:
        """The text by which a policy engine recognizes the rows."""
        return f"{self.commit} {self.digest}"

    def numbered(self) -> CommitState:
        """The state with a number as its digest: an engine may hold other rows of the same commit."""
        return replace(self, digest=f"state {next(_numbers)}")


class RowDelta(Struct, frozen=True):
    """The rows of the new state that differ from the old one, and look-ups of the old one: what it declares by a name,
    and its row of an id."""

    rows: tuple[Row, ...]
    named: Callable[[Key], Sequence[Resource]]
    before: Callable[[RowId], Row | None]


class MessageApprovals(Struct, frozen=True):
    """What the messages of some commits approve: of these what they remove, of those what they add, of others the kinds
    as they have them."""

    removals: frozenset[str] = frozenset()
    growth: frozenset[str] = frozenset()
    schemas: Mapping[str, Kinds] = field(default_factory=dict)

    def add(self, commit: Commit, kinds: Kinds) -> MessageApprovals:
        """The approvals with those of one more commit, which has these kinds."""
        removals = self.removals | {commit.sha} if commit.approves(PRUNE) else self.removals
        growth = self.growth | {commit.sha} if commit.approves(GROWTH) else self.growth
        schemas = {**self.schemas, commit.sha: kinds} if commit.approves(SCHEMA) else self.schemas
        return MessageApprovals(removals, growth, schemas)

    def of_schema(self, kinds: Kinds, path: str) -> tuple[str, ...]:
        """The commits that approve the schema file at a path as these kinds have it."""
        meant = {kind.name: kind.schema for kind in kinds if kind.origin == path}
        return tuple(
            sha
            for sha, approved in self.schemas.items()
            if meant == {kind.name: kind.schema for kind in approved if kind.origin == path}
        )


class AdmissionRequest(Struct, frozen=True):
    """A step from one state (None: from nothing) to another, and what it changes.

    `count_before` says how many resources of a kind the old state declares. `approved` is what messages of its commits
    approve, `bulks` are the bulk changes among them. Without a `delta`, `changed` are the rows of the new state that
    differ; None: any may.
    """

    old: CommitState | None
    new: CommitState
    changes: tuple[Change, ...]
    count_before: Callable[[str], int]
    approved: MessageApprovals = field(default_factory=MessageApprovals)
    delta: RowDelta | None = None
    changed: Collection[Row] | None = None
    bulks: tuple[BulkChange, ...] = ()

    @property
    def between(self) -> Between | None:
        """The identities of the two states; None when the new one has none."""
        if not self.new.digest:
            return None
        same_tables = self.old is None or not self.old.kinds.changed_from(self.new.kinds)
        changed = self.delta.rows if self.delta else self.changed
        return Between(self.old.identity if self.old else "", self.new.identity, changed if same_tables else None)


class AdmissionResult(Struct, frozen=True):
    """What guards and policies have against a step. A problem that was approved is a warning."""

    problems: tuple[Problem, ...] = ()
    approvals: tuple[Approval, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the step must not be applied."""
        return any(problem.is_error for problem in self.problems)

    def approve(self, by: str) -> AdmissionResult:
        """The result with everything approved that can be."""
        codes = sorted({problem.code for problem in self.problems if _is_approvable(problem)})
        if not codes:
            return self
        problems = tuple(_downgrade(problem, by) if _is_approvable(problem) else problem for problem in self.problems)
        return AdmissionResult(problems, (*self.approvals, Approval(by, tuple(codes))))


class AdmissionController:
    """Reviews steps in one repository. The policy engine is opened only where there are policies.

    To review one step after another, let `open_engine` give the same engine each time: it then needs only what changed.
    """

    def __init__(self, rules: RuleReader, open_engine: OpenEngine) -> None:
        self._rules = rules
        self._open_engine = open_engine
        self._policy_cache: dict[FileChange, Policy | Problem] = {}

    def review(self, request: AdmissionRequest) -> AdmissionResult:
        """What guards and policies have against a step, in order of place."""
        guarded = _check_guards(request)
        problems = tuple(sorted((*guarded.problems, *self._run_policies(request))))
        located = locate_problems(problems, lambda paths: self._rules.read_files(request.new.commit, paths))
        return AdmissionResult(located, guarded.approvals)

    def _run_policies(self, request: AdmissionRequest) -> tuple[Problem, ...]:
        old, new = request.old, request.new
        new_policies, problems = self.read_policies(new.rules)
        old_policies, _ = self.read_policies(old.rules) if old else ((), ())
        replaced = tuple(policy for policy in old_policies if policy not in new_policies)
        if not new_policies and not replaced:
            return problems
        live, desired = LazyRows(old.rows) if old else (), LazyRows(new.rows)
        earlier = _kinds_for_earlier(request)
        with self._open_engine() as engine:
            new_verdicts = engine.run(new_policies, new.kinds, _as_of(new.kinds, old, live), desired, request.between)
            old_verdicts = engine.run(replaced, earlier, live, _as_of(earlier, new, desired), request.between)
            broken = [verdict.policy for verdict in old_verdicts if verdict.fault]
            # A policy that fails in its own state, too, binds nobody: a commit must be able to repair it.
            rerun = engine.run(broken, old.kinds, (), ()) if old else ()
        ignored = {verdict.policy for verdict in rerun if verdict.fault}
        find = _ResourceFinder(live, desired, request.delta)
        new_problems = locate_violations(new_verdicts, new.kinds, find)
        old_problems = locate_violations(
            [verdict for verdict in old_verdicts if verdict.policy not in ignored], new.kinds, find
        )
        return (*problems, *new_problems, *_mark_earlier_rule(old_problems, new_problems))

    def read_policies(self, rules: Rules) -> tuple[tuple[Policy, ...], tuple[Problem, ...]]:
        """The policies of a tree in order, and what keeps others from being read."""
        files = {file.path: file for file in rules.policies.values()}
        parsed = {file: self._policy_cache[file] for file in files.values() if file in self._policy_cache}
        texts, not_files = self._rules.read_texts([file for file in files.values() if file not in parsed])
        parsed.update((files[path], read_policy(path, data)) for path, data in texts.items())
        if len(self._policy_cache) > MAX_CACHED_POLICIES:
            self._policy_cache.clear()
        self._policy_cache.update(parsed)
        results = [parsed[file] for _, file in sorted(files.items()) if file in parsed]
        policies = tuple(result for result in results if isinstance(result, Policy))
        return policies, (*not_files, *(result for result in results if isinstance(result, Problem)))


class LazyRows:
    """Rows that are fetched anew by each iteration."""

    def __init__(self, rows: Callable[[], Iterable[Row]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows())


class _ResourceFinder:
    """Finds the resource of a key: as it will be, or as it was when it goes. Reads all rows after a few lookups."""

    def __init__(self, live: Iterable[Row], desired: Iterable[Row], delta: RowDelta | None) -> None:
        self._live, self._desired, self._delta = live, desired, delta
        self._cache: dict[Key, Resource | None] = {}
        self._lookups_left = MAX_LOOKUPS if delta else 0
        if delta:
            self._cache.update(_declared_resources(delta.rows))

    def __call__(self, key: Key) -> Resource | None:
        if key not in self._cache:
            self._cache[key] = self._find(key)
        return self._cache[key]

    def _find(self, key: Key) -> Resource | None:
        if self._delta is None or not self._lookups_left:
            return self._all.get(key)
        self._lookups_left -= 1
        return next(iter(self._delta.named(key)), None)

    @cached_property
    def _all(self) -> dict[Key, Resource]:
        return {**_declared_resources(self._live), **_declared_resources(self._desired)}


def _declared_resources(rows: Iterable[Row]) -> dict[Key, Resource]:
    return {row.resource.key: row.resource for row in rows if row.removed is None}


def _check_guards(request: AdmissionRequest) -> AdmissionResult:
    if request.old is None:
        return AdmissionResult()
    result = _join_results(_check_prune_limits(request, request.old), *_check_bulks(request, request.old))
    for problem in find_lost_rows(request.old.kinds, request.new.kinds, request.new.rows):
        lost, by = AdmissionResult((problem,)), request.approved.of_schema(request.new.kinds, problem.path)
        if by:
            lost = lost.approve(_messages(by))
        result = _join_results(result, lost)
    return result


def _join_results(*results: AdmissionResult) -> AdmissionResult:
    problems = (problem for result in results for problem in result.problems)
    return AdmissionResult(tuple(problems), tuple(approval for result in results for approval in result.approvals))


def _messages(commits: Iterable[str]) -> str:
    return f"the message of {', '.join(sorted(commit[:8] for commit in commits))}"


def _check_prune_limits(request: AdmissionRequest, old: CommitState) -> AdmissionResult:
    limits = {old.rules.spec.prune, request.new.rules.spec.prune}
    problems = {
        problem for rule in limits for problem in find_prune_problems(rule, request.changes, request.count_before)
    }
    removals = request.approved.removals
    if not problems or not removals:
        return AdmissionResult(tuple(problems))
    removed_by = {row.row_id: row.removed.commit for row in request.new.rows() if row.removed is not None}
    rest = [change for change in request.changes if removed_by.get(change.resource.row_id) not in removals]
    unapproved = {problem for rule in limits for problem in find_prune_problems(rule, rest, request.count_before)}
    approved = AdmissionResult(tuple(problems - unapproved)).approve(_messages(removals))
    return AdmissionResult((*unapproved, *approved.problems), approved.approvals)


def _check_bulks(request: AdmissionRequest, old: CommitState) -> Iterator[AdmissionResult]:
    if not request.bulks:
        return
    changes = {change.resource.row_id: change for change in request.changes}
    kinds = tuple(kind.name for kind in old.kinds)
    step = GuardedStep(request.new.commit, old.rules.spec, changes, request.count_before, kinds)
    for bulk in request.bulks:
        result = AdmissionResult(find_bulk_problems(bulk, step))
        yield result.approve(_messages([bulk.commit])) if bulk.commit in request.approved.growth else result


def _as_of(kinds: Kinds, state: CommitState | None, rows: Iterable[Row]) -> Iterable[Row]:
    """The rows of a state for tables of these kinds, which may have other types than the kinds of the state."""
    changed = kinds.changed_from(state.kinds) & kinds.by_name.keys() if state else frozenset[str]()
    if not changed:
        return rows

    def fitted() -> Iterator[Row]:
        for row in rows:
            name = row.resource.kind
            yield with_types(kinds.by_name[name], row) if name in changed else row

    return LazyRows(fitted)


def _kinds_for_earlier(request: AdmissionRequest) -> Kinds:
    """The kinds whose tables the earlier rules see: those that they were written for, and what is new beside them."""
    old, new = request.old, request.new
    if old is None or not old.kinds.changed_from(new.kinds):
        return new.kinds
    tables = {kind.table for kind in old.kinds}
    added = (kind for kind in new.kinds if kind.name not in old.kinds.by_name and kind.table not in tables)
    return Kinds(tuple(sorted((*old.kinds, *added), key=lambda kind: kind.name)))


def _mark_earlier_rule(problems: Iterable[Problem], reported: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that are not reported yet, each with a note that the rule is gone or changed."""
    known = {(problem.path, problem.line, problem.pointer, problem.code) for problem in reported}
    return tuple(
        replace(problem, message=f"{problem.message} (by this rule as it was before)")
        for problem in problems
        if (problem.path, problem.line, problem.pointer, problem.code) not in known
    )


def _is_approvable(problem: Problem) -> bool:
    return problem.is_error and problem.code.startswith(APPROVABLE)


def _downgrade(problem: Problem, by: str) -> Problem:
    return replace(problem, severity=Severity.WARNING, hint=f"approved by {by}")


class Proposal(Struct, frozen=True):
    """What a commit would change in the live rows. `replaces` says that it starts over instead of updating them."""

    commit: ProcessedCommit
    rows: tuple[Row, ...]
    request: AdmissionRequest
    replaces: bool

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes in the order they are shown."""
        return self.request.changes

    def store_update(
        self, admission: AdmissionResult, rules: OfferedRules | None = None, *, rebuilt: bool = False
    ) -> StoreUpdate:
        """What the store is given once this is admitted, and the rules that it may keep."""
        version, ops = self.commit.version, Counter(change.op for change in self.changes)
        return StoreUpdate(
            commit=version.commit,
            height=version.height,
            digest=version.digest,
            rows=self.rows,
            warnings=tuple(sorted((*version.problems, *admission.problems))),
            creates=ops[Op.CREATE],
            updates=ops[Op.UPDATE],
            deletes=ops[Op.DELETE],
            approvals=admission.approvals,
            rules=rules,
            rebuilt=rebuilt,
        )


def propose_update(start: WalkStart, commit: ProcessedCommit, approved: MessageApprovals) -> Proposal:
    """From the applied commit, where the walk started, to a commit."""
    before, state = start.state, commit.state
    rows = tuple(state.changed_rows().values())
    row_changes = (change_between(before.base.row(row.row_id), row) for row in rows)
    changes = sort_changes(change for change in row_changes if change is not None)
    snapshot, base = before.snapshot, before.base
    old = CommitState(str(start.commit), before.rules, snapshot.kinds, base.rows, snapshot.lineage.digest)
    delta = RowDelta(rows, base.by_name, base.row)
    request = AdmissionRequest(old, commit_state(commit), changes, base.count, approved, delta)
    return Proposal(commit, rows, request, replaces=False)


def propose_replacement(
    base: Base,
    applied: str | None,
    kinds: Kinds,
    read_rules: Callable[[str], Rules],
    commit: ProcessedCommit,
    approved: MessageApprovals,
) -> Proposal:
    """From whatever was applied (None: nothing) to a commit whose history was walked from the beginning.

    `read_rules` gives the rules of what was applied.
    """
    before = {row.row_id: row for row in base.rows()}
    rows = tuple(commit.state.changed_rows().values())
    version, left = commit.version, dict(before)
    if not before and version.creates == len(version.rows) == len(rows):  # this commit made all that is there
        changes = [step.change for step in version.rows]
    else:
        changes = [change for row in rows if (change := change_between(left.pop(row.row_id, None), row)) is not None]
    stamp = version.commit.stamp
    removal = Removal(stamp.commit, stamp.time, Prune.DELETE)
    changes += [
        change for row in left.values() if (change := change_between(row, replace(row, removed=removal))) is not None
    ]
    old = CommitState(applied, read_rules(applied), kinds, before.values) if applied else None
    count = LoadedBase(before.values(), kinds).count
    request = AdmissionRequest(old, commit_state(commit), sort_changes(changes), count, approved)
    return Proposal(commit, rows, request, replaces=True)


def commit_state(commit: ProcessedCommit) -> CommitState:
    """The state at a commit of a walk, as a side of a step."""
    state, version = commit.state, commit.version
    return CommitState(version.commit.sha, state.rules, state.snapshot.kinds, state.rows, version.digest)
