"""What a policy sees: two states as the store would hold them, and nothing of another run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.model.change import Prune
from reconciler.model.problem import Severity, Verdict, Violation
from reconciler.tables.duckdb import declared_columns, live_columns
from tests.adapters.policy.conftest import policy
from tests.support.kinds import GADGET, KINDS, ODD, WIDGET, gadget, make_kind, resource, row, tombstone, widget

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Verdict]

OLD = widget("one", weight=30.0)
NEW = widget("one", weight=31.5, path="w/one.yaml", line=7)


def said(verdict: Verdict) -> list[str]:
    assert verdict.fault is None, verdict.fault
    return [violation.message for violation in verdict.violations]


def test_a_rule_sees_old_and_new(run: Run) -> None:
    sql = """
        SELECT concat(old.weight, ' → ', new.weight, ' at ', path, ':', line) AS message
        FROM desired.widget_config AS new JOIN main.widget_config AS old USING (widget_id)
    """
    assert said(run(sql, [row(OLD, 1)], [row(NEW, 1, 2)])) == ["30.0 → 31.5 at w/one.yaml:7"]


def test_values_have_the_types_of_the_tables(run: Run) -> None:
    sql = "SELECT concat_ws(' ', weight + 1, pieces // 2, fragile AND true, parts->>'$.screws[1]', note IS NULL, \
        labels->>'host', year(updated_at), widget_id::VARCHAR) AS message FROM desired.widget_config"
    assert said(run(sql, (), [row(OLD, 1)])) == [f"31.0 1 true 2.5 true a 2026 {OLD.id}"]


@pytest.mark.parametrize(
    ("kind", "table", "columns"),
    [
        (GADGET, "desired.gadget_config", (*live_columns(GADGET), *declared_columns(GADGET))),
        (GADGET, "main.gadget_config", live_columns(GADGET)),
        (WIDGET, "main.widget_config", live_columns(WIDGET)),
    ],
)
def test_the_columns_are_those_of_the_store(run: Run, kind: object, table: str, columns: tuple[str, ...]) -> None:
    schema, name = table.split(".")
    sql = f"""SELECT string_agg(column_name, ' ' ORDER BY ordinal_position) AS message
        FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name = '{name}'"""
    assert said(run(sql)) == [" ".join(columns)]


@pytest.mark.parametrize(
    ("prune", "seen"),
    [(Prune.DEACTIVATE, ["one INACTIVE true"]), (Prune.OFF, ["one ACTIVE true"]), (Prune.DELETE, [])],
)
def test_what_left_git_stands_as_the_store_keeps_it(run: Run, prune: Prune, seen: list[str]) -> None:
    gone = tombstone(OLD, 1, 2, prune=prune)
    sql = "SELECT concat(name, ' ', status, ' ', path IS NULL) AS message FROM desired.widget_config"
    assert said(run(sql, [row(OLD, 1)], [gone])) == seen
    assert said(run("SELECT status AS message FROM main.widget_config", [gone], ())) == [one.split()[1] for one in seen]


def test_an_old_row_may_lack_what_the_schema_has_now_and_break_its_limits(run: Run) -> None:
    old = resource(WIDGET, "old", {"colour": "BLUE", "label": "far too long for it", "weight": -1.0})
    sql = "SELECT concat_ws(' ', colour, label, weight, status IS NULL) AS message FROM main.widget_config"
    assert said(run(sql, [row(old, 1)])) == ["BLUE far too long for it -1.0 true"]


def test_one_id_twice_is_two_rows(run: Run) -> None:
    twin = widget("two", widget_id=OLD.id)
    assert said(run("SELECT name AS message FROM desired.widget_config", (), [row(OLD, 1), row(twin, 1)])) == [
        "one",
        "two",
    ]


def test_rows_of_other_kinds_are_left_out(sandbox: Sandbox) -> None:
    only = Kinds((WIDGET,))
    (verdict,) = sandbox.run(
        [policy("SELECT name AS message FROM desired.widget_config")], only, (), [row(gadget("g"), 1), row(OLD, 1)]
    )
    assert said(verdict) == ["one"]


def test_other_kinds_make_other_tables(sandbox: Sandbox) -> None:
    wider = make_kind("Widget", (*WIDGET.columns, Column("size", SqlType.FLOAT)))
    asked = policy("SELECT concat(name, ' ', size) AS message FROM desired.widget_config")
    for _ in range(2):
        assert sandbox.run([asked], KINDS, (), [row(OLD, 1)])[0].fault is not None
        (verdict,) = sandbox.run([asked], Kinds((wider,)), (), [row(widget("one", kind=wider, size=2.5), 1)])
        assert said(verdict) == ["one 2.5"]


def test_odd_names_are_tables_too(sandbox: Sandbox) -> None:
    odd = resource(ODD, "strange", {"select": "it's", "ÄÖ.x": 1.5})
    sql = """SELECT "select" AS message FROM desired."odd. ""table""; --" """
    (verdict,) = sandbox.run([policy(sql)], Kinds((ODD,)), (), [row(odd, 1)])
    assert said(verdict) == ["it's"]


def test_a_table_may_be_named_in_any_spelling(run: Run) -> None:
    for spelling in ("Desired.WIDGET_Config", 'desired."widget_config"', 'memory.desired."Widget_CONFIG"'):
        assert said(run(f"SELECT name AS message FROM {spelling}", (), [row(OLD, 1)])) == ["one"]


def test_a_row_that_stays_is_the_same_in_both(run: Run) -> None:
    kept = row(OLD, 1)
    columns = ", ".join(live_columns(WIDGET))
    sql = f"""SELECT 'differs' AS message FROM (SELECT {columns} FROM desired.widget_config EXCEPT
        FROM main.widget_config) UNION ALL SELECT count(*)::VARCHAR FROM main.widget_config"""
    assert said(run(sql, [kept], [kept])) == ["1"]


def test_one_run_knows_nothing_of_another(run: Run) -> None:
    count = "SELECT (SELECT count(*) FROM main.widget_config) || ' ' || count(*) AS message FROM desired.widget_config"
    assert said(run(count, [row(OLD, 1)], [row(OLD, 1), row(widget("two"), 1)])) == ["1 2"]
    assert said(run(count)) == ["0 0"]
    assert said(run(count, (), [row(NEW, 1)])) == ["0 1"]


def test_a_row_is_a_violation_and_other_columns_are_ignored(run: Run) -> None:
    sql = """SELECT 'no' AS Message, 'widget' AS KIND, name, 'weight' AS field, 'WARNING' AS severity, weight, line
        FROM desired.widget_config"""
    assert run(sql, (), [row(OLD, 1)]).violations == (Violation("no", "widget", "one", "weight", Severity.WARNING),)


def test_what_a_row_does_not_say_is_empty_and_an_error(run: Run) -> None:
    sql = "SELECT NULL AS severity, 42 AS message, NULL AS kind, NULL AS field, {'a': [1, NULL]} AS name"
    assert run(sql).violations == (Violation("42", "", "{'a': [1, NULL]}", "", Severity.ERROR),)


def test_of_two_columns_with_one_name_the_first_counts(run: Run) -> None:
    assert said(run("SELECT 'first' AS message, 'second' AS message")) == ["first"]


@pytest.mark.parametrize("end", ["", ";", " ; ", ";;", "; -- done", "\n-- done", "/* ; */;\n-- ;\n"])
def test_a_statement_may_end_as_people_end_it(run: Run, end: str) -> None:
    assert said(run(f"-- title;\n\nSELECT 'a;b' AS message{end}")) == ["a;b"]


def test_no_policy_no_process() -> None:
    with Sandbox() as engine:
        assert engine.run([], KINDS, (), [row(OLD, 1)]) == ()
        assert engine._process is None


def test_verdicts_come_in_the_order_of_the_policies(sandbox: Sandbox) -> None:
    asked = [policy(f"SELECT '{name}' AS message", name) for name in ("b", "a", "c")]
    verdicts = sandbox.run(asked, KINDS, (), ())
    assert [verdict.policy for verdict in verdicts] == asked
    assert [said(verdict) for verdict in verdicts] == [["b"], ["a"], ["c"]]


def test_after_a_thousand_rows_it_is_cut(run: Run) -> None:
    exact = run("SELECT range::VARCHAR AS message FROM range(1000)")
    assert (len(exact.violations), exact.cut) == (1000, False)
    over = run("SELECT range::VARCHAR AS message FROM range(1001)")
    assert (len(over.violations), over.cut) == (1000, True)


def test_no_error_hides_behind_a_thousand_warnings(run: Run) -> None:
    sql = """SELECT 'x' AS message, CASE WHEN range = 4999 THEN 'error' ELSE 'warning' END AS severity
        FROM range(5000) ORDER BY range"""
    verdict = run(sql)
    assert verdict.cut
    assert [one.severity for one in verdict.violations].count(Severity.ERROR) == 1
