"""Plans: what would change in the live rows, and what speaks against it. Nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.errors import UsageError
from reconciler.model.change import Op
from reconciler.plan import Plan, ordered
from reconciler.reconcile.admission import PRUNE, End, Judge, Transition
from reconciler.reconcile.partialtree import look_around
from reconciler.reconcile.rules import Role
from reconciler.reconcile.sync import Approach, Walk
from reconciler.reconcile.walk import Origin, Reached, reach
from reconciler.snapshot.snapshot import evolve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.commit import Commit, FileChange
    from reconciler.model.problem import Problem
    from reconciler.ports import Source, StoreReader
    from reconciler.reconcile.processor import Position, Stepper

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Start:
    """What a plan between two commits starts from; `declared` counts the resources there."""

    reached: Reached
    declared: int

    @property
    def position(self) -> Position:
        """The position at the base."""
        return self.reached.position


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one repository. `shipped` are the kinds that come with this program."""

    source: Source
    stepper: Stepper
    judge: Judge
    shipped: Kinds

    def between(self, base: str, head: str) -> tuple[Plan, Kinds]:
        """From the state at one commit to that at another, out of git alone; and the kinds that it is told in.

        An invalid base stands for the last valid commit before it. Raises `UsageError` for what is no commit.
        """
        old, new = self._commit(base), self._commit(head)
        changes = self.source.changes(old, new)
        near = self._nearby(old, changes)
        if near is not None:
            plan, kinds = self._plan(near, old, new, changes)
            if not any(change.destructive for change in plan.changes):  # guards want to know how many there were
                return plan, kinds
        return self._plan(self._whole(old), old, new, changes)

    def ahead(self, store: StoreReader, head: str, progress: Progress = lambda done, total: None) -> tuple[Plan, Kinds]:
        """From the live rows to a commit, as a reconcile would go; and the kinds that it is told in."""
        new = self._commit(head)
        approach = Approach(self.source, self.stepper, store, self.shipped)
        approach.check_folder(new, head)
        origin, parents = approach.origin(new)
        walk = Walk()
        for done, step in enumerate(approach.steps(origin, new, parents), 1):
            walk = walk.on(step)
            progress(done, len(parents))
        applied = store.applied()
        base = applied.stamp.commit if applied else None
        problems = walk.last.version.problems if walk.last else ()
        proposal = approach.proposal(origin, walk)
        if proposal is None:
            kinds = approach.kinds() if applied else self.shipped
            count = sum(store.base(kinds).count(kind.name) for kind in kinds)
            return Plan(base, new, (), problems, count, base), kinds
        step_ = proposal.transition
        found = tuple(sorted({*problems, *self.judge.judge(step_).problems}))
        before = sum(step_.before(kind.name) for kind in (step_.old or step_.new).kinds)
        return _counted(Plan(base, new, step_.changes, found, before, base)), step_.new.kinds

    def _commit(self, revision: str) -> str:
        sha = self.source.resolve(revision)
        if sha is None:
            raise UsageError(f"{revision} has no commits yet", hint="make a first commit")
        return sha

    def _nearby(self, base: str, changes: Collection[FileChange]) -> Start | None:
        """The start in a large tree that few files of resources change in, and no rule."""
        rules = self.stepper.rules.at(base)
        roles = {rules.layout.role(change.path) for change in changes}
        if len(rules.policies) or not roles <= {Role.RESOURCES, None}:
            return None
        counting = {change.path: change for change in changes if rules.layout.role(change.path) is Role.RESOURCES}
        found = look_around(self.source, self.stepper, self.source.commit(base).stamp, rules, counting)
        if found is None:
            return None
        position = self.stepper.at(base, found.base, canonical.EMPTY_SET, 0)
        return Start(Reached(position, base), found.declared)

    def _whole(self, base: str) -> Start:
        """The start with everything read."""
        reached = reach(self.source, self.stepper, Origin(None, self.stepper.nothing()), base)
        if reached.state is None and self.source.is_shallow():
            reached = Reached(self._as_it_stands(reached.position, base), base)
        declared = sum(row.removed is None for row in reached.position.rows())
        return Start(reached, declared)

    def _as_it_stands(self, position: Position, base: str) -> Position:
        """An invalid position, with all that is readable in its tree for a state: what came before is not here."""
        was, stamp = position.snapshot, self.source.commit(base).stamp
        grown, _ = evolve(was.lineage, was.tree, was.pending, stamp, was.prune)
        return replace(position, snapshot=replace(was, lineage=grown, kinds=was.tree.kinds, pending=frozenset()))

    def _plan(self, start: Start, base: str, head: str, files: Collection[FileChange]) -> tuple[Plan, Kinds]:
        commit, at = self.source.commit(head), start.position
        position, outcome = self.stepper.step(at, commit.stamp, files)
        kinds = position.snapshot.kinds
        if not outcome.valid:
            return Plan(base, head, (), outcome.problems, start.declared, start.reached.state), kinds
        changes = ordered(row.change for row in outcome.rows)
        problems = outcome.problems + self._judged(at, position, base, commit, changes)
        plan = Plan(base, head, changes, tuple(sorted(problems)), start.declared, start.reached.state)
        return _counted(plan), kinds

    def _judged(
        self, at: Position, to: Position, base: str, head: Commit, changes: tuple[Change, ...]
    ) -> tuple[Problem, ...]:
        old = End(base, at.rules, at.snapshot.kinds, at.rows)
        new = End(head.sha, to.rules, to.snapshot.kinds, to.rows)
        declared = Counter[str]()
        if any(change.destructive for change in changes):
            declared.update(row.resource.kind for row in at.rows() if row.removed is None)
        approved = frozenset([head.sha]) if head.approves(PRUNE) else frozenset[str]()
        return self.judge.judge(Transition(old, new, changes, lambda kind: declared[kind], approved)).problems


def _counted(plan: Plan) -> Plan:
    """The plan, with what it changes no longer among the unchanged."""
    return replace(plan, unchanged=plan.unchanged - plan.count(Op.UPDATE) - plan.count(Op.DELETE))
