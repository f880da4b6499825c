"""`policy test`: each policy against the folders `policies/tests/NAME/{pass,fail}*/`, which say what it has to find."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.kinds.kind import did_you_mean
from reconciler.model.change import Removal, Row, Stamp
from reconciler.model.problem import Policy, Problem, Severity
from reconciler.policy import read_policy, rulings
from reconciler.reconcile.read import Reader, not_a_file
from reconciler.reconcile.rules import RESOURCE_SUFFIXES, Layout, Role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Prune
    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Verdict, Violation
    from reconciler.model.resource import Resource
    from reconciler.ports import PolicyEngine


TESTS = "tests"
LIVE = "main"
"""The folder inside a test's folder that holds what is live."""
BAD_TEST = "bad-policy-test"


class Expectation(Enum):
    """What a test wants of its policy; the value is what the name of its folder begins with."""

    NO_VIOLATION = "pass"
    VIOLATION = "fail"


@dataclass(frozen=True, slots=True)
class Case:
    """One test: the files of the desired state and of the live one, by path."""

    policy: str
    name: str
    folder: str
    expected: Expectation
    desired: dict[str, bytes] = field(default_factory=dict)
    live: dict[str, bytes] = field(default_factory=dict)

    @property
    def wants_violation(self) -> bool:
        """Whether the policy has to find something."""
        return self.expected is Expectation.VIOLATION


@dataclass(frozen=True, slots=True)
class Policies:
    """What a working tree has: its policies and their tests in order, and what is wrong with the files."""

    members: tuple[Policy, ...]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]

    def cases_of(self, policy: Policy) -> tuple[Case, ...]:
        """The tests of a policy."""
        return tuple(case for case in self.cases if case.policy == policy.name)


def tests_folder(layout: Layout) -> str:
    """Where the tests are, from the root."""
    return f"{layout.policies_folder}/{TESTS}"


def belongs(layout: Layout, path: str) -> bool:
    """Whether a file is a policy or part of a test of one."""
    is_test = path.startswith(f"{tests_folder(layout)}/") and path.endswith(RESOURCE_SUFFIXES)
    return is_test or layout.role(path) is Role.POLICY


def read_policies(files: Mapping[str, bytes | EntryType], layout: Layout) -> Policies:
    """The policies and tests among some files, by path."""
    found = {path: data for path, data in sorted(files.items()) if belongs(layout, path)}
    contents = {path: data for path, data in found.items() if isinstance(data, bytes)}
    problems = [not_a_file(path, data, Severity.ERROR) for path, data in found.items() if not isinstance(data, bytes)]
    read = [read_policy(path, data) for path, data in contents.items() if layout.role(path) is Role.POLICY]
    members = tuple(one for one in read if isinstance(one, Policy))
    problems += [one for one in read if isinstance(one, Problem)]
    # A policy that cannot be read is still there: its tests are not those of nothing.
    names = {path.rpartition("/")[2].removesuffix(".sql") for path in found if layout.role(path) is Role.POLICY}
    cases, misplaced = _cases(contents, layout, names)
    return Policies(members, cases, tuple(sorted((*problems, *misplaced))))


def _cases(
    contents: Mapping[str, bytes], layout: Layout, names: Collection[str]
) -> tuple[tuple[Case, ...], tuple[Problem, ...]]:
    """The tests, and one problem for each folder that is none."""
    root = f"{tests_folder(layout)}/"
    cases: dict[str, Case] = {}
    misplaced: dict[str, Problem] = {}
    for path, data in contents.items():
        policy, name, *rest = _parts(path.removeprefix(root))
        if not path.startswith(root):
            continue
        expected = next((one for one in Expectation if name.startswith(one.value)), None)
        folder = f"{root}{policy}/{name}"
        if not rest or policy not in names or expected is None:
            misplaced.setdefault(folder, _misplaced(path, policy, name, names))
            continue
        case = cases.setdefault(folder, Case(policy, name, folder, expected))
        (case.live if rest[0] == LIVE and len(rest) > 1 else case.desired)[path] = data
    ordered = sorted(cases.values(), key=lambda case: (case.policy, case.name))
    return tuple(ordered), tuple(misplaced.values())


def _parts(inside: str) -> tuple[str, ...]:
    """Policy, test and what follows; too short a path has empty ones."""
    *folders, file = inside.split("/")
    policy, name, *deeper = (*folders, "", "")
    return (policy, name, *deeper[:-2], file) if name else (policy, name)


def _misplaced(path: str, policy: str, name: str, names: Collection[str]) -> Problem:
    if policy and policy not in names:
        message = f"there is no policy {policy}{did_you_mean(policy, names)}, so this tests nothing"
        hint = "call the folder like the policy, or delete it"
    elif name:
        message = f"{name} is neither pass… nor fail…, so this tests nothing"
        hint = "call the folder pass-… when the rule has nothing to say, fail-… when it has"
    else:
        message, hint = "this file is in no test", "put it into a folder of its own, such as pass-small or fail-large"
    return Problem(path, 1, 1, BAD_TEST, "", message, hint)


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
