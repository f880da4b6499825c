"""Whether a step from one state to another may go live: the guards and policies of both ends have their say.

A commit is valid or not by itself. What is judged here is the step that a host would take to it, so a rule sees what is
old and what is new; and because the rules of the old state count too, no commit can loosen one and use the gap.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, UsageError
from reconciler.model.change import Op, Prune, Removal
from reconciler.model.commit import Application, Approval
from reconciler.model.problem import APPROVABLE, Policy, Problem, Severity
from reconciler.plan import ordered, prune_problems
from reconciler.policy import read_policy, rulings
from reconciler.ports import Between
from reconciler.reconcile.read import locate
from reconciler.snapshot.base import LoadedBase
from reconciler.snapshot.snapshot import change_between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change, Row
    from reconciler.model.commit import FileChange
    from reconciler.model.resource import Key, Resource
    from reconciler.ports import Base, PolicyEngine
    from reconciler.reconcile.rules import RuleReader, Rules
    from reconciler.reconcile.walk import Origin, Step

    OpenEngine = Callable[[], AbstractContextManager[PolicyEngine]]


PRUNE = "prune"
"""What a commit's trailer may approve."""
MOST_REMEMBERED = 1_000
"""Files of policies that are remembered as they were read."""
MOST_LOOKED_UP = 100
"""Resources that violations name and that are looked up, before all of them are read."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a step: its commit, the rules and kinds in force there, and its rows, tombstones too.

    `digest` is that of all it declares, when its rows are those that the commit's history makes of it; with the commit
    it tells them from all others. It is empty for rows that were put together to be looked at once.
    """

    commit: str
    rules: Rules
    kinds: Kinds
    rows: Callable[[], Iterable[Row]]
    digest: str = ""

    @property
    def state(self) -> str:
        """What its rows are known by."""
        return f"{self.commit} {self.digest}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two ends: rows of the new one; and how to look up what the old one declares by a name."""

    rows: tuple[Row, ...]
    named: Callable[[Key], Sequence[Resource]]


@dataclass(frozen=True, slots=True)
class Transition:
    """A step from one end (None: from nothing) to another, and what it changes.

    `before` says how many of a kind the old end declares. `approved` are the commits whose own message approves of what
    they remove. Without a `difference` any row may differ.
    """

    old: End | None
    new: End
    changes: tuple[Change, ...]
    before: Callable[[str], int]
    approved: frozenset[str] = frozenset()
    difference: Difference | None = None

    @property
    def between(self) -> Between | None:
        """What its two states are known by; None when they are not."""
        if not self.new.digest:
            return None
        rows = self.difference.rows if self.difference else None
        return Between(self.old.state if self.old else "", self.new.state, rows)


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
    """Judges steps in one repository. The policy engine is opened only where there are policies.

    Who judges one step after another opens the same engine each time: then it is told what changed, and no more.
    """

    def __init__(self, rules: RuleReader, open_engine: OpenEngine) -> None:
        self._rules = rules
        self._open_engine = open_engine
        self._read: dict[FileChange, Policy | Problem] = {}

    def judge(self, step: Transition) -> Judgement:
        """What guards and policies have against a step, in order of place."""
        guarded = _guarded(step)
        found = tuple(sorted((*guarded.problems, *self._ruled(step))))
        located = locate(found, lambda paths: self._rules.contents(step.new.commit, paths))
        return Judgement(located, guarded.approvals)

    def _ruled(self, step: Transition) -> tuple[Problem, ...]:
        old, new = step.old, step.new
        own, problems = self._policies(new.rules)
        earlier, _ = self._policies(old.rules) if old else ((), ())
        standing = tuple(one for one in earlier if one not in own)
        if not own and not standing:
            return problems
        live, desired = _Lazy(old.rows) if old else (), _Lazy(new.rows)
        with self._open_engine() as engine:
            verdicts = engine.run(own, new.kinds, live, desired, step.between)
            before = engine.run(standing, new.kinds, live, desired, step.between)
            broken = [verdict.policy for verdict in before if verdict.fault]
            # One that could not be run where it stood either binds nobody: a commit must be able to mend it.
            ailing = {one.policy for one in engine.run(broken, old.kinds, (), ()) if one.fault} if old else set()
        find = _Finder(live, desired, step.difference)
        said = rulings(verdicts, new.kinds, find)
        also = rulings([one for one in before if one.policy not in ailing], new.kinds, find)
        return (*problems, *said, *_by_earlier_rule(also, said))

    def _policies(self, rules: Rules) -> tuple[tuple[Policy, ...], tuple[Problem, ...]]:
        files = {one.path: one for one in rules.policies.values()}
        known = {file: self._read[file] for file in files.values() if file in self._read}
        texts, odd = self._rules.texts([file for file in files.values() if file not in known])
        known.update((files[path], read_policy(path, data)) for path, data in texts.items())
        if len(self._read) > MOST_REMEMBERED:
            self._read.clear()
        self._read.update(known)
        found = [known[file] for _, file in sorted(files.items()) if file in known]
        policies = tuple(one for one in found if isinstance(one, Policy))
        return policies, (*odd, *(one for one in found if isinstance(one, Problem)))


