"""Which changes are told together, and how large they are."""

from __future__ import annotations

from math import inf

import pytest

from reconciler.kinds.kind import Kinds, UnitChoice
from reconciler.plan import Plan
from reconciler.report.comment import render_plan
from reconciler.report.groups import group_updates
from reconciler.report.plans import changed_fields
from reconciler.values import replace
from tests.report.rich import BASE, HEAD, update
from tests.support.kinds import WIDGET, WIDGET_COLUMNS, make_kind, widget

SIZED = make_kind(
    WIDGET.name,
    [
        replace(column, unit="lots or percent", unit_choice=UnitChoice("colour", {"RED": "lots", "GREEN": "percent"}))
        if column.name == "weight"
        else column
        for column in WIDGET_COLUMNS
    ],
)
KINDS = Kinds((SIZED,))


def test_no_factor_leads_from_one_unit_to_another() -> None:
    flipped = [
        update(widget(name, colour="RED", weight=old), widget(name, colour="GREEN", weight=new))
        for name, old, new in (("a", 0.1, 2.0), ("b", 0.3, 5.0))
    ]
    (first, second) = group_updates(flipped, KINDS)
    assert (first.field, first.old_unit, first.new_unit) == ("weight", "lots", "percent")
    assert (first.ratios, first.factor, first.size) == (None, inf, "")
    assert second.field == "colour"
    page = render_plan(Plan(BASE, HEAD, tuple(flipped), (), 0, BASE), KINDS)
    assert "| 2 widgets | `weight` | `0.1…0.3` lots → `2…5` percent | other unit |" in page
    assert "| `weight` | `0.1` lots | `2` percent |" in page
    assert "`weight` changes" in page.splitlines()[1]
    assert "percent or" not in page
    assert "or percent" not in page


def test_a_value_that_stays_and_gets_another_unit_changes() -> None:
    flip = update(widget("a", colour="RED", weight=0.1), widget("a", colour="GREEN", weight=0.1))
    told = {field.name: field.transition for field in changed_fields(flip, KINDS)}
    assert told == {"colour": "RED → GREEN", "weight": "0.1 lots → 0.1 percent"}
    alike = update(widget("a", colour="RED", weight=0.1), widget("a", colour="RED", weight=0.2))
    assert [field.transition for field in changed_fields(alike, KINDS)] == ["0.1 → 0.2 lots"]


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([(1, 2), (4, 6)], [((1.5, 2.0), 2)]),
        ([(1, 2), (4, 1)], [((0.25, 0.25), 1), ((2.0, 2.0), 1)]),
        ([(4.5, 6.2), (7, 6.2)], [((6.2 / 7, 6.2 / 4.5), 2)]),
        ([(0, 1), (1, 1.1)], [(None, 1), ((1.1, 1.1), 1)]),
        ([(0, 6.2), (4, 6.2), (7, 6.2)], [(None, 1), ((6.2 / 7, 6.2 / 4), 2)]),
        ([(0, 1), (1, 0)], [(None, 1), (None, 1)]),
        ([(1, 0), (5, 0), (2, 3)], [(None, 2), ((1.5, 1.5), 1)]),
        ([(-5, -3), (-3, -5)], [(None, 1), (None, 1)]),
    ],
)
def test_what_rises_falls_or_becomes_nothing_is_told_apart(
    pairs: list[tuple[float, float]], told: list[tuple[tuple[float, float] | None, int]]
) -> None:
    changes = [
        update(widget(f"w{at}", colour="RED", weight=old), widget(f"w{at}", colour="RED", weight=new))
        for at, (old, new) in enumerate(pairs)
    ]
    found = group_updates(changes, KINDS)
    assert [(group.ratios and pytest.approx(group.ratios), len(group.resources)) for group in found] == told


def test_a_rename_is_told_as_one() -> None:
    renamed = update(widget("old"), replace(widget("old"), name="new"))
    page = render_plan(Plan(BASE, HEAD, (renamed,), (), 0, BASE), KINDS)
    assert page.splitlines()[1] == "### ✅ widget `old` is renamed `new`"
    many = tuple(update(widget(f"a{at}"), replace(widget(f"a{at}", note="x"), name=f"b{at}")) for at in range(3))
    (first, second) = group_updates(many, KINDS)
    assert (first.field, second.field) == ("name", "note")
    page = render_plan(Plan(BASE, HEAD, many, (), 0, BASE), KINDS)
    assert page.splitlines()[1] == "### ✅ 3 widgets are renamed"
