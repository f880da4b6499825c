"""What a policy made up is shown on one line, and no terminal obeys it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.policy import MAX_MESSAGE, escape_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("leverage 50 → 30 ½", "leverage 50 → 30 ½"),
        ("日本 größer 👩‍💻", "日本 größer 👩‍💻"),
        ("two\r\nlines\tand\u2028more", "two lines and more"),
        ("  around  ", "around"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\x00b\x7f\x9b31m", "a\\x00b\\x7f\\x9b31m"),
        ("admin\u202etxt.exe\u2066", "admin\\u202etxt.exe\\u2066"),
        ("soft\u00adhyphen\ufeff", "soft\\xadhyphen\\ufeff"),
        ("::error file=x::\n::warning::", "::error file=x:: ::warning::"),
    ],
)
def test_what_is_not_seen_is_written_out(text: str, shown: str) -> None:
    assert escape_line(text) == shown


def test_a_long_text_is_cut() -> None:
    assert escape_line("x" * MAX_MESSAGE) == "x" * MAX_MESSAGE
    assert escape_line("x" * (MAX_MESSAGE + 1)) == "x" * (MAX_MESSAGE - 1) + "…"
    assert len(escape_line("\x1b" * MAX_MESSAGE)) == MAX_MESSAGE


@given(st.text(st.characters(codec="utf-8"), max_size=50), st.integers(5, 40))
def test_it_is_short_and_printable(text: str, longest: int) -> None:
    shown = escape_line(text, longest)
    assert len(shown) <= longest
    assert "\n" not in shown
    assert all(character.isprintable() or character in "\u200c\u200d" for character in shown)
