"""The projection of a row: what stands in the tables for a resource, or for the tombstone it left.

Both databases use it, so that the ledger's state at a commit is the store's after applying it. Tables that leave the
program are made of the same columns: a table export, and the JSON of what a query returns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.kinds.names import DECLARED, declared_name
from reconciler.model.change import Change, Prune, Resource, Row, Stamp
from reconciler.model.rows import CutBy
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Column, Kind, Kinds
    from reconciler.model.halt import Halts

    JsonRow = tuple[Value, ...]

_DECLARATION_TYPES = {"labels": "JSON", "annotations": "JSON", "refs": "JSON", "line": "INTEGER"}
DECLARATION_COLUMNS = tuple((name, _DECLARATION_TYPES.get(name, "VARCHAR")) for name in DECLARED)
"""What a desired row has beyond the live one. `path` and `line` are NULL for what left git."""


def declaration_columns(kind: Kind) -> tuple[tuple[str, str], ...]:
    """The declaration columns as this kind's tables name them.

    Where the kind has a column of that name itself, the declaration's is prefixed: `declared_path`.
    """
    return tuple((declared_name(kind, name), sql_type) for name, sql_type in DECLARATION_COLUMNS)


def name_column(kind: Kind) -> str:
    """The declaration's column `name` as this kind's tables name it."""
    return declared_name(kind, "name")


def last_stamp(row: Row) -> Stamp:
    """The commit that last changed the row: its removal, for a tombstone."""
    return row.removed or row.updated


def is_live(kind: Kind, row: Row) -> bool:
    """Whether the row is in the live table: declared resources, and those that left git without losing their row.

    What left git has no row under a schema that its values do not fit. It has one again under another that they do.
    """
    if row.removed is None:
        return True
    if row.removed.prune is Prune.DELETE or (row.removed.prune is Prune.DEACTIVATE and not kind.can_deactivate):
        return False
    return row.resource.values.get(kind.key) == row.resource.id and not any(unfit_columns(kind, row))


def with_types(kind: Kind, row: Row) -> Row:
    """The row without those values that are not of their columns' types, for one that was made under another schema."""
    values = row.resource.values
    odd = [
        column.name
        for column in kind.columns
        if values.get(column.name) is not None and not column.is_of_type(values[column.name])
    ]
    if not odd:
        return row
    return replace(row, resource=replace(row.resource, values={**values, **dict.fromkeys(odd)}))


def unfit_columns(kind: Kind, row: Row) -> Iterator[str]:
    """The columns of the live table that cannot hold what a row has for them."""
    for column, value in zip(kind.columns, live_values(kind, row), strict=False):
        if not column.holds(value):
            yield column.name


def with_halts(kind: Kind, row: Row, halts: Halts) -> Row:
    """The row with what halts make of it."""
    covered = bool(kind.halt) and halts.of(row.resource, kind.table) is not None
    halted = _differing(kind, replace(row, halted=None)) if covered else None
    return row if halted == row.halted else replace(row, halted=halted)


