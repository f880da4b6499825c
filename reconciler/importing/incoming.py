"""Rows to what they say of a resource, before it has a name, a file and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.importing.columns import match
from reconciler.importing.convert import Unfit, convert, from_json
from reconciler.kinds.pointers import child
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.importing.columns import Matching
    from reconciler.importing.rawtable import Raw, RawTable
    from reconciler.kinds.kind import Kind


@dataclass(frozen=True, slots=True)
class Incoming:
    """One row: its place, its values by column, and what it says of the resource besides (some of `METADATA`).

    `problems` are about single cells. `told` holds the pointers of these and of columns that are wrong as a whole: what
    the validator finds there is no news.
    """

    kind: Kind
    place: str
    line: int
    spec: Mapping[str, Value]
    metadata: Mapping[str, Value] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    told: frozenset[str] = frozenset()

    @property
    def id(self) -> str | None:
        """The value of the key column, or what stands for it when there is a name only; None without either."""
        value = self.spec.get(self.kind.key)
        if isinstance(value, str):
            return value
        return canonical.derived_id(self.kind.name, self.name) if self.name else None

    @property
    def name(self) -> str | None:
        """The name the row gives itself."""
        value = self.metadata.get("name")
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """All rows of some tables, and what is wrong with the tables themselves."""

    rows: tuple[Incoming, ...]
    problems: tuple[Problem, ...]


def arrivals(tables: Iterable[RawTable]) -> Arrivals:
    """The rows of tables, in order. Rows without anything in them are left out."""
    rows: list[Incoming] = []
    problems: list[Problem] = []
    for table in tables:
        matching = match(table)
        told = frozenset(problem.pointer for problem in matching.problems)
        problems.extend(matching.problems)
        for line, cells in table.rows.items():
            if len(cells) == len(table.columns):
                rows.append(_incoming(table, line, cells, matching, told))
            else:
                problems.append(_ragged(table, line, len(cells)))
    return Arrivals(tuple(rows), tuple(problems))


def _incoming(table: RawTable, line: int, cells: Sequence[Raw], matching: Matching, told: frozenset[str]) -> Incoming:
    spec: dict[str, Value] = {}
    metadata: dict[str, Value] = {}
    problems: list[Problem] = []
    for pointer, value in _values(table.kind, cells, matching):
        if isinstance(value, Unfit):
            problems.append(Problem(table.place, line, 1, value.code, child(*pointer), value.message, value.hint))
        elif value is not None:
            (spec if pointer[0] == "/spec" else metadata)[pointer[1]] = value
    told |= {problem.pointer for problem in problems}
    return Incoming(table.kind, table.place, line, spec, metadata, tuple(problems), told)


def _values(kind: Kind, cells: Sequence[Raw], matching: Matching) -> Iterator[tuple[tuple[str, str], Value | Unfit]]:
    """What the cells say, each with where in a document it belongs: the pointer of a mapping and a key there."""
    for column in kind.columns:
        if column.name in matching.fields:
            yield ("/spec", column.name), convert(column, cells[matching.fields[column.name]])
    for name, position in matching.metadata.items():
        raw = cells[position]
        if raw is not None and raw != "":
            yield ("/metadata", name), str(raw) if name == "name" else _mapping(kind, name, raw)


def _mapping(kind: Kind, name: str, raw: Raw) -> Value | Unfit:
    """Labels, annotations or references, which stand in a cell as a JSON object."""
    value = from_json(raw)
    if isinstance(value, Unfit):
        return value
    if not isinstance(value, dict):
        return Unfit("wrong-type", f"{name} are a JSON object, and this is none", 'write {"key": "value"}')
    return references(kind, value) if name == "refs" else value


def references(kind: Kind, written: dict[str, Value]) -> dict[str, Value]:
    """References as a document has them: a role for one has its name, where the tables have a list of one."""
    many = {reference.role for reference in kind.references if reference.many}
    ordered = [reference.role for reference in kind.references if reference.role in written]
    refs: dict[str, Value] = {}
    for role in dict.fromkeys((*ordered, *written)):
        names = written[role]
        refs[role] = names[0] if role not in many and isinstance(names, list) and len(names) == 1 else names
    return refs


def _ragged(table: RawTable, line: int, count: int) -> Problem:
    message = f"this row has {count} cells, and the table has {len(table.columns)} columns"
    hint = "put double quotes around a cell with a separator in it"
    return Problem(table.place, line, 1, "wrong-type", "", message, hint)
