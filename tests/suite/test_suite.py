"""The JSON Schema test suite below a column: what loads, and that both engines say what the suite says.

Figures are floors that only rise. What does not load is named with its reason, and is refused as a problem of the
schema: `docs/kinds.md` has the same reasons.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.kinds.engine import compile_schema
from reconciler.kinds.kind import child
from reconciler.kinds.parts import iter_members
from reconciler.validate.violations import find_violations
from tests.suite.published import Group, read_groups
from tests.validate.wrapping import MAP, document, judge, load_schema, with_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kinds

pytestmark = pytest.mark.slow

GROUPS, LOADED, VERDICTS = 438, 409, 1_843
"""How many groups there are, how many of them load, and how many cases these have."""

ELSEWHERE = "leads out of this file"
ANOTHER_DRAFT = "is not possible here"
REASONS = {
    "refRemote": ELSEWHERE,
    "optional/cross-draft": ELSEWHERE,
    "dynamicRef: strict-tree schema, guards against misspelled properties": ELSEWHERE,
    "dynamicRef: tests for implementation dynamic anchor and reference link": ELSEWHERE,
    "dynamicRef: $ref and $dynamicAnchor are independent of order - $defs first": ELSEWHERE,
    "dynamicRef: $ref and $dynamicAnchor are independent of order - $ref first": ELSEWHERE,
    "dynamicRef: $ref to $dynamicRef finds detached $dynamicAnchor": ELSEWHERE,
    "vocabulary": ANOTHER_DRAFT,
    "optional/format-assertion": ANOTHER_DRAFT,
    "optional/unknownKeyword": "unknown keyword",
    "optional/refOfUnknownKeyword": "unknown keyword",
    "optional/refOfUnknownKeyword: reference internals of known non-applicator": "leads to what is no schema",
}
"""Files of the suite, or single groups, that do not load, and what is said of them."""

ONLY_REMARKS = " string is only an annotation by default"
"""Cases of what the draft leaves open: whether `format` is a check. Here it is one, by the files `optional/format`."""

HERE = "#/properties/spec/properties/some_map/properties/it"


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return read_groups()


def _below_a_column(schema: Any) -> Any:
    """A kind with this schema inside of a column's, as one would write it who has it in a file of its own."""
    if isinstance(schema, dict) and "$id" not in schema:
        schema = _moved(schema, "")
    return with_part(MAP, {"description": "A part.", "type": "object", "properties": {"it": schema}})


def _moved(part: Any, pointer: str) -> Any:
    """The same with its references to places as they are where it stands now."""
    if not isinstance(part, dict) or (pointer and "$id" in part):
        return part
    moved = dict(part)
    for keyword in ("$ref", "$dynamicRef"):
        if str(part.get(keyword, "")).partition("/")[0] == "#":
            moved[keyword] = HERE + part[keyword].removeprefix("#")
    members = {at: _moved(member, at) for _, at, member in iter_members(pointer, part)}
    for name, held in part.items():
        at = child(pointer, name)
        if at in members:
            moved[name] = members[at]
        elif isinstance(held, dict) and any(one.rpartition("/")[0] == at for one in members):
            moved[name] = {key: members.get(child(at, key), one) for key, one in held.items()}
        elif isinstance(held, list) and any(one.rpartition("/")[0] == at for one in members):
            moved[name] = [members.get(child(at, key), one) for key, one in enumerate(held)]
    return moved


def _loaded(groups: list[Group]) -> Iterator[tuple[Group, Kinds]]:
    for group in groups:
        kinds, problems = load_schema(_below_a_column(group.schema))
        if not problems:
            yield group, kinds


def test_what_does_not_load_has_a_reason(groups: list[Group]) -> None:
    assert len(groups) >= GROUPS
    refused: dict[str, list[str]] = {}
    for group in groups:
        _, problems = load_schema(_below_a_column(group.schema))
        if problems:
            refused[group.name] = [f"{one.message} {one.hint}" for one in problems]
            assert all(one.code in ("bad-schema", "unsafe-yaml") for one in problems), group.name
    assert len(groups) - len(refused) >= LOADED
    for name, told in refused.items():
        reason = REASONS.get(name) or REASONS.get(name.partition(":")[0])
        assert reason is not None, (name, told)
        assert any(reason in one for one in told), (name, told)


def test_both_engines_say_what_the_suite_says(groups: list[Group]) -> None:
    """The verdict of the one, whether the other finds a reason, and whether anybody is told."""
    wrong: list[str] = []
    count = 0
    for group, kinds in _loaded(groups):
        (kind,) = kinds
        validator = compile_schema(kind.schema)
        for case in group.cases:
            count += 1
            spec = {"some_map": {"it": case["data"]}}
            valid = case["valid"] and not case["description"].endswith(ONLY_REMARKS)
            verdict = (
                not judge(kinds, spec).problems,
                validator.is_valid(document(spec)),
                not find_violations(kind.schema, document(spec)),
            )
            if verdict != (valid,) * 3:
                wrong.append(f"{group.name}: {case['description']} {json.dumps(case['data'])}: {verdict}")
    assert wrong == []
    assert count >= VERDICTS
