"""A file to a policy."""

from __future__ import annotations

import pytest

from reconciler.model.problem import Policy, Problem
from reconciler.policy import MAX_BYTES, read_policy

SQL = "-- Leverage has a cap\nSELECT 1 AS message\n"


def read(data: bytes, path: str = "policies/leverage-cap.sql") -> Policy:
    found = read_policy(path, data)
    assert isinstance(found, Policy), found
    return found


def test_it_has_the_name_of_its_file_and_the_title_of_its_first_line() -> None:
    path = "desk/policies/leverage-cap.sql"
    assert read(SQL.encode(), path) == Policy("leverage-cap", path, "Leverage has a cap", SQL)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("--Short\nSELECT 1", "Short"),
        ("\n\n  --- Late ---\nSELECT 1", "Late ---"),
        ("SELECT 1 -- no title", "leverage-cap"),
        ("SELECT 1\n-- no title", "leverage-cap"),
        ("--\n-- not the first line\nSELECT 1", "leverage-cap"),
        ("/* no title */ SELECT 1", "leverage-cap"),
        ("-- Größe\r\nSELECT 1", "Größe"),
    ],
)
def test_a_first_comment_line_is_the_title(text: str, title: str) -> None:
    assert read(text.encode()).title == title


def test_a_byte_order_mark_is_no_part_of_it() -> None:
    assert read(b"\xef\xbb\xbf" + SQL.encode()).sql == SQL


def test_a_title_is_fit_for_a_terminal() -> None:
    assert read(b"-- a\x1b[31mb\nSELECT 1").title == "a\\x1b[31mb"


@pytest.mark.parametrize(
    ("path", "data", "words"),
    [
        ("policies/Leverage_Cap.sql", SQL.encode(), "leverage-cap.sql"),
        ("policies/a--b.sql", SQL.encode(), "a-b.sql"),
        ("policies/-a.sql", SQL.encode(), "a.sql"),
        ("policies/größe.sql", SQL.encode(), "gr-e.sql"),
        ("policies/a b.sql", SQL.encode(), "a-b.sql"),
        ("policies/a.b.sql", SQL.encode(), "a-b.sql"),
        ("policies/\x1b[31m.sql", SQL.encode(), "31m.sql"),
        ("policies/a.sql", b"", "empty"),
        ("policies/a.sql", b"\xef\xbb\xbf \n\t\n", "empty"),
        ("policies/a.sql", b"SELECT '\xff'", "byte 9 is not UTF-8"),
        ("policies/a.sql", SQL.encode("utf-16"), "is not UTF-8"),
        ("policies/a.sql", b"SELECT 1\x00", "NUL"),
        ("policies/a.sql", b" " * (MAX_BYTES + 1), "100,001 bytes"),
    ],
)
def test_what_is_none_says_why(path: str, data: bytes, words: str) -> None:
    found = read_policy(path, data)
    assert isinstance(found, Problem)
    assert (found.code, found.path, found.line, found.column, found.is_error) == ("bad-policy", path, 1, 1, True)
    assert words in found.message + found.hint
    assert "\x1b" not in found.message + found.hint


def test_a_hundred_thousand_bytes_are_not_too_many() -> None:
    assert read(SQL.encode() + b" " * (MAX_BYTES - len(SQL))).title == "Leverage has a cap"
