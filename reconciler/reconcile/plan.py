"""Plans: what would change in the live rows, and what guards and policies have against it. Nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.errors import UsageError
from reconciler.model.change import Op
from reconciler.plan import Plan, sort_changes
from reconciler.reconcile.admission import PRUNE, AdmissionController, AdmissionRequest, CommitState
from reconciler.reconcile.partialtree import load_affected
from reconciler.reconcile.rules import Role
from reconciler.reconcile.sync import HistoryWalk, Mainline
from reconciler.reconcile.walk import StateAt, WalkStart, state_at
from reconciler.snapshot.snapshot import advance_lineage

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.commit import Commit, FileChange
    from reconciler.model.problem import Problem
    from reconciler.ports import Source, StoreReader
    from reconciler.reconcile.processor import CommitProcessor, TreeState
    from reconciler.reconcile.walk import Progress


@dataclass(frozen=True, slots=True)
class PlanBase:
    """The state that a plan between two commits starts from; `declared` counts the resources there."""

    state: TreeState
    valid_commit: str | None
    declared: int


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans for one repository. `bundled` are the kinds that the program brings."""

    source: Source
    processor: CommitProcessor
    admission: AdmissionController
    bundled: Kinds

    def plan_commits(self, base: str, head: str) -> tuple[Plan, Kinds]:
        """The plan from the state at one commit to that at another, from git alone; and the kinds of its changes.

        An invalid base stands for the last valid commit before it. Raises `UsageError` for what is no commit.
        """
        base, head = self._resolve(base), self._resolve(head)
        changes = self.source.changes(base, head)
        partial = self._load_partial_base(base, changes)
        if partial is not None:
            plan, kinds = self._plan(partial, base, head, changes)
            if not any(change.destructive for change in plan.changes):  # guards need the count of all resources
                return plan, kinds
        return self._plan(self._load_base(base), base, head, changes)

    def plan_sync(
        self, store: StoreReader, head: str, progress: Progress = lambda done, total: None
    ) -> tuple[Plan, Kinds]:
        """The plan from the live rows to a commit, as a reconcile would go; and the kinds of its changes."""
        sha = self._resolve(head)
        walk = HistoryWalk(self.source, self.processor, store, self.bundled)
        walk.check_folder(sha, head)
        start, parents = walk.find_start(sha)
        mainline = Mainline()
        for done, commit in enumerate(walk.process_commits(start, sha, parents), 1):
            mainline = mainline.extend(commit)
            progress(done, len(parents))
        applied = store.applied()
        base = applied.stamp.commit if applied else None
        problems = mainline.last.version.problems if mainline.last else ()
        proposal = walk.propose(start, mainline)
        if proposal is None:
            kinds = walk.kinds() if applied else self.bundled
            count = sum(store.base(kinds).count(kind.name) for kind in kinds)
            return Plan(base, sha, (), problems, count, base), kinds
        request = proposal.request
        problems = tuple(sorted({*problems, *self.admission.review(request).problems}))
        before = sum(request.count_before(kind.name) for kind in (request.old or request.new).kinds)
        return _subtract_changed(Plan(base, sha, request.changes, problems, before, base)), request.new.kinds

    def _resolve(self, revision: str) -> str:
        sha = self.source.resolve(revision)
        if sha is None:
            raise UsageError(f"{revision} has no commits yet", hint="make a first commit")
        return sha

    def _load_partial_base(self, base: str, changes: Collection[FileChange]) -> PlanBase | None:
        """The base in a large tree of which only a few files of resources change; None otherwise."""
        rules = self.processor.rules.read_rules(base)
        roles = {rules.layout.role(change.path) for change in changes}
        if len(rules.policies) or not roles <= {Role.RESOURCES, None}:
            return None
        files = {change.path: change for change in changes if rules.layout.role(change.path) is Role.RESOURCES}
        tree = load_affected(self.source, self.processor, self.source.commit(base).stamp, rules, files)
        if tree is None:
            return None
        return PlanBase(self.processor.load_state(base, tree.base, canonical.EMPTY_SET, 0), base, tree.declared)

    def _load_base(self, base: str) -> PlanBase:
        """The base with all files read."""
        start = WalkStart(None, self.processor.empty_state())
        at_base = state_at(self.source, self.processor, start, base)
        if at_base.valid_commit is None and self.source.is_shallow():
            at_base = StateAt(self._assume_valid(at_base.state, base), base)
        declared = sum(row.removed is None for row in at_base.state.rows())
        return PlanBase(at_base.state, at_base.valid_commit, declared)

    def _assume_valid(self, state: TreeState, base: str) -> TreeState:
        """An invalid state with all that can be read of its tree: a shallow clone lacks the valid commit before it."""
        snapshot, stamp = state.snapshot, self.source.commit(base).stamp
        evolved, _ = advance_lineage(snapshot.lineage, snapshot.tree, snapshot.pending, stamp, snapshot.prune)
        kinds = snapshot.tree.kinds
        return replace(state, snapshot=replace(snapshot, lineage=evolved, kinds=kinds, pending=frozenset()))

    def _plan(self, start: PlanBase, base: str, head: str, files: Collection[FileChange]) -> tuple[Plan, Kinds]:
        commit = self.source.commit(head)
        state, outcome = self.processor.process(start.state, commit.stamp, files)
        kinds = state.snapshot.kinds
        if not outcome.valid:
            return Plan(base, head, (), outcome.problems, start.declared, start.valid_commit), kinds
        changes = sort_changes(row.change for row in outcome.rows)
        problems = outcome.problems + self._review(start.state, state, base, commit, changes)
        plan = Plan(base, head, changes, tuple(sorted(problems)), start.declared, start.valid_commit)
        return _subtract_changed(plan), kinds

    def _review(
        self, before: TreeState, after: TreeState, base: str, head: Commit, changes: tuple[Change, ...]
    ) -> tuple[Problem, ...]:
        old = CommitState(base, before.rules, before.snapshot.kinds, before.rows)
        new = CommitState(head.sha, after.rules, after.snapshot.kinds, after.rows)
        declared = Counter[str]()
        if any(change.destructive for change in changes):
            declared.update(row.resource.kind for row in before.rows() if row.removed is None)
        approved = frozenset([head.sha]) if head.approves(PRUNE) else frozenset[str]()
        request = AdmissionRequest(old, new, changes, lambda kind: declared[kind], approved)
        return self.admission.review(request).problems


def _subtract_changed(plan: Plan) -> Plan:
    """The plan with what it changes no longer counted as unchanged."""
    return replace(plan, unchanged=plan.unchanged - plan.count(Op.UPDATE) - plan.count(Op.DELETE))
