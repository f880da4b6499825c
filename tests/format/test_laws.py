"""Properties: formatting changes no value, loses no comment, keeps every spelling, and is done after one time."""

from __future__ import annotations

import json
import re

import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from yaml.nodes import MappingNode, Node, ScalarNode

from reconciler.decode.document import decode
from reconciler.format.format import Formatted, format_file
from tests.decode.test_laws import FRAGMENTS
from tests.format.orders import ORDER
from tests.format.writing import files
from tests.support.laws import examples

COMMENT = re.compile(r"#[ #]?\d+: [^.]*\.")


def values(text: bytes) -> list[str]:
    """The documents as this program reads them, mappings without order."""
    return [json.dumps(document.value, sort_keys=True) for document in decode("f.yaml", text).documents]


def bare(text: bytes) -> list[object]:
    """The documents as another reader sees them: PyYAML's own parser, all scalars text."""
    return [found for found in yaml.load_all(text.decode(), yaml.BaseLoader) if found]


def spellings(text: bytes) -> list[str]:
    """Each scalar on one line, as it is written: with its quotes."""
    written = text.decode().removeprefix("\ufeff")
    return sorted(spelling for root in yaml.compose_all(written, yaml.BaseLoader) for spelling in _spellings(root))


def _spellings(node: Node) -> list[str]:
    if isinstance(node, ScalarNode):
        start, end = node.start_mark, node.end_mark
        return [start.buffer[start.pointer : end.pointer]] if start.buffer and start.line == end.line else []
    parts = [part for entry in node.value for part in entry] if isinstance(node, MappingNode) else node.value
    return [spelling for part in parts for spelling in _spellings(part)]


def check(text: bytes) -> Formatted:
    """What holds for whatever can be read."""
    formatted = format_file("f.yaml", text, ORDER)
    if not formatted.problems:
        assert values(formatted.after) == values(text)
        assert format_file("f.yaml", formatted.after, ORDER).after == formatted.after
    return formatted


@settings(max_examples=examples(80))
@given(files())
@example(("a: |+\n  x\n\n\nspec: 1\nkind: |\n  y", ()))
@example(("k:\n    text: |+\n      \n    more: >-\n\n         \n  # end\n", ()))
@example(("a: { b:1 ,c : [ *n1,\n &n1 x ] ,}\n", ()))
@example(("- - |2\n     x\n  - a: >\n     b\n\n", ()))
def test_the_laws(written: tuple[str, tuple[str, ...]]) -> None:
    text, comments = written
    formatted = check(text.encode())
    assume(not formatted.problems)
    after = formatted.after
    assert bare(after) == bare(text.encode())
    assert spellings(after) == spellings(text.encode())
    assert sorted(COMMENT.findall(after.decode())) == sorted(comments)
    assert b"\r" not in after.replace(b"\r\n", b"")


@settings(max_examples=examples(80))
@given(st.lists(FRAGMENTS, max_size=20).map(b"".join) | st.text("ab:-# \n[]{}|>'\"&*?,", max_size=40).map(str.encode))
def test_any_bytes_are_formatted_or_left_alone(text: bytes) -> None:
    check(text)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.filter_too_much])
@given(files())
def test_canonical_text_has_canonical_lines(written: tuple[str, tuple[str, ...]]) -> None:
    text, _ = written
    assume(not any(sign in text for sign in ("|", ">", '"', "'")))  # in these, white space may be text
    formatted = check(text.encode())
    assume(not formatted.problems and formatted.after)
    after = formatted.after.decode().replace("\r\n", "\n")
    assert after.endswith("\n")
    assert not after.endswith("\n\n")
    lines = after.split("\n")[:-1]
    assert lines[0]
    assert all(line == line.rstrip() for line in lines)
    assert all(line.startswith("#") or (len(line) - len(line.lstrip())) % 2 == 0 or "#" in line for line in lines)
