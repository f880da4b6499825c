"""Whether rows that fit a kind's old schema still fit its new one; if not, its table cannot be migrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.kinds.kind import ANNOTATION, child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Column, Kind

_FIELDS = "/properties/spec/properties"
_KEEP = "keep the field and take it out of spec.required, or make a new kind"
_WIDEN = "keep what was allowed and narrow it with a policy, add a new field, or make a new kind"
_ADD_OPTIONAL = "leave it out of spec.required: rows written before it exists have no value"
_NEW_KIND = "keep it, or make a new kind and move the resources there"
_NEW_FIELD = "keep the type and add a new field with the other one"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A change of a schema that rows already written could break: its place in the new schema, and what to do."""

    pointer: str
    message: str
    hint: str


def find_narrowings(old: Kind, new: Kind) -> tuple[Narrowing, ...]:
    """Every change from `old` to `new` that could make existing rows invalid."""
    return (*_identity(old, new), *_columns(old, new))


def _identity(old: Kind, new: Kind) -> Iterator[Narrowing]:
    if old.table != new.table:
        message = f"the table {old.table} becomes {new.table}: its rows would be left behind"
        yield Narrowing(f"/{ANNOTATION}/table", message, _NEW_KIND)
    if old.key != new.key:
        yield Narrowing(f"/{ANNOTATION}/key", f"the key {old.key} becomes {new.key}", _NEW_KIND)


def _columns(old: Kind, new: Kind) -> Iterator[Narrowing]:
    for before in old.columns:
        after = new.column(before.name)
        if after is None:
            pointer = child(f"/{ANNOTATION}/columns", before.name)
            yield Narrowing(pointer, f"the column {before.name} is removed: its values would be lost", _KEEP)
        else:
            yield from _column(before, after)
    for after in new.columns:
        if after.required and old.column(after.name) is None:
            message = f"the new field {after.name} is required"
            yield Narrowing(child(_FIELDS, after.name), message, _ADD_OPTIONAL)


def _column(before: Column, after: Column) -> Iterator[Narrowing]:
    declared, field = child(f"/{ANNOTATION}/columns", after.name), child(_FIELDS, after.name)
    if before.type is not after.type:
        message = f"the column {after.name} was {_written(before)} and becomes {_written(after)}"
        yield Narrowing(declared, message, _NEW_FIELD)
        return
    if after.length is not None and (before.length is None or before.length > after.length):
        yield Narrowing(declared, f"{after.name} was {_written(before)} and becomes {_written(after)}", _WIDEN)
    if after.required and not before.required:
        yield Narrowing(field, f"{after.name} may be left out so far and becomes required", _ADD_OPTIONAL)
    yield from _words(field, before, after)
    yield from _bounds(field, before, after)


def _words(field: str, before: Column, after: Column) -> Iterator[Narrowing]:
    if not after.enum:
        return
    pointer = child(field, "enum")
    if not before.enum:
        yield Narrowing(pointer, f"{after.name} could be any text so far, and becomes {', '.join(after.enum)}", _WIDEN)
        return
    gone = [word for word in before.enum if word not in after.enum]
    if gone:
        yield Narrowing(pointer, f"{after.name} may no longer be {' or '.join(gone)}", _WIDEN)


def _bounds(field: str, before: Column, after: Column) -> Iterator[Narrowing]:
    old_limit, new_limit = _lowest(before), _lowest(after)
    if new_limit is not None and (old_limit is None or old_limit < new_limit):
        yield Narrowing(field, f"{after.name} must now be {_side(new_limit, 'more than', 'at least')}", _WIDEN)
    old_limit, new_limit = _highest(before), _highest(after)
    if new_limit is not None and (old_limit is None or old_limit < new_limit):
        limit = (-new_limit[0], new_limit[1])
        yield Narrowing(field, f"{after.name} must now be {_side(limit, 'less than', 'at most')}", _WIDEN)


def _lowest(column: Column) -> tuple[float, bool] | None:
    """The lower limit, and whether it is itself excluded: the greater pair is the tighter one."""
    limits = [
        (column.bounds[keyword], excluded)
        for keyword, excluded in (("minimum", False), ("exclusiveMinimum", True))
        if keyword in column.bounds
    ]
    return max(limits, default=None)


def _highest(column: Column) -> tuple[float, bool] | None:
    """The upper limit with its sign turned, so that here too the greater pair is the tighter one."""
    limits = [
        (-column.bounds[keyword], excluded)
        for keyword, excluded in (("maximum", False), ("exclusiveMaximum", True))
        if keyword in column.bounds
    ]
    return max(limits, default=None)


def _side(limit: tuple[float, bool], excluded: str, included: str) -> str:
    return f"{excluded if limit[1] else included} {canonical.text(limit[0])}"


def _written(column: Column) -> str:
    return f"{column.type}({column.length})" if column.length is not None else str(column.type)
