"""docs/kinds.md names the keywords and formats that a schema may hold, and what stays out with its reason."""

from __future__ import annotations

import re

from reconciler.adapters.bundled import load_schema
from reconciler.kinds.check import FORMATS, LEFT_OUT
from tests.docs.markdown import ROOT, read
from tests.suite.published import FOLDER
from tests.suite.test_suite import GROUPS, LOADED

WORD = re.compile(r"`([^`\s]+)`")


def _part(start: str, end: str) -> str:
    return read("docs/kinds.md").partition(start)[2].partition(end)[0]


def _rows(text: str) -> list[tuple[str, str]]:
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    return [(first.strip(), second.strip()) for first, second in lines]


def test_every_keyword_is_named() -> None:
    rows = _rows(_part("## Keywords", "`spec` itself"))
    named = [word for first, _ in rows for word in WORD.findall(first)]
    assert sorted(named) == sorted(load_schema("kind")["$defs"]["schema"]["properties"])


def test_every_format_is_named() -> None:
    named = WORD.findall(_part("`format` is a check for ", "Any other format"))
    assert tuple(named) == FORMATS


def test_what_stays_out_is_named_with_its_reason() -> None:
    rows = _rows(_part("What stays out:", "Of the "))
    assert {word[1]: reason for first, reason in rows if (word := WORD.fullmatch(first))} == LEFT_OUT
    assert all(reason for _, reason in rows)
    assert f"Of the {GROUPS} groups" in read("docs/kinds.md")
    assert f"included, {LOADED} load below a column" in read("docs/kinds.md")


def test_ci_fetches_the_suite_and_misses_it_where_it_cannot() -> None:
    script = read(".ci/run")
    assert f"--dest {FOLDER.relative_to(ROOT).as_posix()}" in script
    assert "REQUIRE_SCHEMA_SUITE=1" in script
