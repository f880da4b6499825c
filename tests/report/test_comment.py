"""What a comment leaves out where there is much: never what matters more, and never without a word."""

from __future__ import annotations

import re

import pytest

from reconciler.model.change import Prune
from reconciler.model.problem import Policy
from reconciler.model.review import Measurement, Review
from reconciler.plan import Plan, sort_changes
from reconciler.report.comment import render_plan
from reconciler.report.links import Links
from reconciler.report.markdown import MAX_COMMENT
from reconciler.report.plans import build_plan, outcome_lines
from reconciler.report.review import rules_sentence
from reconciler.values import replace
from tests.report.rich import BASE, HEAD, RICH_KINDS, create, delete, update
from tests.support.kinds import gadget, widget

LINKS = Links(f"https://git.example.com/desk/config/blob/{HEAD}")


def test_what_comes_and_what_goes_leave_room_for_what_changes() -> None:
    new = [create(gadget(f"new-{at:04}-{'x' * 40}")) for at in range(900)]
    gone = [delete(gadget(f"gone-{at:04}-{'x' * 40}")) for at in range(900)]
    changed = [update(widget(f"w{at:03}"), widget(f"w{at:03}", weight=100.0 + at, ratio=0.3)) for at in range(60)]
    plan = Plan(BASE, HEAD, sort_changes((*new, *gone, *changed)), (), 0, BASE)
    page = render_plan(plan, RICH_KINDS, LINKS)
    assert len(page.encode()) <= MAX_COMMENT
    assert re.findall(r"^\| 60 widgets \| `(\w+)`", page, re.MULTILINE) == ["weight", "ratio"]
    assert len(re.findall(r"^\| update \| `w", page, re.MULTILINE)) == 60
    assert "| 900 gadgets | added |" in page
    gone_left = 900 - len(re.findall(r"Gadget `gone-", page))
    new_left = 900 - len(re.findall(r"^\| create \| `new-", page, re.MULTILINE))
    assert gone_left > 0 < new_left
    assert f"… and {gone_left} more deletions and {new_left} more creations that this comment has no room for" in page


def test_the_figure_that_moves_is_told_among_many() -> None:
    still = [Measurement("by-broker", f"Broker {at}", "%", 5, 5) for at in range(40)]
    moves = [Measurement("by-broker", f"Moved {at}", "%", 5, 5 + at) for at in range(1, 15)]
    review = Review(measurements=(*still, *moves, Measurement("by-broker", "Gone", "%", 5, None)))
    plan = Plan(BASE, HEAD, (), (), 0, BASE, review=review)
    page = render_plan(plan, RICH_KINDS)
    assert re.findall(r"\*\*(\w+ ?\d*): ", page) == ["Gone", *(f"Moved {at}" for at in range(14, 5, -1))]
    assert "- 45 more figures of the desk's measures, 5 of them change\n" in page
    few = render_plan(replace(plan, review=Review(measurements=(*still, moves[0]))), RICH_KINDS)
    assert "**Moved 1: 5 % → 6 %**" in few
    assert "- 31 more figures of the desk's measures, unchanged\n" in few
    assert sum("Moved" in line for line in outcome_lines(plan, RICH_KINDS)) == 14


@pytest.mark.parametrize("number", [300, 5_000])
def test_json_has_the_figures_that_move(number: int) -> None:
    figures = tuple(Measurement("m", f"f{at}", "", 1, 1 + (at == number - 1)) for at in range(number))
    told = build_plan(Plan(BASE, HEAD, (), (), 0, BASE, review=Review(measurements=figures)), RICH_KINDS).measures
    assert len(told) == 200
    assert told[-1].label == f"f{number - 1}"


def test_rules_that_did_not_see_everything_have_not_judged_everything() -> None:
    review = Review(
        policies=(Policy("x", "policies/x.sql", "X", ""),), measurements=(Measurement("m", "F", "%", 1, 1),)
    )
    plan = Plan(BASE, HEAD, (), (), 0, BASE, partial=("a.yaml", "b.yaml"), files=9, review=review)
    assert rules_sentence(plan) == "1 rule, 1 passed, but none saw 2 files that cannot be read"
    assert not build_plan(plan, RICH_KINDS).rules.complete
    assert "F: 1 %, unchanged (without what cannot be read)" in render_plan(plan, RICH_KINDS)


def test_what_leaves_git_alone_is_not_called_removed() -> None:
    plan = Plan(BASE, HEAD, (delete(widget("a"), Prune.OFF), delete(widget("b"))), (), 0, BASE)
    assert "1 widget removed, 1 widget removed from git only" in render_plan(plan, RICH_KINDS).splitlines()[1]


@pytest.mark.parametrize(
    ("address", "before"),
    [
        (f"https://git.example.com/desk/blob/{HEAD}", f"https://git.example.com/desk/blob/{BASE}"),
        (f"https://git.example.com/desk/blob/{HEAD[:8]}/sub", f"https://git.example.com/desk/blob/{BASE}/sub"),
        ("https://git.example.com/desk/blob/main", ""),
        ("", ""),
    ],
)
def test_places_that_are_gone_lead_to_the_commit_before(address: str, before: str) -> None:
    links = Links(address).since(BASE, HEAD, {"gone.yaml"})
    assert links.to_line("here.yaml", 2) == (f"{address}/here.yaml#L2" if address else "")
    for told in (links.to_line("gone.yaml", 2), links.to_old_line("gone.yaml", 2)):
        assert told == (f"{before}/gone.yaml#L2" if before else "")
    page = render_plan(
        Plan(BASE, HEAD, (delete(widget("a", path="gone.yaml")),), (), 0, BASE), RICH_KINDS, Links(address)
    )
    assert f"{address}/gone.yaml" not in page if address else "](" not in page
