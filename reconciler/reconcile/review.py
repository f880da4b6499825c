"""What is said of a step before anybody takes it: by guards, policies and measures, and by the commits around it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.review import Review
from reconciler.plan import digest_plan
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.faults import Answer, cannot_judge, describe_fault, is_commit_fault, raise_host_fault
from reconciler.reconcile.measures import Measurer
from reconciler.reconcile.reach import find_reach
from reconciler.reconcile.remedies import find_remedies
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.change import Row
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.ports import Source
    from reconciler.reconcile.admission import AdmissionRequest, CommitState, OpenEngine
    from reconciler.reconcile.measures import StateReadings
    from reconciler.reconcile.walk import CommitProcessor
    from reconciler.snapshot.tree import Tree


class Reviewer(Struct, frozen=True):
    """Reviews the steps of one repository. The policy engine is opened for each."""

    source: Source
    processor: CommitProcessor
    open_engine: OpenEngine

    def review_step(
        self, request: AdmissionRequest, tree: Tree, rows: Sequence[Row] | None, *, whole: bool = True
    ) -> tuple[Review, tuple[Problem, ...]]:
        """What a step means, and the problems of it. That judging fails over it is a problem of its commit.

        `rows` of the new state differ, None: any may. Not `whole`: the tree is a part of the commit's.
        """
        commit = request.new.commit
        try:
            return self._review(request, tree, rows, whole=whole)
        except BaseException as error:  # noqa: BLE001  raised again unless the commit is at fault
            if not is_commit_fault(error):
                raise_host_fault(commit, error)
            answer = Answer(fault=describe_fault(error))
            self.processor.faults.log_fault(commit, answer, error)
            return Review(), (cannot_judge(self.processor.rules.folder or ".", answer.fault),)

    def _review(
        self, request: AdmissionRequest, tree: Tree, rows: Sequence[Row] | None, *, whole: bool
    ) -> tuple[Review, tuple[Problem, ...]]:
        rules = self.processor.rules
        with self.open_engine() as engine:
            admission = AdmissionController(rules, lambda: nullcontext(engine))
            admitted = admission.review(request)
            measurements, warnings = Measurer(rules, engine).compare(request, rows)
        policies, _ = admission.read_policies(request.new.rules)
        reach = find_reach(request.changes, tree, complete=whole)
        return Review(policies, measurements, reach=reach), (*admitted.problems, *warnings)

    def measure_state(self, state: CommitState) -> StateReadings:
        """The figures of one state by its own measures."""
        with self.open_engine() as engine:
            return Measurer(self.processor.rules, engine).read_state(state)

    def complete(self, plan: Plan) -> Plan:
        """The plan with what depends on all of it: its digest, what to write, and the commits its head lacks."""
        folder = self.processor.rules.folder
        base = self.source.folder_tree(str(plan.base), folder) if self._is_here(plan.base) else None
        head = self.source.folder_tree(plan.head, folder) or ""
        remedies = find_remedies(plan.problems, lambda paths: self.processor.rules.read_files(plan.head, paths))
        digest = digest_plan(base, head, plan.changes)
        return replace(
            plan,
            review=replace(plan.review, digest=digest, remedies=remedies, behind=self._count_behind(plan)),
        )

    def _count_behind(self, plan: Plan) -> int | None:
        if not self._is_here(plan.base) or self.source.is_shallow():
            return None
        return len(self.source.parents(str(plan.base), known=plan.head))

    def _is_here(self, commit: str | None) -> bool:
        return commit is not None and self.source.has_commit(commit)
