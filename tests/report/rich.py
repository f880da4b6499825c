"""A plan and a check that have a bit of everything: every effect of pruning, every type, and text that means harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds.kind import Kinds
from reconciler.model.change import Change, FileEntry, Op, Prune
from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.plan import Plan, sort_changes
from reconciler.reconcile.check import CheckResult
from reconciler.values import replace
from tests.support.kinds import GADGET, KINDS, WIDGET, WIDGET_COLUMNS, gadget, make_kind, widget

if TYPE_CHECKING:
    from reconciler.model.change import Resource

BASE, HEAD = "2e527c275aa0844ddc5b169270a34e54e5e0e560", "7cc2c160f1d0e2b7a4c9d8e6f5a4b3c2d1e0f9a8"
UNITS = {"weight": "kg", "ratio": "percent"}
WIDGET_WITH_UNITS = make_kind(
    WIDGET.name, [replace(column, unit=UNITS.get(column.name, "")) for column in WIDGET_COLUMNS]
)
RICH_KINDS = Kinds((GADGET, WIDGET_WITH_UNITS))
NASTY = (
    "a|b `c` <script>alert(1)</script> @ann #12 [x](https://evil.example)\n"
    "| ~~y~~ \\| \x1b[31mred \u202egnp.exe ![i](j)"
)
"""Markup, a mention, a link, a line end, an escape sequence of a terminal and a bidirectional control."""


def create(new: Resource) -> Change:
    """A create."""
    return Change(Op.CREATE, None, new)


def update(old: Resource, new: Resource) -> Change:
    """An update."""
    return Change(Op.UPDATE, old, new)


def delete(old: Resource, prune: Prune = Prune.DEACTIVATE) -> Change:
    """A delete."""
    return Change(Op.DELETE, old, None, prune)


PROBLEMS = (
    Problem(
        "gadgets/spare part.yaml", 3, NOT_LOCATED, "dangling-reference", "/metadata/refs/twin", "Gadget a refers to b"
    ),
    Problem("policies/weight.sql", 1, 1, "bad-policy", "", "no such column: wieght", "did you mean weight?"),
    Problem(
        "widgets/big.yaml",
        9,
        11,
        "policy/weight-limit",
        "/spec/weight",
        "100 % of 7,5 kg: too much",
        "",
        Severity.WARNING,
    ),
    Problem(
        "widgets/gone.yaml", 1, 1, "guard/prune-limit", "", "3 of 8 Widget leave git at once", "approve this commit"
    ),
    Problem("widgets/odd, name: 1%.yaml", 17, 13, "wrong-type", "/spec/label", NASTY, "write one line"),
)

PLAN = Plan(
    base=BASE,
    head=HEAD,
    changes=sort_changes(
        (
            update(
                widget("big", weight=30.0, parts={"screws": 4, "caps": {"gold": 20, "steel": None}}, ratio=0.1),
                widget(
                    "big", weight=7.5, parts={"screws": 4, "caps": {"gold": 30.0}, "nuts": []}, ratio=None, label=""
                ),
            ),
            update(
                gadget("linked", widget=("big",)),
                replace(gadget("linked", spares=("big", "small")), path="gadgets/moved.yaml", labels={"host": "b"}),
            ),
            update(widget("nasty"), widget("nasty", label=NASTY, path="widgets/odd, name: 1%.yaml")),
            create(widget("small", note="two\nlines", colour="GREEN", line=12)),
            delete(widget("gone", path="widgets/gone.yaml")),
            delete(widget("off", status="INACTIVE")),
            delete(widget("kept"), Prune.OFF),
            delete(widget("wiped"), Prune.DELETE),
            delete(gadget("without-status")),
        )
    ),
    problems=PROBLEMS,
    unchanged=26,
    state=BASE,
)
CALM = Plan(BASE, HEAD, (PLAN.changes[-1],), (), 1_234, BASE)
EMPTY = Plan(BASE, HEAD, (), (), 28, BASE)

CHECKED = CheckResult(
    PROBLEMS,
    {
        "gadgets/spare part.yaml": FileEntry((gadget("a"),), documents=1),
        "widgets/big.yaml": FileEntry((widget("big"), widget("small")), documents=2),
        "widgets/fine.yaml": FileEntry((widget("fine"),), documents=1),
    },
    KINDS,
)
CLEAN = CheckResult((), {"widgets/fine.yaml": FileEntry((widget("fine"),), documents=1)}, KINDS)
