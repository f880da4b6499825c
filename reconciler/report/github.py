"""Workflow commands of GitHub Actions: annotations on the lines of a pull request.

The form and its escapes are those of docs.github.com, "Workflow commands for GitHub Actions", and of `command.ts` in
actions/toolkit. GitHub shows the first ten errors and the first ten warnings of a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.change import Op
from reconciler.report import plans, problems, text
from reconciler.report.escape import visible, visible_lines
from reconciler.report.plans import fate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import Checked

NAMED = 50
"""Deletions that the notice of a plan names."""

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def command(name: str, properties: Mapping[str, str | int | None], message: str) -> str:
    """One workflow command; a property that is None is left out."""
    told = ",".join(
        f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items() if value is not None
    )
    return f"::{name} {told}::{message.translate(_DATA)}"


def checked(found: Checked) -> str:
    """`validate --format github`: an annotation for each problem, and a notice that counts."""
    notice = f"{problems.scope(found)}: {problems.counts(found.problems)}"
    return "\n".join([*map(_annotation, found.problems), command("notice", {"title": "validate"}, notice)])


def plan(found: Plan, kinds: Kinds) -> str:
    """`plan --format github`: an annotation for each problem, and a notice that names what is deleted and counts."""
    notice = "\n".join((*_deletions(found, kinds), *text.outcome(found)))
    return "\n".join([*map(_annotation, found.problems), command("notice", {"title": "plan"}, notice)])


def _annotation(problem: Problem) -> str:
    properties: dict[str, str | int | None] = {
        "file": problem.path,
        "line": problem.line,
        "col": problems.column(problem),
        "title": visible(problem.code),
    }
    return command(problem.severity, properties, visible_lines(problems.told(problem)))


def _deletions(plan: Plan, kinds: Kinds) -> Iterator[str]:
    gone = [change for change in plan.changes if change.op is Op.DELETE]
    for change in gone[:NAMED]:
        yield f"{plans.SIGNS[change.op]} {plans.titled(change)} ({fate(change, kinds)})"
    if len(gone) > NAMED:
        yield f"and {len(gone) - NAMED:,} more to delete"
