"""Tests of policies and measures: the folders `policies/tests/NAME/{pass,fail}*/` say what a policy has to find, and
`policies/measures/tests/NAME/is-VALUE*/` what a measure comes to.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum
from math import isclose
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.errors import UsageError
from reconciler.model.change import Removal, Row, Stamp
from reconciler.model.problem import Measure, Policy, Problem, Severity
from reconciler.model.spec import RESOURCE_SUFFIXES
from reconciler.policy import locate_violations, read_measure, read_policy
from reconciler.reconcile.read import FileReader, not_a_file_problem
from reconciler.reconcile.rules import Layout, Role
from reconciler.words import did_you_mean, list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Prune, Resource
    from reconciler.model.commit import NotContent
    from reconciler.model.problem import Reading, Verdict, Violation
    from reconciler.ports import PolicyEngine
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.read import Progress


TESTS = "tests"
TESTED = (Role.POLICY, Role.MEASURE)
LIVE = "main"
"""The folder inside a test's folder that contains the live state."""
BAD_TEST = "bad-policy-test"
UNTESTED = "untested-policy"
MEASURED = re.compile(r"is-(-?\d+(?:\.\d+)?)(?:-.*)?")
"""The name of a test of a measure: its value, and maybe words."""
LIVE_COMMIT = Stamp("1".zfill(40), datetime(2026, 1, 1, tzinfo=UTC))
"""The commit of a test's live rows."""
DESIRED_COMMIT = Stamp("2".zfill(40), datetime(2026, 1, 2, tzinfo=UTC))
"""The commit of what differs in the desired state."""


class Expectation(Enum):
    """What a test expects of its policy. The value is what the name of its folder begins with."""

    NO_VIOLATION = "pass"
    VIOLATION = "fail"


class PolicyTest(Struct, frozen=True):
    """One test: the files of the desired state and of the live one, by path. A measure is expected to be a number."""

    policy: str
    name: str
    folder: str
    expected: Expectation | float
    desired: dict[str, bytes] = field(default_factory=dict)
    live: dict[str, bytes] = field(default_factory=dict)

    @property
    def expects_violation(self) -> bool:
        """Whether the policy has to find something."""
        return self.expected is Expectation.VIOLATION


class Policies(Struct, frozen=True):
    """The policies of a working tree and its measures, their tests, in order, and what is wrong with the files."""

    members: tuple[Policy, ...]
    tests: tuple[PolicyTest, ...]
    problems: tuple[Problem, ...]
    measures: tuple[Measure, ...] = ()

    def tests_of(self, policy: Policy) -> tuple[PolicyTest, ...]:
        """The tests of a policy or measure."""
        is_measure = isinstance(policy, Measure)
        return tuple(
            test
            for test in self.tests
            if test.policy == policy.name and isinstance(test.expected, Expectation) != is_measure
        )


def tests_folder(layout: Layout, role: Role) -> str:
    """The folder of the tests of policies or measures, from the root."""
    return f"{layout.policies_folder if role is Role.POLICY else layout.measures_folder}/{TESTS}"


def is_policy_file(layout: Layout, path: str) -> bool:
    """Whether a file is a policy, a measure or part of a test."""
    folders = tuple(f"{tests_folder(layout, role)}/" for role in TESTED)
    return (path.startswith(folders) and path.endswith(RESOURCE_SUFFIXES)) or layout.role(path) in TESTED


def read_policies(files: Mapping[str, bytes | NotContent], layout: Layout) -> Policies:
    """The policies and tests among some files, by path. What stands in place of their folder is a problem."""
    selected = {
        path: data
        for path, data in sorted(files.items())
        if is_policy_file(layout, path) or (not isinstance(data, bytes) and layout.role(path, data) in TESTED)
    }
    contents = {path: data for path, data in selected.items() if isinstance(data, bytes)}
    problems = [
        not_a_file_problem(path, data, Severity.ERROR) for path, data in selected.items() if not isinstance(data, bytes)
    ]
    results = [read_policy(path, data) for path, data in contents.items() if layout.role(path) is Role.POLICY]
    measured = [read_measure(path, data) for path, data in contents.items() if layout.role(path) is Role.MEASURE]
    problems += [result for result in (*results, *measured) if isinstance(result, Problem)]
    tests: list[PolicyTest] = []
    for role, expects in ((Role.POLICY, _expects_of_policy), (Role.MEASURE, _expects_of_measure)):
        # A policy that cannot be read still has its tests.
        names = {path.rpartition("/")[2].removesuffix(".sql") for path in selected if layout.role(path) is role}
        grouped, misplaced = _group_tests(contents, tests_folder(layout, role), names, expects)
        tests += grouped
        problems += misplaced
    return Policies(
        tuple(result for result in results if isinstance(result, Policy)),
        tuple(tests),
        tuple(sorted(problems)),
        tuple(result for result in measured if isinstance(result, Measure)),
    )


