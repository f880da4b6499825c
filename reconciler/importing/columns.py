"""Which column of a raw table is which column of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.kinds.kind import TIMESTAMPS, did_you_mean
from reconciler.model.problem import Problem
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.importing.rawtable import RawTable
    from reconciler.kinds.kind import Kind

METADATA = ("name", "labels", "annotations", "refs")
"""What a resource says of itself beside its columns, as `desired.<table>` has it."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Where to find what: positions of cells by column of the kind, and by what of `METADATA` is there."""

    fields: Mapping[str, int]
    metadata: Mapping[str, int]
    problems: tuple[Problem, ...]


def match(table: RawTable) -> Matching:
    """Match a table's columns, in any case, with those of its kind; every column has to be known."""
    kind = table.kind
    positions: dict[str, int] = {}
    problems: list[Problem] = []
    ours = {column.name.lower(): column.name for column in kind.columns}
    beside = metadata_columns(kind)
    known = {*ours, *beside, *TIMESTAMPS, *(name.lower() for name, _ in declaration_columns(kind))}
    for position, written in enumerate(table.columns):
        name = written.strip().lower()
        if name in positions:
            problems.append(_problem(table, "duplicate-key", written, f"the column {written} is there twice"))
        elif name not in known:
            problems.append(_unknown(table, position, written, known))
        positions.setdefault(name, position)
    fields = {own: positions[name] for name, own in ours.items() if name in positions}
    metadata = {own: positions[name] for name, own in beside.items() if name in positions}
    problems.extend(_missing(table, fields, metadata))
    return Matching(fields, metadata, tuple(problems))


def metadata_columns(kind: Kind) -> dict[str, str]:
    """What of `METADATA` a column holds, by its name in lower case: a kind may have a `name` of its own."""
    pairs = zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)
    return {name.lower(): plain for (plain, _), (name, _) in pairs if plain in METADATA}


def _missing(table: RawTable, fields: Mapping[str, int], metadata: Mapping[str, int]) -> Iterator[Problem]:
    kind = table.kind
    for column in kind.columns:
        if not column.required or column.name in fields:
            continue
        if column.name != kind.key:
            yield _problem(table, "missing-field", column.name, f"there is no column {column.name}", column.description)
        elif "name" not in metadata:
            message = f"there is neither a column {kind.key} nor one of names"
            yield _problem(table, "missing-field", kind.key, message, "rows are told apart by one of them")


def _unknown(table: RawTable, position: int, written: str, known: set[str]) -> Problem:
    if not written.strip():
        message = f"column {position + 1} has no name"
        return _problem(table, "unknown-field", "", message, "delete it, or give it the name of a column")
    message = f"{table.kind.name} has no column {written}{did_you_mean(written, known)}"
    return _problem(table, "unknown-field", written, message, f"columns: {', '.join(_own(table.kind))}")


def _own(kind: Kind) -> tuple[str, ...]:
    return tuple(column.name for column in kind.columns)


def _problem(table: RawTable, code: str, name: str, message: str, hint: str = "") -> Problem:
    return Problem(table.place, 1, 1, code, f"/spec/{name}" if name else "", message, hint)
