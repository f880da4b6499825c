"""What the commands for writing configuration show: kinds, policy tests, formatted files."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from reconciler import answers, canonical
from reconciler.model.problem import Measure
from reconciler.reconcile.policytests import Expectation
from reconciler.report.problems import build_problem, plural, problem_line
from reconciler.report.tables import Column, Nature, TextTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.format.format import Formatted
    from reconciler.model.problem import Reading, Violation
    from reconciler.reconcile.policytests import Policies, PolicyTestResult, PolicyTestRun
    from reconciler.scaffold.template import FieldDescription

POLICY_COLUMNS = (Column("name", 0, Nature.NAME), Column("title", 1, Nature.TEXT), Column("tests", 2, Nature.NUMBER))
FIELD_COLUMNS = (
    Column("field", 0, Nature.NAME),
    Column("type", 1),
    Column("unit", 5),
    Column("allowed", 2, Nature.TEXT),
    Column("required", 4),
    Column("description", 3, Nature.TEXT),
)


def field_table(fields: Sequence[FieldDescription]) -> TextTable:
    """The fields of a kind as a table."""
    return TextTable(FIELD_COLUMNS, list(map(_field_cells, fields)))


def _field_cells(row: FieldDescription) -> tuple[str, ...]:
    """The cells of a field; `-` for an empty one."""
    required = "yes" if row.required else "no"
    cells = (row.name, row.type, row.unit, row.allowed, required, row.description)
    return tuple(cell or "-" for cell in cells)


def policy_table(policies: Policies) -> TextTable:
    """A row for each policy."""
    rows = [[policy.name, policy.title, str(len(policies.tests_of(policy)))] for policy in policies.members]
    return TextTable(POLICY_COLUMNS, rows)


def build_policies(policies: Policies) -> list[dict[str, Any]]:
    """The JSON array of `policy list`."""
    return [
        {
            "name": policy.name,
            "title": policy.title,
            "path": policy.path,
            "tests": len(policies.tests_of(policy)),
        }
        for policy in policies.members
    ]


def policy_test_lines(tested: PolicyTestRun) -> Iterator[str]:
    """A line for each test with its problems below, then the problems of the policies."""
    width = max((len(_test_title(trial)) for trial in tested.results), default=0)
    for trial in tested.results:
        yield f"{'ok' if trial.passed else 'FAIL':<4}  {_test_title(trial):<{width}}  {_test_outcome(trial)}"
        own = () if trial.passed else (problem for problem in trial.problems if problem not in tested.problems)
        yield from (f"      {problem_line(problem)}" for problem in own)
    yield from map(problem_line, tested.problems)


def policy_test_summary(tested: PolicyTestRun) -> str:
    """`75 tests of 26 policies: all as expected`"""
    outcome = f"{tested.failed:,} failed" if tested.failed else "all as expected"
    errors = sum(problem.is_error for problem in tested.problems)
    also = f", {plural(errors, 'error')}" if errors else ""
    measures = sum(isinstance(policy, Measure) for policy in tested.policies)
    number = len(tested.policies) - measures
    policies = [f"{number:,} {'policy' if number == 1 else 'policies'}"] if number or not measures else []
    told = " and ".join((*policies, *([plural(measures, "measure")] if measures else ())))
    return f"{plural(len(tested.results), 'test')} of {told}: {outcome}{also}"


def build_policy_tests(tested: PolicyTestRun) -> dict[str, Any]:
    """The JSON object of `policy test`."""
    return {
        "tests": [_build_test(trial) for trial in tested.results],
        "problems": [answers.to_json(build_problem(problem)) for problem in tested.problems],
        "summary": {"policies": len(tested.policies), "tests": len(tested.results), "failed": tested.failed},
    }


def _build_test(trial: PolicyTestResult) -> dict[str, Any]:
    return {
        "policy": trial.test.policy,
        "name": trial.test.name,
        "path": trial.test.folder,
        "passed": trial.passed,
        "violations": [_build_violation(violation) for violation in trial.violations],
        "problems": [answers.to_json(build_problem(problem)) for problem in trial.problems],
        **({"readings": [_build_reading(one) for one in trial.readings]} if trial.readings else {}),
    }


def _build_reading(reading: Reading) -> dict[str, Any]:
    return {"label": reading.label, "value": reading.value, "unit": reading.unit}


def _build_violation(violation: Violation) -> dict[str, Any]:
    return {
        "message": violation.message,
        "kind": violation.kind,
        "name": violation.name,
        "field": violation.field,
        "severity": str(violation.severity),
    }


def _test_title(trial: PolicyTestResult) -> str:
    return f"{trial.test.policy}/{trial.test.name}"


def _test_outcome(trial: PolicyTestResult) -> str:
    if trial.problems:
        return "not run: its files or the policy are not right"
    if not isinstance(trial.test.expected, Expectation):
        return _measured_outcome(trial, trial.test.expected)
    if not trial.violations:
        return "no violation, and one was to be found" if trial.test.expects_violation else "no violation"
    number, first = plural(len(trial.violations), "violation"), trial.violations[0]
    unwanted = "" if trial.test.expects_violation else ", and none was to be found"
    about = " ".join(word for word in (first.kind, first.name, first.field) if word)
    more = " …" if len(trial.violations) > 1 else ""
    return f"{number}{unwanted}: {f'{about}: ' if about else ''}{first.message}{more}"


def _measured_outcome(trial: PolicyTestResult, expected: float) -> str:
    first = trial.readings[0] if trial.readings else None
    figure = " ".join((canonical.text(first.value), first.unit)).strip() if first else "no figure"
    wanted = "" if trial.passed else f", and {canonical.text(expected)} was to be found"
    return f"{figure}{wanted}" + (f": {first.label}" if first else "")


def format_summary(files: Sequence[Formatted], done: str, left: str) -> str:
    """`2 files reformatted, 26 files left unchanged`, where `done` is `reformatted` and `left` is `left unchanged`."""
    unreadable = sum(bool(file.problems) for file in files)
    differing = sum(file.differs for file in files)
    unchanged = len(files) - differing - unreadable
    counts = ((differing, done), (unchanged, left), (unreadable, "not readable"))
    return ", ".join(f"{plural(count, 'file')} {word}" for count, word in counts if count)


def format_diff(file: Formatted) -> Iterator[str]:
    """A unified diff from a file to its canonical form, with carriage returns and byte order marks escaped."""
    before, after = _diff_input(file.before), _diff_input(file.after)
    yield from difflib.unified_diff(before, after, file.path, file.path, lineterm="")


def _diff_input(data: bytes) -> list[str]:
    *lines, rest = data.decode().replace("\r", "\\r").replace("\ufeff", "\\ufeff").split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines
