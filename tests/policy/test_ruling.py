"""Verdicts to problems: at the resource, at the field, with the rule's title."""

from __future__ import annotations

import pytest

from reconciler.model.change import Key
from reconciler.model.problem import NOT_LOCATED, Fault, Policy, Problem, Severity, Verdict, Violation
from reconciler.policy import field_pointer, locate_violations
from reconciler.values import replace
from tests.support.kinds import KINDS, ODD, WIDGET, make_kind, widget

POLICY = Policy("weight-cap", "policies/weight-cap.sql", "Widgets are light", "SELECT …")
ONE = widget("one", path="w/all.yaml", line=12)
KNOWN = {ONE.key: ONE}


def problems(*violations: Violation, cut: bool = False) -> tuple[Problem, ...]:
    return locate_violations([Verdict(POLICY, violations, cut)], KINDS, KNOWN.get)


@pytest.mark.parametrize("kind", ["Widget", "widget", "widgets", "WIDGET_CONFIG"])
def test_a_violation_stands_at_its_resource_and_field(kind: str) -> None:
    assert problems(Violation("too heavy", kind, "one", "weight", Severity.WARNING)) == (
        Problem(
            path="w/all.yaml",
            line=12,
            column=NOT_LOCATED,
            code="policy/weight-cap",
            pointer="/spec/weight",
            message="too heavy",
            hint="rule: Widgets are light",
            severity=Severity.WARNING,
        ),
    )


def test_without_a_field_it_is_about_the_document() -> None:
    (problem,) = problems(Violation("odd", "Widget", "one"))
    assert (problem.line, problem.column, problem.pointer) == (12, NOT_LOCATED, "")


@pytest.mark.parametrize(
    ("field", "pointer"),
    [
        ("weight", "/spec/weight"),
        ("ratio", "/spec/ratio"),
        ("parts.screws", "/spec/parts/screws"),
        ("parts.screws.0", "/spec/parts/screws/0"),
        ("labels.host", "/metadata/labels/host"),
        ("labels.app.example/part", "/metadata/labels/app.example~1part"),
        ("annotations.why", "/metadata/annotations/why"),
        ("refs.maker", "/metadata/refs/maker"),
        ("refs", "/metadata/refs"),
        ("name", "/metadata/name"),
        ("wieght", ""),
        ("names", ""),
        ("", ""),
    ],
)
def test_fields_are_named_as_in_a_plan(field: str, pointer: str) -> None:
    assert field_pointer(WIDGET, field) == pointer


def test_a_column_comes_before_what_has_its_name_elsewhere() -> None:
    odd = make_kind("Odd", (*ODD.columns, replace(ODD.columns[1], name="name"), replace(ODD.columns[1], name="labels")))
    assert field_pointer(odd, "ÄÖ.x") == "/spec/ÄÖ.x"
    assert field_pointer(odd, "name") == "/spec/name"
    assert field_pointer(odd, "labels.x") == "/spec/labels/x"


@pytest.mark.parametrize(
    ("violation", "message"),
    [
        (Violation("sum is 12"), "sum is 12"),
        (Violation("gone", "Widget", "two", "weight"), "Widget two: gone"),
        (Violation("what", "Wodget", "one"), "Wodget one: what"),
        (Violation("all of them", "Widget"), "Widget: all of them"),
        (Violation("whose", "", "one"), "one: whose"),
    ],
)
def test_what_names_no_resource_stands_at_the_policy(violation: Violation, message: str) -> None:
    (problem,) = problems(violation)
    assert (problem.path, problem.line, problem.column, problem.pointer) == (POLICY.path, 1, 1, "")
    assert (problem.message, problem.code) == (message, "policy/weight-cap")


def test_a_fault_stands_where_it_is_in_the_policy() -> None:
    verdict = Verdict(POLICY, fault=Fault("no such column", 3, 7, "did you mean x?"))
    assert locate_violations([verdict], KINDS, KNOWN.get) == (
        Problem(POLICY.path, 3, 7, "bad-policy", "", "no such column", "did you mean x?"),
    )


@pytest.mark.parametrize(
    ("severities", "worst"),
    [("ww", Severity.WARNING), ("we", Severity.ERROR), ("ee", Severity.ERROR)],
)
def test_what_was_cut_is_told_and_as_bad_as_what_is_told(severities: str, worst: Severity) -> None:
    words = {"w": Severity.WARNING, "e": Severity.ERROR}
    found = problems(*(Violation("x", severity=words[one]) for one in severities), cut=True)
    assert len(found) == 3
    (told,) = [problem for problem in found if "left out" in problem.message]
    assert (told.severity, told.path, told.code) == (worst, POLICY.path, "policy/weight-cap")
    assert "more than 2" in told.message


def test_all_of_them_come_in_order() -> None:
    other = replace(POLICY, name="other", path="a/other.sql")
    verdicts = [Verdict(POLICY, (Violation("b"), Violation("a", "Widget", "one"))), Verdict(other, (Violation("c"),))]
    assert [problem.path for problem in locate_violations(verdicts, KINDS, KNOWN.get)] == [
        "a/other.sql",
        POLICY.path,
        "w/all.yaml",
    ]


def test_only_resources_with_a_name_are_looked_up() -> None:
    asked: list[Key] = []

    def find(key: Key) -> None:
        asked.append(key)

    locate_violations(
        [Verdict(POLICY, (Violation("x"), Violation("x", "widgets", "two"), Violation("x", "?", "y")))], KINDS, find
    )
    assert asked == [Key("Widget", "two")]