def rows_under(halts: Halts, kinds: Kinds, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows with what halts make of them; `kinds` are theirs."""
    for row in rows:
        kind = kinds.by_name.get(row.resource.kind)
        yield row if kind is None or not halts.standing else with_halts(kind, row, halts)


def changes_under(halts: Halts, kinds: Kinds, changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes with what halts set in their rows; `kinds` are those of the new state."""
    return tuple(_change_under(halts, kinds, change) for change in changes) if halts.standing else tuple(changes)


def _change_under(halts: Halts, kinds: Kinds, change: Change) -> Change:
    new = change.new
    kind = kinds.by_name.get(new.kind) if new else None
    if new is None or kind is None or not kind.halt or halts.of(new) is None:
        return change
    halted = {name: value for name, value in kind.halt.items() if new.values.get(name) != value}
    return replace(change, halted=halted or None)


def _differing(kind: Kind, row: Row) -> Mapping[str, Value] | None:
    """The fields that a halt sets to something else than they are."""
    live = dict(zip((column.name for column in kind.columns), live_values(kind, row), strict=False))
    return {name: value for name, value in kind.halt.items() if live[name] != value} or None


def live_values(kind: Kind, row: Row) -> tuple[Any, ...]:
    """The kind's columns, then created_at and updated_at (aware, UTC). A deactivated tombstone's status is INACTIVE."""
    declared = row.resource.values
    deactivated = row.removed is not None and row.removed.prune is not Prune.OFF
    values = [declared.get(column.name) for column in kind.columns]
    for position, column in _special(kind):
        if column.type is SqlType.JSON:
            values[position] = None if values[position] is None else canonical.dumps(values[position])
        elif deactivated:
            values[position] = INACTIVE
    if row.halted:
        values = [row.halted.get(column.name, value) for column, value in zip(kind.columns, values, strict=True)]
    if row.removed is not None:  # its values are those of the schema it left under
        values = [_to_type(column, value) for column, value in zip(kind.columns, values, strict=True)]
    return (*values, row.created.time, last_stamp(row).time)


def _to_type(column: Column, value: Any) -> Any:
    whole = column.type is SqlType.INTEGER and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def desired_values(kind: Kind, row: Row) -> tuple[Any, ...]:
    """The live values, then those of `DECLARATION_COLUMNS`."""
    resource, declared = row.resource, row.removed is None
    refs = {role: list(names) for role, names in resource.refs.items()}
    return (
        *live_values(kind, row),
        resource.name,
        _json(resource.labels),
        _json(resource.annotations),
        _json(refs),
        resource.path if declared else None,
        resource.line if declared else None,
        resource.digest,
        row.created.commit,
        last_stamp(row).commit,
    )


def declared_row(kind: Kind, values: Mapping[str, Any], stamps: Sequence[datetime], declaration: Sequence[Any]) -> Row:
    """The row that a record of a desired table stands for: values, two time stamps and the declaration columns."""
    name, labels, annotations, refs, path, line, digest, created, updated = declaration
    resource = Resource(
        kind=kind.name,
        name=name,
        id=values[kind.key],
        values=values,
        labels=_mapping(labels),
        annotations=_mapping(annotations),
        refs=refs_of(_mapping(refs)),
        path=path,
        line=line,
        digest=digest,
    )
    created_at, updated_at = map(canonical.utc, stamps)
    return Row(resource, Stamp(created, created_at), Stamp(updated, updated_at))


def refs_of(refs: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """References as a resource has them, from JSON."""
    return {role: tuple(names) for role, names in refs.items()}


NOTHING = "{}"


def _json(mapping: Mapping[str, Any]) -> str:
    return canonical.dumps(dict(mapping)) if mapping else NOTHING


def _mapping(text: str) -> dict[str, Any]:
    return {} if text == NOTHING else json.loads(text)


@lru_cache(maxsize=64)
def _special(kind: Kind) -> tuple[tuple[int, Column], ...]:
    """The columns, with their positions, whose values are not always stored as they are."""
    return tuple(
        (position, column)
        for position, column in enumerate(kind.columns)
        if column.type is SqlType.JSON or (column.name == STATUS_FIELD and INACTIVE in column.enum)
    )


BESIDE = ("name", "labels", "annotations", "refs")
"""The metadata columns that `import` reads back."""


def export_columns(kind: Kind) -> tuple[tuple[str, str], ...]:
    """Names and DuckDB types, in order: the kind's columns, the time stamps, `BESIDE` as this kind's tables have it."""
    own = ((column.name, "DOUBLE" if column.type is SqlType.FLOAT else column.type.value) for column in kind.columns)
    stamps = ((name, "TIMESTAMP") for name in TIMESTAMPS)
    pairs = zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)
    return (*own, *stamps, *(column for (plain, _), column in pairs if plain in BESIDE))


ITEMS = (list, tuple, set, frozenset)


def to_json_cell(value: Any) -> Value:
    """A value of any SQL type as JSON has it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)):
        return _number(value)
    if isinstance(value, datetime):
        return canonical.timestamp(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {str(to_json_cell(key)): to_json_cell(item) for key, item in value.items()}
    return [to_json_cell(item) for item in value] if isinstance(value, ITEMS) else str(value)


def take_fitting(rows: Iterable[JsonRow], most_rows: int, most_bytes: int) -> tuple[list[JsonRow], CutBy | None]:
    """The first rows within both limits, and which of these keeps out the rest, if there is any."""
    taken: list[JsonRow] = []
    for row in rows:
        if len(taken) == most_rows:
            return taken, CutBy.ROWS
        most_bytes -= len(json.dumps(row))
        if most_bytes < 0:
            return taken, CutBy.BYTES
        taken.append(row)
    return taken, None


def _number(value: float | Decimal) -> Value:
    """A number if a double holds it exactly, else its digits as text."""
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        return str(value).replace("inf", "Infinity").replace("nan", "NaN") if isinstance(value, float) else str(value)
    near = float(value)
    if isinstance(value, float) or (math.isfinite(near) and Decimal(repr(near)) == value):
        return canonical.normalize(near)
    return f"{value:f}"
