"""JUnit XML as GitLab and Jenkins read it: a test case for each file, and in a plan for each change.

GitLab and Jenkins show only the first `failure` of a case, so it holds all errors of a file. Warnings do not fail a
case and are in `system-out`. The schema is junit-10.xsd of the Jenkins xUnit plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.problem import Severity
from reconciler.report.escape import escape_line
from reconciler.report.plans import change_title, full_change_lines, prune_effect
from reconciler.report.problems import problem_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


class Case(NamedTuple):
    """A test case; errors make it fail."""

    group: str
    name: str
    errors: Sequence[Problem]
    output: Sequence[str]


def render_checked(checked: CheckResult) -> str:
    """`validate --format junit`"""
    return _render_document([("validate", list(_file_cases("validate", checked.entries, checked.problems)))])


def render_plan(plan: Plan, kinds: Kinds) -> str:
    """`plan --format junit`: the changes, deletions first, and the files with problems."""
    changes = [_change_case(change, kinds) for change in plan.changes]
    files = list(_file_cases("plan", (), plan.problems))
    return _render_document([("plan: changes", changes), ("plan: files", files)])


def _file_cases(group: str, paths: Iterable[str], problems: Iterable[Problem]) -> Iterator[Case]:
    by_path: dict[str, list[Problem]] = {path: [] for path in paths}
    for problem in problems:
        by_path.setdefault(problem.path, []).append(problem)
    for path, in_file in sorted(by_path.items()):
        errors = [problem for problem in in_file if problem.severity is Severity.ERROR]
        warnings = [problem_line(problem) for problem in in_file if problem.severity is Severity.WARNING]
        yield Case(group, escape_line(path), errors, warnings)


def _change_case(change: Change, kinds: Kinds) -> Case:
    effect = prune_effect(change, kinds)
    name = f"{change.op} {change_title(change)}" + (f" ({effect})" if effect else "")
    return Case(f"plan.{change.op}", name, (), list(full_change_lines(change, kinds)))


def _render_document(suites: Iterable[tuple[str, Sequence[Case]]]) -> str:
    parts = [_render_suite(name, cases) for name, cases in suites if cases]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="reconciler">', *parts, "</testsuites>"]
    )


def _render_suite(name: str, cases: Sequence[Case]) -> str:
    failures = sum(bool(case.errors) for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="0"'
    return "\n".join([f'  <testsuite name="{name}" {counts}>', *map(_render_case, cases), "  </testsuite>"])


def _render_case(case: Case) -> str:
    tag = f'<testcase classname="{_escape_xml(escape_line(case.group))}" name="{_escape_xml(case.name)}"'
    content = [*_failure_lines(case.errors), *_output_lines(case.output)]
    return "\n".join([f"    {tag}>", *content, "    </testcase>"]) if content else f"    {tag}/>"


def _failure_lines(errors: Sequence[Problem]) -> Iterator[str]:
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1:,} more)" if len(errors) > 1 else ""
        code, message = _escape_xml(escape_line(first.code)), _escape_xml(escape_line(first.message) + more)
        text = _escape_lines(map(problem_line, errors))
        yield f'      <failure type="{code}" message="{message}">{text}</failure>'


def _output_lines(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"      <system-out>{_escape_lines(lines)}</system-out>"


def _escape_lines(lines: Iterable[str]) -> str:
    return "\n".join(map(_escape_xml, lines))


def _escape_xml(text: str) -> str:
    return text.translate(_ENTITIES)
