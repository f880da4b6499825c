"""What is written is what is read, by us and by readers of YAML 1.1."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler import canonical
from reconciler.decode.document import decode
from reconciler.scaffold.yamltext import write_document, write_scalar
from tests.importing.widgets import NASTY, documents, texts


def _read(text: str) -> Any:
    decoded = decode("x.yaml", text.encode())
    assert decoded.problems == ()
    assert not decoded.documents[0].ambiguous
    return decoded.documents[0].value


@given(st.dictionaries(texts.filter(lambda text: len(text) < 30), documents, min_size=1, max_size=4))
def test_our_reader_reads_the_same_values(document: dict[str, Any]) -> None:
    assert canonical.normalize(_read(write_document(document))) == canonical.normalize(document)


@given(st.dictionaries(texts, texts | st.lists(texts) | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_reader_of_yaml_1_1_reads_the_same_values(document: dict[str, Any]) -> None:
    found = yaml.safe_load(write_document(document))
    assert found == document
    assert [isinstance(value, (int, float)) for value in found.values()] == [
        isinstance(value, float) for value in document.values()
    ]


@pytest.mark.parametrize("text", NASTY)
def test_a_nasty_text_is_one_line_and_itself(text: str) -> None:
    written = write_document({"a": text, "b": [text], "c": [{"d": text}]})
    assert len(written.splitlines()) == 4
    assert _read(written) == {"a": text, "b": [text], "c": [{"d": text}]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (r"C:\MT5\caldervale-live-01", r"C:\MT5\caldervale-live-01"),
        ("#US30", "'#US30'"),
        ("US100.cash", "US100.cash"),
        ("it's", "it's"),
        ("'", "''''"),
        ("", "''"),
        ("a\nb", r'"a\nb"'),
        ("\u2028😀", r'"\u2028😀"'),
        ("1:30", "'1:30'"),
        ("2026-01-01", "'2026-01-01'"),
        (30.0, "30"),
        (0.1, "0.1"),
        (1e22, "1.0e+22"),
        (1.5e-9, "1.5e-09"),
        (True, "true"),
        (None, "null"),
        ({}, "{}"),
    ],
)
def test_a_value_is_written_as_people_write_it(value: Any, written: str) -> None:
    assert write_scalar(value) == written


def test_the_layout_is_that_of_hand_written_files() -> None:
    document: dict[str, Any] = {
        "kind": "Thing",
        "metadata": {"name": "a", "refs": {"users": ["u-1", "u-2"]}},
        "spec": {"lot": {"min": 0.01, "steps": [{"a": 1, "b": {"c": 2}}, [1, [2]]]}, "none": []},
    }
    assert write_document(document, "a comment").splitlines() == [
        "# a comment",
        "kind: Thing",
        "metadata:",
        "  name: a",
        "  refs:",
        "    users: [u-1, u-2]",
        "spec:",
        "  lot:",
        "    min: 0.01",
        "    steps:",
        "      - a: 1",
        "        b:",
        "          c: 2",
        "      -",
        "        - 1",
        "        - [2]",
        "  none: []",
    ]
