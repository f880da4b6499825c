"""Each case of the YAML test suite is read as YAML 1.2 says, or refused in words; no invalid one is accepted."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from reconciler.decode.document import decode
from tests.yamlsuite.suite import HERE, Tree, load_cases

pytestmark = pytest.mark.slow

CASES, INVALID, READ = 402, 94, 208
"""Of the suite; and at least so many cases are read."""

REFUSED = {
    "tags, of which configuration has no use": (r"the tag .* is not allowed", 29),
    "keys that are no text, or none": (r"a key must be text|a key is missing", 24),
    "tabs before a value, which look like spaces": (r"a tab in the indentation", 12),
    "anchors that only some readers take": (r"anchor \(&(name)?\)", 6),
    "a document without a line of ---": (r"more text after the end of the document|ends a document", 6),
    "directives and versions that only some readers take": (r"directive|version of YAML|cannot start with %", 6),
    "what begins with a colon or a question mark in brackets": (r"inside \[ \] or \{ \} starts with|\? that begins", 6),
    "a key and its colon on two lines in brackets": (r"not on one line|a comma is missing", 9),
    "a colon and no space in brackets": (r"is not followed by a space", 2),
    "a block text with blanks and no line end": (r"no line end", 2),
    "what YAML 1.1 reads in another way": (r"^ambiguous", 1),
}
"""What is refused on purpose (docs/decisions/0012) though YAML 1.2 allows it: by reason its words, and most cases."""


def _refusals(text: str) -> list[str]:
    decoded = decode("case.yaml", text.encode())
    ambiguous = [f"ambiguous {text}" for document in decoded.documents for text in document.ambiguous.values()]
    return [*(problem.message for problem in decoded.problems), *ambiguous]


def test_no_invalid_case_is_accepted() -> None:
    cases = load_cases()
    invalid = [case for case in cases if case.tree is None]
    assert (len(cases), len(invalid)) == (CASES, INVALID)
    assert [case.name for case in invalid if not _refusals(case.text)] == []


def test_each_valid_case_is_read_as_yaml_1_2_or_refused_in_words() -> None:
    wrong: list[str] = []
    read = 0
    counts: Counter[str] = Counter()
    for case in load_cases():
        refusals = _refusals(case.text)
        if case.tree is None:
            continue
        if refusals:
            counts[_reason(refusals[0])] += 1
            continue
        tree = Tree(case.tree)
        wanted = [value for value in tree.values if value is not None]
        found = [document.value for document in decode("case.yaml", case.text.encode()).documents]
        read += tree.plain and json.dumps(found) == json.dumps(wanted)
        if not tree.plain or json.dumps(found) != json.dumps(wanted):
            wrong.append(f"{case.name}: {found}, not {wanted}")
    assert wrong == []
    assert read >= READ
    assert {reason: counts[reason] for reason in counts if counts[reason] > REFUSED.get(reason, ("", 0))[1]} == {}


def _reason(message: str) -> str:
    return next((reason for reason, (words, _) in REFUSED.items() if re.search(words, message)), message)


def test_the_suite_that_is_locked_is_the_one_that_is_wanted() -> None:
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
