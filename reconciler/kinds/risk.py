"""Whether a change loosens or tightens what may be traded, as `x-reconciler.risk` of the schema of its kind says.

Whatever a schema does not say loosens: a field that nobody thought of must not pass as harmless.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.kinds.kind import ANNOTATION, INACTIVE, NUMBERS, STATUS_FIELD, SqlType, child
from reconciler.kinds.parts import Flaw
from reconciler.model.change import FieldChange, Op, Prune
from reconciler.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Column, Kind, Kinds
    from reconciler.model.change import Change

UP, DOWN, NEUTRAL = "up", "down", "neutral"
"""More of it loosens; less of it loosens; it has nothing to do with risk. In the schema of a kind, by field, or by
value of a field."""
_RANKS = {UP: 1, NEUTRAL: 0, DOWN: -1}
_RISK = f"/{ANNOTATION}/risk"
_METADATA = ("name", "labels", "annotations")
_DIGITS = 6
"""Significant digits of a factor."""


class Direction(StrEnum):
    """What a change does to the risk that may be taken."""

    TIGHTEN = "tighten"
    LOOSEN = "loosen"
    NEUTRAL = "neutral"


class FieldRisk(Struct, frozen=True):
    """What the change of one field does. `factor` is how many times the old number the new one is."""

    direction: Direction
    factor: float | None = None


def combine(directions: Iterable[Direction]) -> Direction:
    """What several changes do together: one that loosens is not made good by others that tighten."""
    found = frozenset(directions)
    return next((one for one in (Direction.LOOSEN, Direction.TIGHTEN) if one in found), Direction.NEUTRAL)


def judge_change(change: Change, kinds: Kinds) -> Direction:
    """What the change of one resource does.

    A new resource loosens unless it is INACTIVE. One that leaves git tightens where its row is switched off or
    deleted; of a kind without a status nobody knows what it held back, so that loosens.
    """
    kind = kinds.by_name.get(change.resource.kind)
    if kind is None:
        return Direction.LOOSEN
    is_off = kind.can_deactivate and change.resource.values.get(STATUS_FIELD) == INACTIVE
    if change.op is Op.CREATE:
        return Direction.NEUTRAL if is_off else Direction.LOOSEN
    if change.op is Op.DELETE:
        if is_off or change.prune is Prune.OFF:
            return Direction.NEUTRAL
        return Direction.TIGHTEN if kind.can_deactivate else Direction.LOOSEN
    fields = change.fields
    directions = [judge_field(change, field, kind).direction for field in fields]
    return combine([*directions, *_judge_revalued(change, kind, {field.field for field in fields})])


def judge_field(change: Change, field: FieldChange, kind: Kind | None) -> FieldRisk:
    """What the change of one field of a resource does."""
    column = kind.column(field.field) if kind else None
    rule = find_rule(kind, field.field) if kind else None
    if rule == NEUTRAL:
        return FieldRisk(Direction.NEUTRAL)
    if column is not None and _is_revalued(change, column):
        return FieldRisk(Direction.LOOSEN)
    is_number = column is not None and column.type in NUMBERS  # in JSON, one may be larger than any float
    return FieldRisk(_compare(rule, field.old, field.new), _factor(field.old, field.new) if is_number else None)


def find_rule(kind: Kind, field: str) -> str | Mapping[str, str] | None:
    """What the schema says of a field, by the name that a `FieldChange` has; None where it says nothing."""
    name, _, rest = field.partition(".")
    return kind.risk.get(name if rest and name in _METADATA else field)


def fields_without_rule(kind: Kind) -> tuple[str, ...]:
    """The columns of which the schema does not say which direction loosens: any change of them does."""
    return tuple(column.name for column in kind.columns if column.name not in (kind.key, *kind.risk))


def _judge_revalued(change: Change, kind: Kind, differing: set[str]) -> Iterator[Direction]:
    """Values that stay and mean another thing: 0.1 lots become 0.1 percent."""
    for column in kind.columns:
        if column.name not in differing and _is_revalued(change, column):
            yield Direction.NEUTRAL if kind.risk.get(column.name) == NEUTRAL else Direction.LOOSEN


def _is_revalued(change: Change, column: Column) -> bool:
    if column.unit_choice is None or change.old is None or change.new is None:
        return False
    by = column.unit_choice.by
    return change.old.values.get(by) != change.new.values.get(by)


def _compare(rule: str | Mapping[str, str] | None, old: Value, new: Value) -> Direction:
    if rule is None:
        return Direction.LOOSEN
    if isinstance(rule, str):
        if not _are_comparable(old, new):
            return Direction.LOOSEN
        grows: bool = new > old  # type: ignore[operator]
        return Direction.LOOSEN if grows is (rule == UP) else Direction.TIGHTEN
    if not (isinstance(old, str) and isinstance(new, str)):
        return Direction.LOOSEN
    before, after = (_RANKS[rule.get(value, NEUTRAL)] for value in (old, new))
    if before == after == 0 and old in rule and new in rule:
        return Direction.NEUTRAL
    return Direction.TIGHTEN if after < before else Direction.LOOSEN


def _are_comparable(old: Value, new: Value) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return isinstance(old, bool) and isinstance(new, bool)
    return isinstance(old, (int, float)) and isinstance(new, (int, float))


def _factor(old: Value, new: Value) -> float | None:
    if isinstance(old, bool) or not _are_comparable(old, new) or old == 0:
        return None
    factor: float = new / old  # type: ignore[operator]
    return float(f"{factor:.{_DIGITS}g}") if math.isfinite(factor) else None


def find_risk_flaws(kind: Kind) -> Iterator[Flaw]:
    """Names that are no field, and directions that a field cannot have. The schema has no other flaws."""
    columns = {column.name: column for column in kind.columns if column.name != kind.key}
    roles = [f"refs.{reference.role}" for reference in kind.references]
    for name, rule in kind.risk.items():
        pointer = child(_RISK, name)
        if name in columns:
            yield from _find_column_flaws(columns[name], rule, pointer)
        elif name not in (*_METADATA, *roles):
            known = [*columns, *_METADATA, *roles]
            yield Flaw(pointer, f"risk names {name}, which is no field{did_you_mean(name, known)}", at_key=True)
        elif rule != NEUTRAL:
            yield Flaw(pointer, f"{name} has no order: only {NEUTRAL} can be said of it")


def _find_column_flaws(column: Column, rule: Any, pointer: str) -> Iterator[Flaw]:
    if rule == NEUTRAL:
        return
    if isinstance(rule, str):
        if column.type not in (*NUMBERS, SqlType.BOOLEAN):
            hint = 'say it of its values, as {"ACTIVE": "up"}, or leave it out: then each change of it loosens'
            yield Flaw(pointer, f"{column.name} is no number, so that {rule} says nothing", hint)
        return
    if not column.enum:
        yield Flaw(pointer, f"{column.name} has no list of values, so that none can be named")
        return
    for value in rule:
        if value not in column.enum:
            message = f"{column.name} is never {value}{did_you_mean(value, column.enum)}"
            yield Flaw(child(pointer, value), message, at_key=True)
