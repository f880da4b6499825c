"""What people read at a terminal: fields, units, effects of pruning, and nothing that a terminal obeys."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from reconciler import answers
from reconciler.model.change import Prune
from reconciler.model.problem import Problem
from reconciler.plan import Plan
from reconciler.report.escape import escape_block, escape_line
from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from reconciler.report.plans import (
    LineStyle,
    build_change,
    changed_fields,
    full_change_lines,
    plan_lines,
    plan_summary,
    prune_effect,
)
from reconciler.report.problems import problem_line
from reconciler.values import replace
from tests.report.rich import BASE, EMPTY, HEAD, PLAN, RICH_KINDS, create, delete, update
from tests.report.texts import CHECKS, PLANS, TEXTS
from tests.support.kinds import GADGET, KINDS, gadget, widget
from tests.support.laws import examples

if TYPE_CHECKING:
    from reconciler.model.change import Change
    from reconciler.reconcile.check import CheckResult

OBEYED = {"Cc", "Cs", "Zl", "Zp"}
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def _harmless(told: str) -> bool:
    return all(
        unicodedata.category(one) not in OBEYED and unicodedata.bidirectional(one) not in TURNING
        for one in told.replace("\n", "")
    )


@given(TEXTS)
def test_visible_text_does_nothing_to_a_terminal(raw: str) -> None:
    shown = escape_line(raw)
    assert _harmless(shown)
    assert "\n" not in shown
    assert escape_line(shown) == shown
    assert escape_block(raw).count("\n") == raw.count("\n")
    shown.encode("utf-8")


@pytest.mark.parametrize("calm", ["EURUSD.r", r"C:\MT5\new", "é € 😀", "ab", "न\u200dम", ""])
def test_what_is_harmless_stays_as_it_is(calm: str) -> None:
    assert escape_line(calm) == calm


@settings(max_examples=examples(25))
@given(PLANS)
def test_a_plan_is_lines_of_its_own_making(found: Plan) -> None:
    told = PLAN_FORMATS["text"](found, KINDS)
    assert _harmless(told)
    assert told.splitlines() == told.split("\n")
    assert told.split("\n")[-1] == plan_summary(found)


@settings(max_examples=examples(25))
@given(CHECKS)
def test_a_check_is_a_line_for_each_problem_and_one_more(found: CheckResult) -> None:
    told = PROBLEM_FORMATS["text"](found)
    assert _harmless(told)
    assert len(told.split("\n")) == len(found.problems) + 1


def test_deletions_come_first_and_say_what_becomes_of_the_row() -> None:
    lines = PLAN_FORMATS["text"](PLAN, RICH_KINDS).splitlines()
    signs = [line[0] for line in lines if line[:1] in "+~-" and line[:1]]
    assert signs == sorted(signs, key="-+~".index)
    assert "- Widget gone  widgets/gone.yaml:1  (row becomes INACTIVE)" in lines


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (delete(widget("a")), "row becomes INACTIVE"),
        (delete(widget("a", status="INACTIVE")), "row stays INACTIVE"),
        (delete(widget("a"), Prune.OFF), "row stays as it is"),
        (delete(widget("a"), Prune.DELETE), "row is deleted"),
        (delete(gadget("a")), "row is deleted"),
        (create(widget("a")), ""),
    ],
)
def test_the_effect_of_pruning_on_a_row(gone: Change, told: str) -> None:
    assert prune_effect(gone, KINDS) == told


def test_the_effect_of_pruning_on_a_row_whose_kind_is_gone() -> None:
    assert prune_effect(delete(widget("a")), type(KINDS)((GADGET,))) == "row is deleted"


def _told(old: object, new: object) -> list[tuple[str, str | None, str | None]]:
    change = update(widget("a", parts=old), widget("a", parts=new))
    return [(one.name, one.old, one.new) for one in changed_fields(change, KINDS)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"gold": 20, "fx": 30}, {"gold": 30.5, "fx": 30}, [("parts.gold", "20", "30.5")]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, [("parts.a.c", "2", None)]),
        (None, {"b": 1, "a": [1]}, [("parts.a", None, "[1]"), ("parts.b", None, "1")]),
        ({"a": 1}, None, [("parts.a", "1", None)]),
        ({"a": 1}, {}, [("parts", '{"a":1}', "{}")]),
        ({"a": None}, {}, [("parts", '{"a":null}', "{}")]),
        ({"a": None, "b": 1}, {"b": 1}, [("parts.a", "null", None)]),
        ({"a": 1}, [1], [("parts", '{"a":1}', "[1]")]),
        ({"a": "null"}, {"a": None}, [("parts.a", "'null'", "null")]),
        ({"a": ""}, {"a": " it's"}, [("parts.a", "''", "' it''s'")]),
        ({"a": "-"}, {"b": "-"}, [("parts.a", "'-'", None), ("parts.b", None, "'-'")]),
    ],
)
def test_json_is_told_by_the_members_that_changed(
    old: object, new: object, told: list[tuple[str, str | None, str | None]]
) -> None:
    assert _told(old, new) == told


def test_units_stand_behind_the_number_that_is_there() -> None:
    told = {
        one.name: one.transition
        for one in changed_fields(update(widget("a", ratio=0.5), widget("a", ratio=None)), RICH_KINDS)
    }
    assert told == {"ratio": "0.5 percent → -"}
    told = {
        one.name: one.transition for one in changed_fields(update(widget("a", weight=0.75), widget("a")), RICH_KINDS)
    }
    assert told == {"weight": "0.75 → 30 kg"}


def test_a_change_that_no_field_shows_is_told_all_the_same() -> None:
    same = update(widget("a"), widget("a"))
    assert list(full_change_lines(same, KINDS)) == ["~ Widget a  widget_config/a.yaml:1"]
    for form in ("markdown", "junit", "json"):
        assert "a" in PLAN_FORMATS[form](Plan(BASE, HEAD, (same,)), KINDS)


def test_an_invalid_base_is_told_with_what_was_taken_instead() -> None:
    told = PLAN_FORMATS["text"](replace(PLAN, state="0" * 40), RICH_KINDS)
    assert "2e527c27 is invalid: the changes are those since 00000000, the last valid commit before it\n" in told
    assert "2e527c27 is invalid: the changes are those since nothing\n" in PLAN_FORMATS["text"](
        replace(PLAN, state=None), RICH_KINDS
    )
    assert "invalid" not in PLAN_FORMATS["text"](PLAN, RICH_KINDS)
    assert "invalid" not in PLAN_FORMATS["text"](replace(EMPTY, base=None, state=None), RICH_KINDS)


def test_what_is_refused_for_what_is_written_has_no_calm_last_lines() -> None:
    told = PLAN_FORMATS["text"](replace(EMPTY, problems=PLAN.problems), RICH_KINDS).splitlines()
    assert told[-2:] == [
        "refused: 7cc2c160 has 4 errors, 1 warning; no row changes until that is mended",
        "0 to create, 0 to update, 0 to delete.",
    ]


def test_lines_are_told_by_their_sort() -> None:
    sorts = [sort for sort, line in plan_lines(PLAN, RICH_KINDS) if line]
    assert sorts == sorted(sorts, key=list(LineStyle).index)
    assert sum(sort is LineStyle.PROBLEM for sort in sorts) == len(PLAN.problems)


def test_a_problem_without_a_column_is_told_at_the_first() -> None:
    assert problem_line(Problem("a.yaml", 3, 0, "x", "", "y")) == "a.yaml:3:1: error [x]: y"


@settings(max_examples=examples(25))
@given(PLANS)
def test_json_has_the_shape_of_the_contract_and_no_raw_control_character(found: Plan) -> None:
    told = PLAN_FORMATS["json"](found, KINDS)
    assert _harmless(told)
    value = json.loads(told)
    contract = ["base", "head", "changes", "summary", "problems", "partial", "digest"]
    assert list(value) == [*contract, "rules", "measures", "touches", "remedies", "behind", "rule_changes", "risk"]
    assert [one["name"] for one in value["changes"]] == [change.resource.name for change in found.changes]
    assert value["summary"]["unchanged"] == found.unchanged
    assert [one["message"] for one in value["problems"]] == [problem.message for problem in found.problems]


def test_json_writes_a_whole_number_as_one() -> None:
    change = build_change(update(widget("a", weight=30.0), widget("a", weight=7.0)), KINDS)
    assert json.dumps(answers.to_json(change.fields[0])) == '{"field": "weight", "old": 30, "new": 7}'
