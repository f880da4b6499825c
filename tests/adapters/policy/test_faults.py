"""A policy that cannot be run says why, in DuckDB's words, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kinds import row, widget

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.problem import Fault, Verdict

    Run = Callable[..., Verdict]

ROWS = [row(widget("one"), 1)]


def fault(verdict: Verdict) -> Fault:
    assert verdict.fault is not None
    assert verdict.violations == ()
    assert not verdict.cut
    return verdict.fault


@pytest.mark.parametrize(
    ("sql", "line", "column", "words"),
    [
        ("SELEC 1", 1, 1, 'syntax error at or near "SELEC"'),
        ("-- a title\nSELECT 'x' AS message\nFORM desired.widget_config", 3, 1, 'syntax error at or near "FORM"'),
        ("SELECT 'x' AS message FROM", 1, 23, "syntax error"),
        ("-- t\n\nSELECT 'x' AS message,\n    wieght\nFROM desired.widget_config", 4, 5, '"wieght" not found'),
        ("SELECT 'x' AS message FROM desired.nothing", 1, 28, "nothing does not exist"),
        ("SELECT\n\t'日本', weight AS message, nope FROM desired.widget_config", 2, 27, '"nope"'),
        ("SELECT 'äöü', weight AS message, nope FROM desired.widget_config", 1, 34, '"nope"'),
        (f"SELECT {'1 + ' * 60}nope AS message, {'2 + ' * 60}2 AS x FROM desired.widget_config", 1, 248, '"nope"'),
        ("SELECT 'x' AS message,\n  label::INTEGER AS field FROM desired.widget_config", 2, 8, "'plain'"),
        ("SELECT error('boom') AS message FROM desired.widget_config", 1, 1, "boom"),
        ("SELECT sum(label) AS message FROM desired.widget_config", 1, 8, "sum"),
        ("SELECT $1 AS message", 1, 1, "parameters"),
        ("SELECT 'x' AS message; /* open", 1, 24, "unterminated"),
    ],
)
def test_it_is_told_at_its_line_and_column(run: Run, sql: str, line: int, column: int, words: str) -> None:
    found = fault(run(sql, (), ROWS))
    assert words in found.message
    assert (found.line, found.column) == (line, column)
    assert "\n" not in found.message
    assert not found.message.endswith((".", "!"))
    assert "Error:" not in found.message


def test_duckdbs_guess_is_the_hint(run: Run) -> None:
    assert "weight" in fault(run("SELECT wieght AS message FROM desired.widget_config")).hint


@pytest.mark.parametrize(
    ("sql", "line", "column", "words"),
    [
        ("-- nothing but a title", 1, 1, "there is no statement"),
        (" ; ", 1, 1, "there is no statement"),
        ("SELECT 'a' AS message;\n-- and\nSELECT 'b' AS message", 3, 1, "there are 2 statements"),
        ("-- ü\nSELECT ';' AS message; SELECT 1", 2, 24, "there are 2 statements"),
        ("-- t\n  CREATE TABLE x (i INT)", 2, 3, "a statement of type CREATE"),
    ],
)
def test_what_is_not_one_select_is_refused_where_it_is(run: Run, sql: str, line: int, column: int, words: str) -> None:
    found = fault(run(sql))
    assert words in found.message
    assert "a policy is one SELECT" in found.message
    assert (found.line, found.column) == (line, column)


def test_a_message_is_required(run: Run) -> None:
    found = fault(run("SELECT name, weight FROM desired.widget_config"))
    assert found.message == "there is no column message among name, weight"
    assert "AS message" in found.hint


@pytest.mark.parametrize("severity", ["'error'", "'warning'", "NULL"])
def test_one_null_among_many_messages_is_a_fault(run: Run, severity: str) -> None:
    sql = f"SELECT CASE WHEN range <> 3000 THEN 'x' END AS message, {severity} AS severity FROM range(5000)"
    found = fault(run(sql))
    assert "NULL" in found.message
    assert "coalesce" in found.hint


def test_another_severity_is_a_fault_even_behind_a_thousand_warnings(run: Run) -> None:
    sql = "SELECT 'x' AS message, if(range = 3000, 'fatal', 'warning') AS severity FROM range(5000)"
    found = fault(run(sql))
    assert found.message == "the severity of a row is fatal"
    assert found.hint == "write error or warning"


def test_the_message_of_a_fault_is_fit_for_a_terminal(run: Run) -> None:
    found = fault(run("SELECT error(concat('a', chr(27), '[2J', chr(10), 'b', repeat('x', 5000))) AS message"))
    assert found.message.startswith("a\\x1b[2J")
    assert len(found.message) <= 1000
    named = fault(run('SELECT 1 AS "a\x1b[31m"'))
    assert "\x1b" not in named.message
