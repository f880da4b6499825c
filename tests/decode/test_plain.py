"""What is read without libyaml is what libyaml takes it for: values, places, and nothing wrong with it."""

from __future__ import annotations

import os
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.decode.document import decode, parse, refuse_text
from reconciler.decode.errors import MAX_KEY
from reconciler.decode.plain import MAX_BYTES, MAX_DEPTH, MAX_LINE, read_plain
from reconciler.model.problem import Mark
from tests.decode.plaintexts import WRITTEN, draw_text, spoil
from tests.support.laws import examples
from tests.yamlsuite.suite import load_cases


def check(data: bytes, *, every_place: bool = True) -> bool:
    """Whether a text is plain: if so, libyaml takes it for the same."""
    if refuse_text("f.yaml", data) is not None or read_plain(data) is None:
        return False
    plain, parsed = decode("f.yaml", data), parse("f.yaml", data)
    assert not plain.problems
    assert not parsed.problems, data
    assert not any(document.ambiguous for document in (*plain.documents, *parsed.documents)), data
    # As text, so that 1, 1.0 and true differ, and the order of keys counts
    assert repr([one.value for one in plain.documents]) == repr([one.value for one in parsed.documents]), data
    assert [one.marks[""] for one in plain.documents] == [one.marks[""] for one in parsed.documents], data
    if every_place:
        assert [dict(one.marks) for one in plain.documents] == [dict(one.marks) for one in parsed.documents], data
    return True


@settings(max_examples=examples(10_000))
@given(st.integers(0, 2**64).map(lambda seed: draw_text(Random(seed))))
def test_a_plain_text_is_what_libyaml_takes_it_for(data: bytes) -> None:
    check(data)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_millions_of_plain_texts() -> None:
    """As many as $TEST_TEXTS says, after the seed $TEST_SEED: a million takes forty seconds."""
    seed, number = int(os.environ.get("TEST_SEED", "1")), int(os.environ.get("TEST_TEXTS", "1000000"))
    random = Random(seed)
    plain = sum(check(draw_text(random), every_place=not count % 50) for count in range(number))
    print(f"{number:,} texts after the seed {seed}, {plain:,} of them plain")  # noqa: T201
    assert plain > number / 4


@cache
def suite_texts() -> list[str]:
    """The texts of the YAML test suite, if it is installed."""
    return [case.text for case in load_cases()]


@pytest.mark.slow
def test_cases_of_the_yaml_suite() -> None:
    assert sum(check(text.encode()) for text in suite_texts()) >= 20


@pytest.mark.slow
@settings(max_examples=examples(10_000))
@given(st.integers(0, 2**64).map(Random))
def test_cases_of_the_yaml_suite_with_a_sign_or_line_more(random: Random) -> None:
    check(spoil(random, random.choice(suite_texts()), 0.6))


def test_files_that_people_write_are_plain() -> None:
    assert all(check(text.encode()) for text in WRITTEN)


def nested(levels: int, dash: str = "") -> bytes:
    return "\n".join(f"{' ' * level}a:" for level in range(levels)).encode() + dash.encode()


@pytest.mark.parametrize(
    ("at_most", "above"),
    [
        (nested(MAX_DEPTH + 1), nested(MAX_DEPTH + 2)),
        (b"k" * (MAX_LINE - 3) + b": 1", b"k" * (MAX_LINE - 2) + b": 1"),
        (b"a: 1\n#".ljust(MAX_BYTES, b"\n"), b"a: 1\n#".ljust(MAX_BYTES + 1, b"\n")),
    ],
    ids=["depth", "line", "size"],
)
def test_limits(at_most: bytes, above: bytes) -> None:
    assert check(at_most)
    assert not check(above)
    assert MAX_LINE <= MAX_KEY


def test_a_list_is_the_document_s_own() -> None:
    """Lines are remembered, and what a value becomes later is not."""
    data = b"a: [b, c]"
    [document] = decode("f.yaml", data).documents
    assert isinstance(document.value, dict)
    members = document.value["a"]
    assert isinstance(members, list)
    members.clear()
    assert decode("f.yaml", data).documents[0].value == {"a": ["b", "c"]}


def test_places_of_each_document() -> None:
    first, second = decode("f.yaml", b"---\n# empty\n---\na: 1\n---\n\nb:\n  - c\n").documents
    assert (first.marks[""], second.marks[""]) == (Mark(4, 1), Mark(7, 1))
    assert second.marks["/b/0"] == Mark(8, 5)
    assert "/a" not in second.marks
