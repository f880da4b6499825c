"""Every format of checks and plans, in the order they are offered; both have the same ones.

A format is a module with two functions, `checked(checked)` and `plan(plan, kinds)`. Each returns a text without a line
end at its end. It is imported when it is asked for: `validate` starts in a quarter of a second.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import Checked

MODULES = {
    "text": "reconciler.report.text",
    "json": "reconciler.report.objects",
    "markdown": "reconciler.report.markdown",
    "github": "reconciler.report.github",
    "sarif": "reconciler.report.sarif",
    "junit": "reconciler.report.junit",
}


class Format(Protocol):
    """What the module of a format has."""

    def checked(self, found: Checked, /) -> str:
        """What came of a check."""
        ...

    def plan(self, found: Plan, kinds: Kinds, /) -> str:
        """What a plan says. `kinds` are those of its head: they know units, and what becomes of rows."""
        ...


def render(plan: Plan, kinds: Kinds, form: str) -> str:
    """A plan in one of `PLAN_FORMATS`."""
    return _named(form).plan(plan, kinds)


def render_checked(checked: Checked, form: str) -> str:
    """A check in one of `PROBLEM_FORMATS`."""
    return _named(form).checked(checked)


PROBLEM_FORMATS: Mapping[str, Callable[[Checked], str]] = {form: partial(render_checked, form=form) for form in MODULES}
PLAN_FORMATS: Mapping[str, Callable[[Plan, Kinds], str]] = {form: partial(render, form=form) for form in MODULES}


def _named(form: str) -> Format:
    return cast("Format", import_module(MODULES[form]))
