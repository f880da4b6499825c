"""Workflow commands of GitHub Actions: annotations on the lines of a pull request.

The form and its escapes are those of docs.github.com, "Workflow commands for GitHub Actions", and of `command.ts` in
actions/toolkit. GitHub shows the first ten errors and the first ten warnings of a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.change import Op
from reconciler.report.escape import escape_block, escape_line
from reconciler.report.plans import SIGNS, change_title, prune_effect
from reconciler.report.problems import checked_counts, known_column, problem_counts, problem_text
from reconciler.report.text import outcome_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult

MAX_NAMED = 50
"""Deletions that the notice of a plan lists by name."""

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def workflow_command(name: str, properties: Mapping[str, str | int | None], message: str) -> str:
    """A workflow command; properties that are None are left out."""
    parameters = ",".join(
        f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items() if value is not None
    )
    return f"::{name} {parameters}::{message.translate(_DATA)}"


def render_checked(checked: CheckResult) -> str:
    """`validate --format github`: an annotation for each problem, and a notice with the counts."""
    notice = f"{checked_counts(checked)}: {problem_counts(checked.problems)}"
    return "\n".join([*map(_annotation, checked.problems), workflow_command("notice", {"title": "validate"}, notice)])


def render_plan(plan: Plan, kinds: Kinds) -> str:
    """`plan --format github`: an annotation for each problem, and a notice with the deletions and the outcome."""
    notice = "\n".join((*_deletion_lines(plan, kinds), *outcome_lines(plan)))
    return "\n".join([*map(_annotation, plan.problems), workflow_command("notice", {"title": "plan"}, notice)])


def _annotation(problem: Problem) -> str:
    properties: dict[str, str | int | None] = {
        "file": problem.path,
        "line": problem.line,
        "col": known_column(problem),
        "title": escape_line(problem.code),
    }
    return workflow_command(problem.severity, properties, escape_block(problem_text(problem)))


def _deletion_lines(plan: Plan, kinds: Kinds) -> Iterator[str]:
    deletions = [change for change in plan.changes if change.op is Op.DELETE]
    for change in deletions[:MAX_NAMED]:
        yield f"{SIGNS[change.op]} {change_title(change)} ({prune_effect(change, kinds)})"
    if len(deletions) > MAX_NAMED:
        yield f"and {len(deletions) - MAX_NAMED:,} more to delete"