def _expects_of_policy(name: str) -> Expectation | None:
    return next((expectation for expectation in Expectation if name.startswith(expectation.value)), None)


def _expects_of_measure(name: str) -> float | None:
    value = MEASURED.fullmatch(name)
    return float(value[1]) if value else None


def _group_tests(
    contents: Mapping[str, bytes],
    folder: str,
    names: Collection[str],
    expects: Callable[[str], Expectation | float | None],
) -> tuple[tuple[PolicyTest, ...], tuple[Problem, ...]]:
    """The tests in a folder, and one problem for each folder in it that is not one."""
    root = f"{folder}/"
    tests: dict[str, PolicyTest] = {}
    misplaced: dict[str, Problem] = {}
    for path, data in contents.items():
        policy, name, *rest = _split_path(path.removeprefix(root))
        if not path.startswith(root):
            continue
        expected = expects(name)
        at = f"{root}{policy}/{name}"
        if not rest or policy not in names or expected is None:
            misplaced.setdefault(at, _misplaced_problem(path, policy, name, names, expects))
            continue
        test = tests.setdefault(at, PolicyTest(policy, name, at, expected))
        (test.live if rest[0] == LIVE and len(rest) > 1 else test.desired)[path] = data
    ordered = sorted(tests.values(), key=lambda test: (test.policy, test.name))
    return tuple(ordered), tuple(misplaced.values())


def _split_path(inside: str) -> tuple[str, ...]:
    """Policy, test and the rest of a path; the first two are empty in a path that is too short."""
    *folders, file = inside.split("/")
    policy, name, *deeper = (*folders, "", "")
    return (policy, name, *deeper[:-2], file) if name else (policy, name)


def _misplaced_problem(
    path: str,
    policy: str,
    name: str,
    names: Collection[str],
    expects: Callable[[str], Expectation | float | None],
) -> Problem:
    of_measures = expects is _expects_of_measure
    if policy and policy not in names:
        word = "measure" if of_measures else "policy"
        message = f"there is no {word} {policy}{did_you_mean(policy, names)}, so this tests nothing"
        hint = f"call the folder like the {word}, or delete it"
    elif name and of_measures:
        message = f"{name} is not is-VALUE, so this tests nothing"
        hint = "call the folder is-8.4 when the measure comes to 8.4, maybe with words behind it: is-8.4-in-all"
    elif name:
        message = f"{name} is neither pass… nor fail…, so this tests nothing"
        hint = "call the folder pass-… when the rule has nothing to say, fail-… when it has"
    else:
        message, hint = "this file is in no test", "put it into a folder of its own, such as pass-small or fail-large"
    return Problem(path, 1, 1, BAD_TEST, "", message, hint)


