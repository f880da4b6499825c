"""What a reviewer is told of a plan beside its changes: rules, measures, what is touched, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import canonical, reviews
from reconciler.policy import BAD_POLICY, problem_code
from reconciler.report.escape import escape_line
from reconciler.report.problems import build_problem, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.problem import Policy, Problem
    from reconciler.model.review import Measurement, Reach, Remedy
    from reconciler.plan import Plan
    from reconciler.reconcile.measures import StateReadings

NOTHING = "-"
MAX_HOSTS = 100
"""Hosts that JSON names."""


def find_failed(plan: Plan) -> dict[Policy, Problem]:
    """The policies that found something or cannot be run, each with its worst problem, in order."""
    worst: dict[Policy, Problem] = {}
    by_code = {problem_code(policy): policy for policy in plan.review.policies}
    by_path = {policy.path: policy for policy in plan.review.policies}
    for problem in sorted(plan.problems, key=lambda problem: not problem.is_error):
        policy = by_path.get(problem.path) if problem.code == BAD_POLICY else by_code.get(problem.code)
        if policy is not None:
            worst.setdefault(policy, problem)
    return {policy: worst[policy] for policy in plan.review.policies if policy in worst}


def build_rules(plan: Plan) -> reviews.RulesSummary:
    found = find_failed(plan)
    failed = tuple(policy.name for policy, problem in found.items() if problem.is_error)
    return reviews.RulesSummary(
        total=len(plan.review.policies),
        passed=len(plan.review.policies) - len(failed),
        failed=failed,
        warned=tuple(policy.name for policy, problem in found.items() if not problem.is_error),
    )


def build_measurement(measured: Measurement) -> reviews.Measurement:
    return reviews.Measurement(
        measure=measured.measure,
        label=measured.label,
        unit=measured.unit,
        before=_shortest(measured.before),
        after=_shortest(measured.after),
        changed=measured.changed,
    )


def build_reach(reach: Reach) -> reviews.Reach:
    kinds = tuple(
        reviews.TouchedKind(kind=kind, changed=touched.changed, through=touched.through)
        for kind, touched in reach.kinds.items()
    )
    return reviews.Reach(kinds=kinds, hosts=reach.hosts[:MAX_HOSTS], complete=reach.complete)


def build_remedy(remedy: Remedy) -> reviews.Remedy:
    return reviews.Remedy(
        path=remedy.path,
        line=remedy.line,
        pointer=remedy.pointer,
        value=remedy.value or None,
        before=remedy.before,
        after=remedy.after,
    )


def build_measured_state(commit: str | None, state: StateReadings) -> reviews.MeasuredState:
    measures = tuple(
        reviews.Measured(measure=measure.name, label=reading.label, unit=reading.unit, value=_shortest(reading.value))
        for measure, readings in state.readings.items()
        for reading in readings
    )
    return reviews.MeasuredState(commit=commit, measures=measures, problems=tuple(map(build_problem, state.problems)))


def measure_lines(plan: Plan) -> Iterator[str]:
    """`Total risk of open trades: 8.4 % → 9.1 %`, for each figure that changes."""
    for measured in plan.review.measurements:
        if measured.before != measured.after:
            yield escape_line(f"{measured.label}: {format_step(measured)}")


def format_step(measured: Measurement) -> str:
    """`8.4 % → 9.1 %`, or `8.4 %, unchanged`."""
    before, after = (_with_unit(value, measured.unit) for value in (measured.before, measured.after))
    return f"{before}, unchanged" if before == after else f"{before} → {after}"


def rules_sentence(plan: Plan) -> str:
    """`26 rules, 24 passed`; empty where there are none."""
    summary = build_rules(plan)
    return f"{plural(summary.total, 'rule')}, {summary.passed:,} passed" if summary.total else ""


def count_of_kind(count: int, kind: str) -> str:
    """`13 widgets`; a name of several words stays as it is."""
    word = kind.lower() if kind[1:].islower() else kind
    if count == 1:
        return f"1 {word}"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{count:,} {word[:-1]}ies"
    return f"{count:,} {word}{'es' if word.endswith(('s', 'x', 'ch', 'sh')) else 's'}"


def _shortest(value: float | None) -> float | None:
    return None if value is None else canonical.shortest(value)


def _with_unit(value: float | None, unit: str) -> str:
    if value is None:
        return NOTHING
    return " ".join(part for part in (canonical.text(value), unit) if part)
