"""The policies of a working tree and the folders that test them: `policies/tests/NAME/{pass,fail}*/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from reconciler.kinds.kind import did_you_mean
from reconciler.model.problem import Policy, Problem, Severity
from reconciler.pipeline.layout import RESOURCE_SUFFIXES, Layout, Role
from reconciler.pipeline.reading import not_a_file
from reconciler.policy.reading import read_policy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.model.commit import EntryType

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
