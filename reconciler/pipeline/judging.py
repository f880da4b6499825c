"""Whether a step from one state to another may go live: the guards and policies of both ends have their say.

A commit is valid or not by itself. What is judged here is the step that a host would take to it, so a rule sees what is
old and what is new; and because the rules of the old state count too, no commit can loosen one and use the gap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.model.policy import Policy
from reconciler.model.problem import APPROVABLE, Problem, Severity
from reconciler.pipeline.locating import locate
from reconciler.plan.guards import prune_problems
from reconciler.policy.reading import read_policy
from reconciler.policy.ruling import rulings
from reconciler.ports import Approval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from reconciler.kinds.registry import Kinds
    from reconciler.model.change import Change, Row
    from reconciler.model.resource import Key, Resource
    from reconciler.pipeline.rules import RuleReader, Rules
    from reconciler.ports import PolicyEngine

    OpenEngine = Callable[[], AbstractContextManager[PolicyEngine]]

PRUNE = "prune"
"""What a commit's trailer may approve."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a step: its commit, the rules and kinds in force there, and its rows, tombstones too."""

    commit: str
    rules: Rules
    kinds: Kinds
    rows: Callable[[], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Transition:
    """A step from one end (None: from nothing) to another, and what it changes.

    `before` says how many of a kind the old end declares. `approved` are the commits whose own message approves of what
    they remove.
    """

    old: End | None
    new: End
    changes: tuple[Change, ...]
    before: Callable[[str], int]
    approved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What guards and policies have against a step; what was approved is a warning."""

    problems: tuple[Problem, ...] = ()
    approvals: tuple[Approval, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the step may not be taken."""
        return any(problem.is_error for problem in self.problems)

    def approved(self, by: str) -> Judgement:
        """The same, with all that can be approved approved by somebody."""
        codes = sorted({one.code for one in self.problems if _approvable(one)})
        if not codes:
            return self
        problems = tuple(_waved_through(one, by) if _approvable(one) else one for one in self.problems)
        return Judgement(problems, (*self.approvals, Approval(by, tuple(codes))))


class Judge:
    """Judges steps in one repository. The policy engine is opened only where there are policies."""

    def __init__(self, rules: RuleReader, open_engine: OpenEngine) -> None:
        self._rules = rules
        self._open_engine = open_engine

    def judge(self, step: Transition) -> Judgement:
        """What guards and policies have against a step, in order of place."""
        guarded = _guarded(step)
        found = tuple(sorted((*guarded.problems, *self._ruled(step.old, step.new))))
        located = locate(found, lambda paths: self._rules.contents(step.new.commit, paths))
        return Judgement(located, guarded.approvals)

    def _ruled(self, old: End | None, new: End) -> tuple[Problem, ...]:
        own, problems = self._policies(new.rules)
        earlier, _ = self._policies(old.rules) if old else ((), ())
        standing = tuple(one for one in earlier if one not in own)
        if not own and not standing:
            return problems
        live = list(old.rows()) if old else []
        desired = list(new.rows())
        find = _finder(live, desired)
        with self._open_engine() as engine:
            verdicts = engine.run(own, new.kinds, live, desired)
            before = engine.run(standing, new.kinds, live, desired) if standing else ()
            broken = [verdict.policy for verdict in before if verdict.fault]
            # One that could not be run where it stood either binds nobody: a commit must be able to mend it.
            ailing = (
                {one.policy for one in engine.run(broken, old.kinds, (), ()) if one.fault} if old and broken else ()
            )
        said = rulings(verdicts, new.kinds, find)
        also = rulings([one for one in before if one.policy not in ailing], new.kinds, find)
        return (*problems, *said, *_by_earlier_rule(also, said))

    def _policies(self, rules: Rules) -> tuple[tuple[Policy, ...], tuple[Problem, ...]]:
        texts, odd = self._rules.texts(rules.policies.values())
        found = [read_policy(path, data) for path, data in sorted(texts.items())]
        policies = tuple(one for one in found if isinstance(one, Policy))
        return policies, (*odd, *(one for one in found if isinstance(one, Problem)))


def _guarded(step: Transition) -> Judgement:
    if step.old is None:
        return Judgement()
    limits = {step.old.rules.spec.prune, step.new.rules.spec.prune}
    against = {one for rule in limits for one in prune_problems(rule, step.changes, step.before)}
    if not against or not step.approved:
        return Judgement(tuple(against))
    removed = {row.row_id: row.removed.commit for row in step.new.rows() if row.removed is not None}
    unapproved = [one for one in step.changes if removed.get(one.resource.row_id) not in step.approved]
    left = {one for rule in limits for one in prune_problems(rule, unapproved, step.before)}
    commits = ", ".join(sorted(commit[:8] for commit in step.approved))
    waved = Judgement(tuple(against - left)).approved(f"the message of {commits}")
    return Judgement((*left, *waved.problems), waved.approvals)


def _finder(live: Iterable[Row], desired: Iterable[Row]) -> Callable[[Key], Resource | None]:
    """Where a resource stands: as it will be, or as it was when it goes."""
    index: dict[Key, Resource] = {}

    def find(key: Key) -> Resource | None:
        if not index:
            index.update((row.resource.key, row.resource) for row in (*live, *desired) if row.removed is None)
        return index.get(key)

    return find


def _by_earlier_rule(problems: Iterable[Problem], said: Iterable[Problem]) -> tuple[Problem, ...]:
    known = {(one.path, one.line, one.pointer, one.code) for one in said}
    return tuple(
        replace(one, message=f"{one.message} (by this rule as it was before)")
        for one in problems
        if (one.path, one.line, one.pointer, one.code) not in known
    )


def _approvable(problem: Problem) -> bool:
    return problem.is_error and problem.code.startswith(APPROVABLE)


def _waved_through(problem: Problem, by: str) -> Problem:
    return replace(problem, severity=Severity.WARNING, hint=f"approved by {by}")
