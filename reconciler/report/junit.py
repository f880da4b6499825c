"""JUnit XML, as GitLab and Jenkins read it: a test case for each file, and in a plan for each resource that changes.

A case has at most one `failure`, as GitLab and Jenkins show the first only: its text holds all errors of a file.
Warnings fail nothing and stand in `system-out`. The form is that of the Jenkins xUnit plugin's junit-10.xsd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.problem import Severity
from reconciler.report import plans, problems
from reconciler.report.escape import visible
from reconciler.report.plans import fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import Checked

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


class Case(NamedTuple):
    """One test case: errors make it fail, output is told beside."""

    group: str
    name: str
    errors: Sequence[Problem]
    output: Sequence[str]


def checked(found: Checked) -> str:
    """`validate --format junit`."""
    return _document([("validate", list(_files("validate", found.entries, found.problems)))])


def plan(found: Plan, kinds: Kinds) -> str:
    """`plan --format junit`: what changes, deletions first, and the files with problems."""
    changes = [_change(change, kinds) for change in found.changes]
    return _document([("plan: changes", changes), ("plan: files", list(_files("plan", (), found.problems)))])


def _files(group: str, paths: Iterable[str], found: Iterable[Problem]) -> Iterator[Case]:
    by_path: dict[str, list[Problem]] = {path: [] for path in paths}
    for problem in found:
        by_path.setdefault(problem.path, []).append(problem)
    for path, ones in sorted(by_path.items()):
        errors = [one for one in ones if one.severity is Severity.ERROR]
        warnings = [problems.line(one) for one in ones if one.severity is Severity.WARNING]
        yield Case(group, visible(path), errors, warnings)


def _change(change: Change, kinds: Kinds) -> Case:
    told = fate(change, kinds)
    name = f"{change.op} {plans.titled(change)}" + (f" ({told})" if told else "")
    return Case(f"plan.{change.op}", name, (), list(plans.full_lines(change, kinds)))


def _document(suites: Iterable[tuple[str, Sequence[Case]]]) -> str:
    parts = [_suite(name, cases) for name, cases in suites if cases]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="reconciler">', *parts, "</testsuites>"]
    )


def _suite(name: str, cases: Sequence[Case]) -> str:
    failures = sum(bool(case.errors) for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="0"'
    return "\n".join([f'  <testsuite name="{name}" {counts}>', *map(_case, cases), "  </testsuite>"])


def _case(case: Case) -> str:
    named = f'<testcase classname="{_escaped(visible(case.group))}" name="{_escaped(case.name)}"'
    inside = [*_failure(case.errors), *_output(case.output)]
    return "\n".join([f"    {named}>", *inside, "    </testcase>"]) if inside else f"    {named}/>"


def _failure(errors: Sequence[Problem]) -> Iterator[str]:
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1:,} more)" if len(errors) > 1 else ""
        told = f'type="{_escaped(visible(first.code))}" message="{_escaped(visible(first.message) + more)}"'
        yield f"      <failure {told}>{_text(map(problems.line, errors))}</failure>"


def _output(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"      <system-out>{_text(lines)}</system-out>"


def _text(lines: Iterable[str]) -> str:
    return "\n".join(map(_escaped, lines))


def _escaped(text: str) -> str:
    return text.translate(_ENTITIES)
