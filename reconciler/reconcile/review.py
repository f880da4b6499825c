"""What is said of a step before anybody takes it: by guards, policies and measures, and by the commits around it."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.review import Review, RuleSort
from reconciler.plan import digest_plan
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.faults import Answer, cannot_judge, describe_fault, is_commit_fault, raise_host_fault
from reconciler.reconcile.measures import Measurer, read_measures
from reconciler.reconcile.reach import find_reach
from reconciler.reconcile.remedies import find_remedies
from reconciler.reconcile.rulechanges import compare_kinds, compare_policies, compare_settings
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitports import Source
    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Policy, Problem
    from reconciler.model.review import RuleChange
    from reconciler.plan import Plan
    from reconciler.reconcile.admission import AdmissionRequest, CommitState, OpenEngine
    from reconciler.reconcile.measures import StateReadings
    from reconciler.reconcile.rules import Rules
    from reconciler.reconcile.walk import CommitProcessor
    from reconciler.snapshot.tree import Tree


def _judges(admission: AdmissionController, request: AdmissionRequest) -> tuple[Policy, ...]:
    """The rules that judge a step: those of its new state, and those of the old one that it removes."""
    policies, _ = admission.read_policies(request.new.rules)
    names = {policy.name for policy in policies}
    earlier = admission.read_policies(request.old.rules)[0] if request.old else ()
    return (*policies, *(policy for policy in earlier if policy.name not in names))


class Reviewer(Struct, frozen=True):
    """Reviews the steps of one repository. The policy engine is opened for each."""

    source: Source
    processor: CommitProcessor
    open_engine: OpenEngine

    def review_step(
        self, request: AdmissionRequest, tree: Tree, *, whole: bool = True
    ) -> tuple[Review, tuple[Problem, ...]]:
        """What a step means, and the problems of it. That judging fails over it is a problem of its commit.

        Not `whole`: the tree is a part of the commit's.
        """
        commit = request.new.commit
        try:
            return self._review(request, tree, whole=whole)
        except BaseException as error:  # noqa: BLE001  raised again unless the commit is at fault
            if not is_commit_fault(error):
                raise_host_fault(commit, error)
            answer = Answer(fault=describe_fault(error))
            self.processor.faults.log_fault(commit, answer, error)
            return Review(), (cannot_judge(self.processor.rules.folder or ".", answer.fault),)

    def _review(self, request: AdmissionRequest, tree: Tree, *, whole: bool) -> tuple[Review, tuple[Problem, ...]]:
        rules = self.processor.rules
        with self.open_engine() as engine:
            admission = AdmissionController(rules, lambda: nullcontext(engine))
            admitted = admission.review(request)
            measurements, warnings = Measurer(rules, engine).compare(request)
        policies = _judges(admission, request)
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
        kinds = cache(lambda: self._kinds_at(plan.head))
        remedies = find_remedies(
            plan.problems,
            lambda paths: self.processor.rules.read_files(plan.head, paths),
            lambda path, data: self.processor.find_problems(kinds(), path, data),
        )
        rule_changes = self._compare_rules(plan)
        named = {problem.path for problem in plan.problems} | {change.path for change in rule_changes}
        review = replace(
            plan.review,
            digest=digest_plan(base, head, plan.changes),
            remedies=remedies,
            behind=self._count_behind(plan),
            rule_changes=rule_changes,
            gone=frozenset(named - {file.path for file in self.source.files(plan.head, named)}),
        )
        return replace(plan, review=review)

    def _kinds_at(self, commit: str) -> Kinds:
        rules = self.processor.rules
        return rules.kinds_of(rules.read_rules(commit))[0]

    def _compare_rules(self, plan: Plan) -> tuple[RuleChange, ...]:
        """What becomes of the rules between the base and the head."""
        if not self._is_here(plan.base) or plan.base == plan.head:
            return ()
        reader, base = self.processor.rules, str(plan.base)
        try:
            old = reader.read_rules(base)
            new = reader.update_rules(old, plan.head, self.source.changes(base, plan.head))
            return tuple(self._find_rule_changes(old, new)) if old != new else ()
        except BaseException as error:
            if not is_commit_fault(error):
                raise
            return ()  # judging the head tells what is wrong

    def _find_rule_changes(self, old: Rules, new: Rules) -> Iterator[RuleChange]:
        reader = self.processor.rules
        yield from compare_settings(old, new)
        (before, flaws), (after, more_flaws) = (reader.kinds_of(rules) for rules in (old, new))
        if not flaws and not more_flaws:  # else these problems are told, and which kinds there are is not known
            yield from compare_kinds(before, after)
        admission = AdmissionController(reader, self.open_engine)
        policies = [admission.read_policies(rules)[0] for rules in (old, new)]
        yield from compare_policies(RuleSort.RULE, *policies)
        measures = [read_measures(reader, rules)[0].values() for rules in (old, new)]
        yield from compare_policies(RuleSort.MEASURE, *measures)

    def _count_behind(self, plan: Plan) -> int | None:
        if not self._is_here(plan.base) or self.source.is_shallow():
            return None
        return len(self.source.parents(str(plan.base), known=plan.head))

    def _is_here(self, commit: str | None) -> bool:
        return commit is not None and self.source.has_commit(commit)
