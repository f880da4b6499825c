"""Checks and plans as JSON, in the shapes of docs/commands.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import answers
from reconciler.report import plans, problems
from reconciler.report.escape import json_text

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import Checked


def checked(found: Checked) -> str:
    """`validate --format json`."""
    return json_text(problems.build_checked(found))


def plan(found: Plan, kinds: Kinds) -> str:
    """`plan --format json`: as the stores have it, so without units."""
    return json_text(answers.to_json(plans.build_plan(found)))