class PolicyTestResult(Struct, frozen=True):
    """The result of one test. `problems`, of its files or of the policy, are why it could not run."""

    test: PolicyTest
    violations: tuple[Violation, ...] = ()
    cut: bool = False
    problems: tuple[Problem, ...] = ()
    readings: tuple[Reading, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the policy did what the test expects, or the first figure of the measure is the one it expects."""
        if not isinstance(self.test.expected, Expectation):
            value = self.readings[0].value if self.readings else None
            return not self.problems and value is not None and isclose(value, self.test.expected)
        return not self.problems and bool(self.violations) == self.test.expects_violation


class PolicyTestRun(Struct, frozen=True):
    """The results of all tests. `problems` are those of the policies and of the files around them."""

    policies: tuple[Policy, ...]
    results: tuple[PolicyTestResult, ...]
    problems: tuple[Problem, ...]

    @property
    def failed(self) -> int:
        """The number of tests that failed."""
        return sum(not result.passed for result in self.results)

    @property
    def ok(self) -> bool:
        """Whether no test failed and no problem is an error."""
        return not self.failed and not any(problem.is_error for problem in self.problems)


class PolicyTester(Struct, frozen=True):
    """Runs tests with an engine, the kinds of the working tree and its prune mode."""

    engine: PolicyEngine
    kinds: Kinds
    prune: Prune
    faults: FaultFinder

    def test(
        self, policies: Policies, names: Collection[str], progress: Progress = lambda done, total: None
    ) -> PolicyTestRun:
        """Test the policies with some names, or all of them. Raises `UsageError` for a name that no policy has."""
        members = (*policies.members, *policies.measures)
        known = list(dict.fromkeys(policy.name for policy in members))
        for name in names:
            if name not in known:
                raise UsageError(f"there is no policy {name}{did_you_mean(name, known)}", hint=_list_names(known))
        selected = tuple(policy for policy in members if not names or policy.name in names)
        reader = FileReader(self.kinds, self.faults)
        results, problems = [], list(policies.problems)
        for done, policy in enumerate(selected):
            progress(done, len(selected))
            tests = policies.tests_of(policy)
            outcomes = [self._run_test(policy, test, reader) for test in tests]
            results += [result for result, _ in outcomes]
            problems += dict.fromkeys(fault for _, faults in outcomes for fault in faults)
            if not tests:
                problems += (*self._fault_problems(self._run_policy(policy, (), ())), _untested_problem(policy))
        return PolicyTestRun(selected, tuple(results), tuple(sorted(problems)))

    def _run_test(
        self, policy: Policy, test: PolicyTest, reader: FileReader
    ) -> tuple[PolicyTestResult, tuple[Problem, ...]]:
        """The result, and why the policy could not be run."""
        live, live_problems = _read_resources(reader, test.live)
        desired, desired_problems = _read_resources(reader, test.desired)
        if live_problems or desired_problems:
            return PolicyTestResult(test, problems=tuple(sorted((*live_problems, *desired_problems)))), ()
        verdict = self._run_policy(policy, live, desired)
        faults = self._fault_problems(verdict)
        return PolicyTestResult(test, verdict.violations, verdict.cut, faults, verdict.readings), faults

    def _run_policy(self, policy: Policy, live: Collection[Resource], desired: Collection[Resource]) -> Verdict:
        before = tuple(Row(resource, LIVE_COMMIT, LIVE_COMMIT) for resource in live)
        (verdict,) = self.engine.run([policy], self.kinds, before, _rows_after(before, desired, self.prune))
        return verdict

    def _fault_problems(self, verdict: Verdict) -> tuple[Problem, ...]:
        return locate_violations([verdict], self.kinds, lambda _: None) if verdict.fault else ()


def _rows_after(before: Collection[Row], desired: Collection[Resource], prune: Prune) -> tuple[Row, ...]:
    """The rows as one commit leaves them: those of what is declared now, and tombstones of what is not any more."""
    rows_before = {row.row_id: row for row in before}
    desired_ids = {resource.row_id for resource in desired}
    removal = Removal(DESIRED_COMMIT.commit, DESIRED_COMMIT.time, prune)
    gone = (Row(row.resource, row.created, row.updated, removal) for row in before if row.row_id not in desired_ids)
    return (*(_row_after(rows_before.get(resource.row_id), resource) for resource in desired), *gone)


def _row_after(before: Row | None, resource: Resource) -> Row:
    if before is None:
        return Row(resource, DESIRED_COMMIT, DESIRED_COMMIT)
    is_unchanged = before.resource.digest == resource.digest
    return Row(resource, before.created, before.updated if is_unchanged else DESIRED_COMMIT)


def _read_resources(reader: FileReader, files: Mapping[str, bytes]) -> tuple[tuple[Resource, ...], tuple[Problem, ...]]:
    entries = [reader.read_file(path, data) for path, data in files.items()]
    resources = tuple(resource for entry in entries for resource in entry.resources)
    return resources, tuple(problem for entry in entries for problem in entry.problems)


def _untested_problem(policy: Policy) -> Problem:
    message, hint = "this policy has no tests", f"give it tests/{policy.name}/pass-…/ and fail-…/ beside it"
    if isinstance(policy, Measure):
        message, hint = "this measure has no tests", f"give it tests/{policy.name}/is-VALUE/ beside it"
    return Problem(policy.path, 1, 1, UNTESTED, "", message, hint, Severity.WARNING)


def _list_names(known: Collection[str]) -> str:
    return f"there are: {list_words(known)}" if known else "a policy is a file such as policies/leverage-cap.sql"
