"""What a commit does to the rules themselves: its policies, measures, schemas and settings.

A commit that loosens a rule changes no row, and decides over all that come after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from reconciler import canonical
from reconciler.model.change import Op
from reconciler.model.review import RuleChange, RuleEdit, RuleSort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Policy
    from reconciler.reconcile.rules import Rules

MAX_EDITS = 5
"""Differences within one rule that are told."""
MAX_LINES = 2_000
"""Lines of a policy whose differences are looked for."""
REMARKS = frozenset({"title", "description", "$comment", "examples"})
"""Members of a schema that judge nothing."""


def compare_policies(sort: RuleSort, old: Iterable[Policy], new: Iterable[Policy]) -> Iterator[RuleChange]:
    """What became of the policies or measures, by name."""
    before, after = ({policy.name: policy for policy in side} for side in (old, new))
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was is None and now is not None:
            yield RuleChange(Op.CREATE, sort, name, now.path, now.title)
        elif was is not None and now is None:
            yield RuleChange(Op.DELETE, sort, name, was.path, was.title, weighs=sort is RuleSort.RULE)
        elif was is not None and now is not None and was.sql != now.sql:
            found = tuple(_line_edits(_code_lines(was.sql), _code_lines(now.sql)))
            weighs = sort is RuleSort.RULE and bool(found)
            yield _changed(sort, name, now.path, now.title, found, weighs=weighs)


def compare_kinds(old: Kinds, new: Kinds) -> Iterator[RuleChange]:
    """What became of the kinds, by name. One of the repository may stand in for one that the program brings."""
    for name in sorted({*old.by_name, *new.by_name}):
        was, now = old.by_name.get(name), new.by_name.get(name)
        if was is None and now is not None:
            yield RuleChange(Op.CREATE, RuleSort.SCHEMA, name, now.origin)
        elif was is not None and now is None:
            yield RuleChange(Op.DELETE, RuleSort.SCHEMA, name, was.origin, weighs=True)
        elif was is not None and now is not None and was.schema != now.schema:
            found = tuple(_member_edits("", was.schema, now.schema))
            weighs = any(edit.field.rpartition(".")[2] not in REMARKS for edit in found)
            yield _changed(RuleSort.SCHEMA, name, now.origin or was.origin, "", found, weighs=weighs)


def compare_settings(old: Rules, new: Rules) -> Iterator[RuleChange]:
    """What became of the settings in `reconciler.yaml`, defaults included."""
    before, after = (to_builtins(rules.spec) for rules in (old, new))
    found = tuple(_member_edits("", before, after))
    if found:
        name = new.layout.settings_file
        yield _changed(RuleSort.SETTING, name, name, "", found, weighs=True)


def _changed(
    sort: RuleSort, name: str, path: str, title: str, found: tuple[RuleEdit, ...], *, weighs: bool
) -> RuleChange:
    return RuleChange(Op.UPDATE, sort, name, path, title, found[:MAX_EDITS], len(found[MAX_EDITS:]), weighs)


def _code_lines(sql: str) -> list[str]:
    """The lines below the comments that a file begins with: further down `--` may stand in a text."""
    lines = sql.splitlines()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("--")):
        lines.pop(0)
    return lines


def _line_edits(old: list[str], new: list[str]) -> Iterator[RuleEdit]:
    """The lines that differ, each with the one that stands in its place."""
    if len(old) + len(new) > MAX_LINES:
        if old != new:
            yield RuleEdit("", f"{len(old):,} lines", f"{len(new):,} lines")
        return
    for tag, start, end, at, to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from (RuleEdit("", was, now) for was, now in zip_longest(old[start:end], new[at:to]))


def _member_edits(name: str, old: object, new: object) -> Iterator[RuleEdit]:
    """The members of two JSON values that differ, by their path with dots."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _member_edits(f"{name}.{key}" if name else key, old.get(key), new.get(key))
    elif old != new:
        yield RuleEdit(name, _text(old), _text(new))


def _text(value: Any) -> str | None:
    return None if value is None else canonical.text(canonical.to_json_value(value))
