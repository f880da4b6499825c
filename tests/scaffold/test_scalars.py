"""A value that is written is read back as itself, and means the same to a reader of YAML 1.1."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.decode.document import decode
from reconciler.scaffold.yamltext import write_value

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
VALUES = st.one_of(
    TEXT,
    st.integers(-(2**31), 2**31),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(
        ["no", "OFF", "1:30", "#US30", "", " x", "~", "a: b", "a #b", "[x", "C:\\MT5\\new", "1_000", "0o17"]
    ),
)


@given(st.one_of(VALUES, st.lists(VALUES, max_size=3), st.dictionaries(TEXT, VALUES, max_size=2)))
def test_what_is_written_is_read(value: object) -> None:
    text = f"value: {write_value(value)}\n"  # type: ignore[arg-type]
    decoded = decode("x.yaml", text.encode())
    assert decoded.problems == (), text
    assert decoded.documents[0].value == {"value": value}
    assert not decoded.documents[0].ambiguous


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("EURUSD", "EURUSD"),
        (r"C:\MT5\new", r"C:\MT5\new"),
        ("no", "'no'"),
        ("#US30", "'#US30'"),
        ("", "''"),
        ("it's", "it's"),
        ("1:30", "'1:30'"),
        ("2026-01-05", "'2026-01-05'"),
        (1e-07, "1.0e-07"),
        ({"a,b": "c"}, "{'a,b': c}"),
        ("\x1b[1m", r'"\x1B[1m"'),
        (0.01, "0.01"),
        (30.0, "30"),
        ([], "[]"),
        ({}, "{}"),
        (["a", "b, c"], "[a, 'b, c']"),
        (True, "true"),
    ],
)
def test_quotes_stand_where_they_are_needed(value: object, text: str) -> None:
    assert write_value(value) == text  # type: ignore[arg-type]
    assert yaml.safe_load(f"value: {text}") == {"value": value}
