"""What a reviewer is told of a plan beside its changes: rules, measures, what is touched, and what to write instead."""

from __future__ import annotations

from math import inf
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
MAX_HOSTS, MAX_FIGURES = 100, 200
"""Hosts and figures that JSON has."""
MAX_MOVES = 20
"""Figures that text has."""


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
        complete=not plan.partial,
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


def sort_measurements(plan: Plan) -> list[Measurement]:
    """The figures, those that move most first."""
    return sorted(plan.review.measurements, key=lambda one: -_movement(one))


def _movement(measured: Measurement) -> float:
    """By what part of itself a figure moves; more than by anything where it comes or goes."""
    before, after = measured.before, measured.after
    if before == after:
        return 0
    return inf if before is None or after is None else abs(after - before) / max(abs(before), abs(after))


def build_measurements(plan: Plan) -> tuple[reviews.Measurement, ...]:
    """The figures in their order; of very many those that move most."""
    chosen = set(sort_measurements(plan)[:MAX_FIGURES])
    return tuple(build_measurement(one) for one in plan.review.measurements if one in chosen)


def measure_lines(plan: Plan) -> Iterator[str]:
    """`Total risk of open trades: 8.4 % → 9.1 %`, for each figure that changes."""
    moved = [one for one in sort_measurements(plan) if one.before != one.after]
    for measured in moved[:MAX_MOVES]:
        yield escape_line(f"{measured.label}: {format_step(measured)}")
    if len(moved) > MAX_MOVES:
        yield f"{plural(len(moved) - MAX_MOVES, 'more figure')} of the desk's measures that change"


def format_step(measured: Measurement) -> str:
    """`8.4 % → 9.1 %`, or `8.4 %, unchanged`."""
    before, after = (_with_unit(value, measured.unit) for value in (measured.before, measured.after))
    return f"{before}, unchanged" if before == after else f"{before} → {after}"


def rules_sentence(plan: Plan) -> str:
    """`26 rules, 24 passed`; empty where there are none."""
    summary = build_rules(plan)
    if not summary.total:
        return ""
    unread = f", but none saw {plural(len(plan.partial), 'file')} that cannot be read" if plan.partial else ""
    return f"{plural(summary.total, 'rule')}, {summary.passed:,} passed{unread}"


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
