"""`policy test`: each policy against the folders that say what it has to find and what it has to leave alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.kinds.kind import did_you_mean
from reconciler.model.change import Removal, Row, Stamp
from reconciler.model.problem import Problem, Severity
from reconciler.pipeline.reading import Reader
from reconciler.policy.ruling import rulings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Prune
    from reconciler.model.problem import Policy, Verdict, Violation
    from reconciler.model.resource import Resource
    from reconciler.pipeline.policycases import Case, Policies
    from reconciler.ports import PolicyEngine

UNTESTED = "untested-policy"
BEFORE = Stamp("1".zfill(40), datetime(2026, 1, 1, tzinfo=UTC))
"""The commit that a test's live rows are from."""
NOW = Stamp("2".zfill(40), datetime(2026, 1, 2, tzinfo=UTC))
"""The commit that brings what differs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one test. `problems` are those that kept it from being one: of its files, or of the policy."""

    case: Case
    violations: tuple[Violation, ...] = ()
    cut: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the policy did what the folder's name says."""
        return not self.problems and bool(self.violations) == self.case.wants_violation


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of all tests; `problems` are those of the policies and of the files around them."""

    policies: tuple[Policy, ...]
    trials: tuple[Trial, ...]
    problems: tuple[Problem, ...]

    @property
    def failed(self) -> int:
        """Tests that failed."""
        return sum(not trial.passed for trial in self.trials)

    @property
    def ok(self) -> bool:
        """Whether there is nothing to mend: warnings do not count."""
        return not self.failed and not any(problem.is_error for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Tester:
    """Runs tests: with the engine, the kinds of the working tree and its prune mode."""

    engine: PolicyEngine
    kinds: Kinds
    prune: Prune

    def test(self, policies: Policies, names: Collection[str]) -> Tested:
        """Test the policies with some names, or all of them. Raises `UsageError` for a name that no policy has."""
        known = [policy.name for policy in policies.members]
        for name in names:
            if name not in known:
                raise UsageError(f"there is no policy {name}{did_you_mean(name, known)}", hint=_listed(known))
        members = tuple(policy for policy in policies.members if not names or policy.name in names)
        reader = Reader(self.kinds)
        trials, problems = [], list(policies.problems)
        for policy in members:
            cases = policies.cases_of(policy)
            found = [self._trial(policy, case, reader) for case in cases]
            trials += [trial for trial, _ in found]
            problems += dict.fromkeys(fault for _, faults in found for fault in faults)
            if not cases:
                problems += (*self._faults(self._verdict(policy, (), ())), _untested(policy))
        return Tested(members, tuple(trials), tuple(sorted(problems)))

    def _trial(self, policy: Policy, case: Case, reader: Reader) -> tuple[Trial, tuple[Problem, ...]]:
        """The trial, and why the policy could not be run."""
        live, odd_before = _declared(reader, case.live)
        desired, odd = _declared(reader, case.desired)
        if odd_before or odd:
            return Trial(case, problems=tuple(sorted((*odd_before, *odd)))), ()
        verdict = self._verdict(policy, live, desired)
        faults = self._faults(verdict)
        return Trial(case, verdict.violations, verdict.cut, faults), faults

    def _verdict(self, policy: Policy, live: Collection[Resource], desired: Collection[Resource]) -> Verdict:
        before = tuple(Row(one, BEFORE, BEFORE) for one in live)
        (verdict,) = self.engine.run([policy], self.kinds, before, _after(before, desired, self.prune))
        return verdict

    def _faults(self, verdict: Verdict) -> tuple[Problem, ...]:
        return rulings([verdict], self.kinds, lambda _: None) if verdict.fault else ()


def _after(before: Collection[Row], desired: Collection[Resource], prune: Prune) -> tuple[Row, ...]:
    """The rows as one commit leaves them: what is declared now, and tombstones of what is not any more."""
    was = {row.row_id: row for row in before}
    ids = {one.row_id for one in desired}
    removal = Removal(NOW.commit, NOW.time, prune)
    gone = (Row(row.resource, row.created, row.updated, removal) for row in before if row.row_id not in ids)
    return (*(_row(was.get(one.row_id), one) for one in desired), *gone)


def _row(old: Row | None, resource: Resource) -> Row:
    if old is None:
        return Row(resource, NOW, NOW)
    return Row(resource, old.created, old.updated if old.resource.digest == resource.digest else NOW)


def _declared(reader: Reader, files: Mapping[str, bytes]) -> tuple[tuple[Resource, ...], tuple[Problem, ...]]:
    entries = [reader.entry(path, data) for path, data in files.items()]
    resources = tuple(one for entry in entries for one in entry.resources)
    return resources, tuple(problem for entry in entries for problem in entry.problems)


def _untested(policy: Policy) -> Problem:
    message, hint = "this policy has no tests", f"give it tests/{policy.name}/pass-…/ and fail-…/ beside it"
    return Problem(policy.path, 1, 1, UNTESTED, "", message, hint, Severity.WARNING)


def _listed(known: Collection[str]) -> str:
    return f"there are: {', '.join(known)}" if known else "a policy is a file such as policies/leverage-cap.sql"
