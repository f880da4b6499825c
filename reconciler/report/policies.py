"""Policies and their tests as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.policy import Violation
    from reconciler.pipeline.policycases import Policies
    from reconciler.pipeline.policytest import Tested, Trial

HEADERS = ("name", "title", "tests")


def cells(policies: Policies) -> list[list[str]]:
    """Each policy as a table's row."""
    return [[one.name, one.title, str(len(policies.cases_of(one)))] for one in policies.members]


def policies_json(policies: Policies) -> list[dict[str, Any]]:
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


def tested_json(tested: Tested) -> dict[str, Any]:
    """What came of all tests."""
    return {
        "tests": [_trial_json(trial) for trial in tested.trials],
        "problems": [problems.as_json(problem) for problem in tested.problems],
        "summary": {"policies": len(tested.policies), "tests": len(tested.trials), "failed": tested.failed},
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "policy": trial.case.policy,
        "name": trial.case.name,
        "path": trial.case.folder,
        "passed": trial.passed,
        "violations": [_violation_json(violation) for violation in trial.violations],
        "problems": [problems.as_json(problem) for problem in trial.problems],
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