class _Lazy:
    """Rows that are fetched when somebody goes through them, each time anew."""

    def __init__(self, rows: Callable[[], Iterable[Row]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows())


class _Finder:
    """Where a resource stands: as it will be, or as it was when it goes. A few are looked up; for more, all is read."""

    def __init__(self, live: Iterable[Row], desired: Iterable[Row], difference: Difference | None) -> None:
        self._live, self._desired, self._difference = live, desired, difference
        self._known: dict[Key, Resource | None] = {}
        self._to_look_up = MOST_LOOKED_UP if difference else 0
        if difference:
            self._known.update(_declared(difference.rows))

    def __call__(self, key: Key) -> Resource | None:
        if key not in self._known:
            self._known[key] = self._found(key)
        return self._known[key]

    def _found(self, key: Key) -> Resource | None:
        if self._difference is None or not self._to_look_up:
            return self._all.get(key)
        self._to_look_up -= 1
        return next(iter(self._difference.named(key)), None)

    @cached_property
    def _all(self) -> dict[Key, Resource]:
        return {**_declared(self._live), **_declared(self._desired)}


def _declared(rows: Iterable[Row]) -> dict[Key, Resource]:
    return {row.resource.key: row.resource for row in rows if row.removed is None}


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


@dataclass(frozen=True, slots=True)
class Proposal:
    """The way from the applied rows to those of a step. `replaces` says that it starts over rather than advances."""

    step: Step
    rows: tuple[Row, ...]
    transition: Transition
    replaces: bool

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it changes, in the order it is shown."""
        return self.transition.changes

    def application(self, judgement: Judgement) -> Application:
        """What the store is given, once this may go live."""
        version, ops = self.step.version, Counter(change.op for change in self.changes)
        return Application(
            commit=version.commit,
            height=version.height,
            digest=version.digest,
            rows=self.rows,
            warnings=tuple(sorted((*version.problems, *judgement.problems))),
            creates=ops[Op.CREATE],
            updates=ops[Op.UPDATE],
            deletes=ops[Op.DELETE],
            approvals=judgement.approvals,
        )


def advancing(origin: Origin, step: Step, approved: frozenset[str]) -> Proposal:
    """On from the applied commit, where the walk began."""
    start, position = origin.position, step.position
    rows = tuple(position.changed().values())
    found = (change_between(start.base.row(row.row_id), row) for row in rows)
    changes = ordered(change for change in found if change is not None)
    snapshot, base = start.snapshot, start.base
    old = End(str(origin.commit), start.rules, snapshot.kinds, base.rows, snapshot.lineage.digest)
    difference = Difference(rows, base.named)
    transition = Transition(old, _end(step), changes, base.count, approved, difference)
    return Proposal(step, rows, transition, replaces=False)


def replacing(
    base: Base, applied: str | None, kinds: Kinds, rules: RuleReader, step: Step, approved: frozenset[str]
) -> Proposal:
    """From whatever was applied (None: nothing) to a state that was replayed from the beginning."""
    before = {row.row_id: row for row in base.rows()}
    rows = tuple(step.position.changed().values())
    left = dict(before)
    changes = [change for row in rows if (change := change_between(left.pop(row.row_id, None), row)) is not None]
    stamp = step.version.commit.stamp
    gone = Removal(stamp.commit, stamp.time, Prune.DELETE)
    changes += [
        change for row in left.values() if (change := change_between(row, replace(row, removed=gone))) is not None
    ]
    old = End(applied, _rules_at(rules, applied), kinds, before.values) if applied else None
    count = LoadedBase(before.values(), kinds).count
    return Proposal(step, rows, Transition(old, _end(step), ordered(changes), count, approved), replaces=True)


def _rules_at(rules: RuleReader, commit: str) -> Rules:
    """The rules of an applied commit; the defaults when git no longer has it, after its history was rewritten."""
    try:
        return rules.at(commit)
    except (UsageError, NeedsHuman):
        return rules.none()


def _end(step: Step) -> End:
    position = step.position
    version = step.version
    return End(version.commit.sha, position.rules, position.snapshot.kinds, position.rows, version.digest)
