"""The formats of `validate` and `plan`, in the order in which the commands offer them.

Each text ends without a line end. The `kinds` of a plan are those of its head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import answers
from reconciler.report import github, junit, markdown, sarif, text
from reconciler.report.escape import dump_json
from reconciler.report.plans import build_plan
from reconciler.report.problems import build_checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult


def render_checked_json(checked: CheckResult) -> str:
    """`validate --format json`"""
    return dump_json(build_checked(checked))


def render_plan_json(plan: Plan, kinds: Kinds) -> str:
    """`plan --format json`"""
    return dump_json(answers.to_json(build_plan(plan)))


PROBLEM_FORMATS: Mapping[str, Callable[[CheckResult], str]] = {
    "text": text.render_checked,
    "json": render_checked_json,
    "markdown": markdown.render_checked,
    "github": github.render_checked,
    "sarif": sarif.render_checked,
    "junit": junit.render_checked,
}
PLAN_FORMATS: Mapping[str, Callable[[Plan, Kinds], str]] = {
    "text": text.render_plan,
    "json": render_plan_json,
    "markdown": markdown.render_plan,
    "github": github.render_plan,
    "sarif": sarif.render_plan,
    "junit": junit.render_plan,
}
