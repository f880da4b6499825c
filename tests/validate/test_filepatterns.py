"""Patterns of files mean what pathspec says they do, in time that does not explode."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from reconciler.adapters.bundled import load_schema
from reconciler.decode.document import decode
from reconciler.validate.filepatterns import FilePatterns
from reconciler.validate.validator import read_repository
from tests.support.laws import examples

PIECES = st.sampled_from(
    ["a", "b", "*", "**", "/", "?", "[ab]", "!", "a/", "*.y", "/**/", "[!a]", "\\*", ".", " ", "#"]
)
LINES = st.lists(st.lists(PIECES, min_size=1, max_size=5).map("".join), min_size=1, max_size=3)
NAMES = st.text(alphabet="ab.y*", min_size=1, max_size=3)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join).filter(lambda path: not path.startswith("."))


@settings(deadline=None, max_examples=examples(600))
@given(LINES, st.lists(PATHS, min_size=1, max_size=4))
def test_they_select_what_pathspec_does(lines: list[str], paths: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            spec = GitIgnoreSpec.from_lines(lines)
        except ValueError:
            return
    patterns = FilePatterns(lines)
    for path in paths:
        assert patterns.match(path) is spec.match_file(path)


@pytest.mark.parametrize(
    ("line", "matched"),
    [("*a" * 20 + "b.yaml", [False, False]), ("**/a/" * 30 + "b.yaml", [False, False]), ("?*" * 127, [True, False])],
)
def test_no_pattern_takes_long(line: str, matched: list[bool]) -> None:
    patterns = FilePatterns([line])
    assert [patterns.match(path) for path in ("a" * 250 + ".yaml", "a/" * 2000 + "c.yaml")] == matched


@pytest.mark.parametrize("line", ["[z-a]", "!", "\\", "a\\"])
def test_what_is_no_pattern_is_a_problem_with_its_place(line: str) -> None:
    head = "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  include: ['*.yaml']\n  exclude:\n    - ok/\n"
    text = f"{head}    - '{line}'\n"
    decoded = decode("reconciler.yaml", text.encode())
    spec, (problem,) = read_repository("reconciler.yaml", decoded, load_schema("repository"))
    assert spec is None
    assert (problem.code, problem.pointer, problem.line, problem.column) == ("bad-format", "/spec/exclude/1", 7, 7)
    assert problem.hint
