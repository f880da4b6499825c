"""The fields of a change as texts: what a reviewer compares."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from reconciler import canonical
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD
from reconciler.model.change import Op, Prune
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change

NAME = "name"
NOTHING = "-"
"""What stands for a value that is not there."""


class Missing(Enum):
    """A member that one of two JSON values does not have; null is a value."""

    MISSING = "missing"


Member: TypeAlias = "Value | Missing"


class Field(NamedTuple):
    """A field or a member of one, such as `leverage_cap.gold`; a side that is not there is None."""

    name: str
    old: str | None
    new: str | None
    unit: str

    @property
    def before(self) -> str:
        """The old value with its unit, `-` for nothing."""
        return _with_unit(self.old, self.unit)

    @property
    def after(self) -> str:
        """The new value with its unit, `-` for nothing."""
        return _with_unit(self.new, self.unit)

    @property
    def step(self) -> str:
        """`0.75 → 0.5 percent`: the unit once."""
        return f"{self.old or NOTHING} → {self.after}" if self.new else f"{self.before} → {NOTHING}"


def fields(change: Change, kinds: Kinds) -> Iterator[Field]:
    """The fields that differ, JSON by the members that do. The name is among them only where it changed."""
    kind = kinds.by_name.get(change.resource.kind)
    for one in change.fields:
        if one.field == NAME and change.op is not Op.UPDATE:
            continue
        column = kind.column(one.field) if kind else None
        for name, old, new in _members(one.field, _or_missing(one.old), _or_missing(one.new)):
            yield Field(visible(name), _text(old), _text(new), column.unit if column else "")


def fate(change: Change, kinds: Kinds) -> str:
    """What becomes of the row of what leaves git, as rows are projected: `row becomes INACTIVE`; empty otherwise."""
    if change.prune is None:
        return ""
    if change.prune is Prune.OFF:
        return "row stays as it is"
    kind = kinds.by_name.get(change.resource.kind)
    if change.prune is Prune.DELETE or kind is None or not kind.can_deactivate:
        return "row is deleted"
    return f"row {'stays' if change.resource.values.get(STATUS_FIELD) == INACTIVE else 'becomes'} {INACTIVE}"


def _members(name: str, old: Member, new: Member) -> Iterator[tuple[str, Member, Member]]:
    there = [side for side in (old, new) if side is not Missing.MISSING]
    if all(isinstance(side, dict) and side for side in there):
        before, after = (side if isinstance(side, dict) else {} for side in (old, new))
        for key in sorted({*before, *after}):
            yield from _members(f"{name}.{key}", before.get(key, Missing.MISSING), after.get(key, Missing.MISSING))
    elif _text(old) != _text(new):
        yield name, old, new


def _or_missing(value: Value) -> Member:
    return Missing.MISSING if value is None else value


def _text(value: Member) -> str | None:
    """A value as text: what could be taken for something else stands in single quotes, as in YAML."""
    if value is Missing.MISSING:
        return None
    if value is None:
        return "null"
    if isinstance(value, str) and (value in ("", NOTHING, "null") or value != value.strip()):
        return "'" + visible(value).replace("'", "''") + "'"
    return visible(canonical.text(value))


def _with_unit(text: str | None, unit: str) -> str:
    if text is None:
        return NOTHING
    return f"{text} {unit}" if unit else text
