"""Kinds, policies with their tests, and formatted files: what people who write configuration look at."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, cast

from reconciler import answers
from reconciler.report import problems
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.format.format import Formatted
    from reconciler.kinds.kind import Kind
    from reconciler.model.problem import Violation
    from reconciler.reconcile.policytests import Policies, Tested, Trial
    from reconciler.scaffold.sample import FieldRow

KIND_HEADERS = ("kind", "table", "key", "columns", "from")
FIELD_HEADERS = ("field", "type", "unit", "allowed", "required", "description")


def build_kind_summary(kind: Kind, origin: str) -> answers.KindSummary:
    """A kind in short. `origin` is `shipped` or `repository`."""
    return answers.KindSummary(
        kind=kind.name,
        table=kind.table,
        key=kind.key,
        columns=len(kind.columns),
        origin=cast("answers.Origin", origin),
    )


def kind_cells(kind: answers.KindSummary) -> tuple[str, ...]:
    """A kind as a table's row."""
    return (kind.kind, kind.table, kind.key, str(kind.columns), kind.origin)


def field_cells(row: FieldRow) -> tuple[str, ...]:
    """One field, `-` where there is nothing to say."""
    required = "yes" if row.required else "no"
    cells = (row.name, row.type, row.unit, row.allowed, required, row.description)
    return tuple(cell or "-" for cell in cells)


POLICY_HEADERS = ("name", "title", "tests")


def policy_cells(policies: Policies) -> list[list[str]]:
    """Each policy as a table's row."""
    return [[one.name, one.title, str(len(policies.cases_of(one)))] for one in policies.members]


def build_policies(policies: Policies) -> list[dict[str, Any]]:
    """Each policy."""
    return [
        {"name": one.name, "title": one.title, "path": one.path, "tests": len(policies.cases_of(one))}
        for one in policies.members
    ]


def test_lines(tested: Tested) -> Iterator[str]:
    """Each test on a line, what keeps it from passing below; then what is wrong with the policies themselves."""
    width = max((len(_name(trial)) for trial in tested.trials), default=0)
    for trial in tested.trials:
        yield f"{'ok' if trial.passed else 'FAIL':<4}  {_name(trial):<{width}}  {_outcome(trial)}"
        own = () if trial.passed else (one for one in trial.problems if one not in tested.problems)
        yield from (f"      {problems.line(problem)}" for problem in own)
    yield from map(problems.line, tested.problems)


def test_summary(tested: Tested) -> str:
    """`75 tests of 26 policies: all as expected`"""
    outcome = f"{tested.failed:,} failed" if tested.failed else "all as expected"
    wrong = sum(problem.is_error for problem in tested.problems)
    also = f", {problems.plural(wrong, 'error')}" if wrong else ""
    policies = f"{len(tested.policies):,} {'policy' if len(tested.policies) == 1 else 'policies'}"
    return f"{problems.plural(len(tested.trials), 'test')} of {policies}: {outcome}{also}"


def build_policy_tests(tested: Tested) -> dict[str, Any]:
    """What came of all tests."""
    return {
        "tests": [_trial_json(trial) for trial in tested.trials],
        "problems": [answers.to_json(problems.build_problem(problem)) for problem in tested.problems],
        "summary": {"policies": len(tested.policies), "tests": len(tested.trials), "failed": tested.failed},
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "policy": trial.case.policy,
        "name": trial.case.name,
        "path": trial.case.folder,
        "passed": trial.passed,
        "violations": [_violation_json(violation) for violation in trial.violations],
        "problems": [answers.to_json(problems.build_problem(problem)) for problem in trial.problems],
    }


def _violation_json(violation: Violation) -> dict[str, Any]:
    return {
        "message": violation.message,
        "kind": violation.kind,
        "name": violation.name,
        "field": violation.field,
        "severity": str(violation.severity),
    }


def _name(trial: Trial) -> str:
    return f"{trial.case.policy}/{trial.case.name}"


def _outcome(trial: Trial) -> str:
    if trial.problems:
        return "not run: its files or the policy are not right"
    if not trial.violations:
        return "no violation, and one was to be found" if trial.case.wants_violation else "no violation"
    number, first = problems.plural(len(trial.violations), "violation"), trial.violations[0]
    unwanted = "" if trial.case.wants_violation else ", and none was to be found"
    about = " ".join(word for word in (first.kind, first.name, first.field) if word)
    more = " …" if len(trial.violations) > 1 else ""
    return f"{number}{unwanted}: {f'{about}: ' if about else ''}{first.message}{more}"


def formatting_summary(files: Sequence[Formatted], done: str, left: str) -> str:
    """`2 files reformatted, 26 files left unchanged`: what differs is counted as `done`, the rest as `left`."""
    unreadable = sum(bool(file.problems) for file in files)
    differing = sum(file.differs for file in files)
    unchanged = len(files) - differing - unreadable
    counts = ((differing, done), (unchanged, left), (unreadable, "not readable"))
    return ", ".join(f"{plural(count, 'file')} {word}" for count, word in counts if count)


def formatting_diff(file: Formatted) -> Iterator[str]:
    """The lines of a unified diff from a file to its canonical form, with what nobody would see in it written out."""
    before, after = _lines(file.before), _lines(file.after)
    yield from difflib.unified_diff(before, after, file.path, file.path, lineterm="")


def _lines(data: bytes) -> list[str]:
    *lines, rest = data.decode().replace("\r", "\\r").replace("\ufeff", "\\ufeff").split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines
