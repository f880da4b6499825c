"""Properties: nothing makes decoding raise, and values come back as they were written."""

from __future__ import annotations

import json
import re

import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.decode.document import decode
from reconciler.model.problem import Severity

FRAGMENTS = st.sampled_from(
    [
        *(b": ", b"- ", b"? ", b"\n", b"\n  ", b"\t", b"[", b"]", b"{", b"}", b",", b"#", b"|\n", b">-9\n", b'"', b"'"),
        *(b"&a ", b"*a ", b"!!str ", b"!x ", b"!<%ff> ", b"<<: ", b"%YAML 1.2\n", b"%TAG ! x\n", b"---\n", b"...\n"),
        *(
            b"\r",
            b"\r\n",
            b"\0",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
            b"\\",
            b"\\x41",
            b"\\uD800",
            b"a",
            b"b: 1\n",
        ),
        *(b".nan", b"1:30", b"1e400", b"~", b"/", b"@", b"`", b"%"),
    ]
)
# Plain text that a YAML 1.1 writer leaves without quotes, while 1.2 reads a number: 1e3.
NUMBER_OF_1_2 = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+")
# What may stand in a file as it is, on every side: see decode/document.py.
LETTERS = st.characters(
    codec="utf-8",
    exclude_categories=("Cc", "Zl", "Zp"),
    exclude_characters="\ufeff\ufffe\uffff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
)
TEXTS = st.text(LETTERS | st.sampled_from("\n\t\x07~/#:-'\"\\"), max_size=20).filter(
    lambda text: not NUMBER_OF_1_2.fullmatch(text)
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e300, 1e300) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4), max_leaves=15
)
WRITTEN = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)


def exactly(value: object) -> str:
    """JSON, so that 1, 1.0 and true differ, and the order of keys counts."""
    return json.dumps(value)


@given(st.binary(max_size=60) | st.lists(FRAGMENTS, max_size=20).map(b"".join) | st.text(max_size=40).map(str.encode))
def test_decoding_never_raises_on_arbitrary_bytes(data: bytes) -> None:
    decoded = decode("any.yaml", data)
    lines = data.count(b"\n") + 2
    for problem in decoded.problems:
        assert problem.path == "any.yaml"
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert problem.message
        assert problem.severity is Severity.ERROR
    assert decoded.problems == tuple(sorted(decoded.problems))
    for document in decoded.documents:
        assert document.value is not None
        assert document.size is None or max(measure(document.value)) <= document.size
        assert len(dict(document.marks)) == len(document.marks)
        assert all(pointer in document.marks for pointer in document.ambiguous)


def measure(value: object) -> tuple[int, int]:
    """How many values and characters there are in a value."""
    if isinstance(value, dict):
        parts = [measure(part) for part in value.values()]
        return 1 + sum(values for values, _ in parts), sum(map(len, value)) + sum(letters for _, letters in parts)
    parts = [measure(part) for part in value] if isinstance(value, list) else []
    own = len(value) if isinstance(value, str) else 0
    return 1 + sum(values for values, _ in parts), own + sum(letters for _, letters in parts)


@given(WRITTEN, st.sampled_from([True, False, None]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_a_yaml_writer_wrote_comes_back(
    value: dict[str, object], flow: bool | None, line_end: str, unicode: bool
) -> None:
    written = yaml.safe_dump(
        value, default_flow_style=flow, allow_unicode=unicode, line_break=line_end, sort_keys=False, encoding="utf-8"
    )
    decoded = decode("f.yaml", written)
    assert decoded.problems == ()
    assert exactly([document.value for document in decoded.documents]) == exactly([value])


@given(WRITTEN)
def test_json_is_yaml(value: dict[str, object]) -> None:
    decoded = decode("f.yaml", json.dumps(value, ensure_ascii=False).encode())
    assert decoded.problems == ()
    assert exactly([document.value for document in decoded.documents]) == exactly([value])


@given(WRITTEN)
def test_every_value_and_key_has_a_mark_that_points_at_it(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, default_style='"', default_flow_style=False, allow_unicode=False, width=10_000)
    [document] = decode("f.yaml", text.encode()).documents
    lines = text.split("\n")
    expected = set(pointers(value, ""))
    assert set(document.marks) == expected
    for pointer in expected:
        place = document.marks[pointer]
        assert 0 < place.column <= len(lines[place.line - 1])
        if pointer.endswith("#"):
            assert lines[place.line - 1][place.column - 1] in '"?'


def pointers(value: object, pointer: str) -> list[str]:
    """Every pointer of a value, those of keys with a `#`; written apart from the code under test."""
    found = [pointer]
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += pointers(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            below = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            found += [f"{below}#", *pointers(item, below)]
    return found
