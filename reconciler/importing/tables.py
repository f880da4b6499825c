"""Rows of foreign tables to the values of resources, before these have a name and a file and are validated."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from reconciler import canonical
from reconciler.kinds.kind import TIMESTAMPS, SqlType, child
from reconciler.model.problem import Problem
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns
from reconciler.validate.finding import number_hint
from reconciler.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Column, Kind


RawValue: TypeAlias = "bool | int | float | str | None"
"""A cell: as the database types it where that is exact, else its text."""


class RawTable(Struct, frozen=True):
    """The rows of one table or CSV file that are a kind's.

    `place` names the table in messages. `rows` maps a row's number (or a CSV record's line, the header being 1) to its
    cells, in the order of `columns`, which are as they are written there.
    """

    place: str
    kind: Kind
    columns: Sequence[str]
    rows: Mapping[int, Sequence[RawValue]]


METADATA = ("name", "labels", "annotations", "refs")
"""A resource's metadata beside its columns, as `desired.<table>` has it."""


class ColumnMatch(Struct, frozen=True):
    """Positions of cells: by column of the kind, and by the metadata that the table has."""

    fields: Mapping[str, int]
    metadata: Mapping[str, int]
    problems: tuple[Problem, ...]


def match_columns(table: RawTable) -> ColumnMatch:
    """Match a table's columns with those of its kind, ignoring case; unknown ones are problems."""
    kind = table.kind
    positions: dict[str, int] = {}
    problems: list[Problem] = []
    own_names = {column.name.lower(): column.name for column in kind.columns}
    metadata_names = metadata_columns(kind)
    known = {*own_names, *metadata_names, *TIMESTAMPS, *(name.lower() for name, _ in declaration_columns(kind))}
    for position, written in enumerate(table.columns):
        name = written.strip().lower()
        if name in positions:
            problems.append(_problem(table, "duplicate-key", written, f"the column {written} is there twice"))
        elif name not in known:
            problems.append(_unknown_problem(table, position, written, known))
        positions.setdefault(name, position)
    fields = {own: positions[name] for name, own in own_names.items() if name in positions}
    metadata = {own: positions[name] for name, own in metadata_names.items() if name in positions}
    problems.extend(_find_missing(table, fields, metadata))
    return ColumnMatch(fields, metadata, tuple(problems))


def metadata_columns(kind: Kind) -> dict[str, str]:
    """Metadata by column name in lower case: a kind may have a column `name` of its own."""
    pairs = zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)
    return {name.lower(): plain for (plain, _), (name, _) in pairs if plain in METADATA}


def _find_missing(table: RawTable, fields: Mapping[str, int], metadata: Mapping[str, int]) -> Iterator[Problem]:
    kind = table.kind
    for column in kind.columns:
        if not column.required or column.name in fields:
            continue
        if column.name != kind.key:
            yield _problem(table, "missing-field", column.name, f"there is no column {column.name}", column.description)
        elif "name" not in metadata:
            message = f"there is neither a column {kind.key} nor one of names"
            yield _problem(table, "missing-field", kind.key, message, "rows are told apart by one of them")


def _unknown_problem(table: RawTable, position: int, written: str, known: set[str]) -> Problem:
    if not written.strip():
        message = f"column {position + 1} has no name"
        return _problem(table, "unknown-field", "", message, "delete it, or give it the name of a column")
    message = f"{table.kind.name} has no column {written}{did_you_mean(written, known)}"
    return _problem(table, "unknown-field", written, message, f"columns: {', '.join(_column_names(table.kind))}")


def _column_names(kind: Kind) -> tuple[str, ...]:
    return tuple(column.name for column in kind.columns)


def _problem(table: RawTable, code: str, name: str, message: str, hint: str = "") -> Problem:
    return Problem(table.place, 1, 1, code, f"/spec/{name}" if name else "", message, hint)


MAX_QUOTED = 60
"""Characters of a cell that a message quotes."""
MAX_DIGITS = 400
"""Decimal places to the left or right beyond which no double, and no integer of a table, reaches."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,9})?")
_NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
_BOOLEANS = {**dict.fromkeys(("true", "t", "1"), True), **dict.fromkeys(("false", "f", "0"), False)}


class CellError(Struct, frozen=True):
    """Why a cell does not fit its column: the code, message and hint of a problem."""

    code: str
    message: str
    hint: str = ""


def convert_cell(column: Column, raw: RawValue) -> Value | CellError:
    """The value of a cell; None for NULL, and for an empty text where the column is not text."""
    if raw is None or (raw == "" and column.type is not SqlType.VARCHAR):
        return None
    return _CONVERTERS[column.type](raw)


def parse_json_cell(raw: RawValue) -> Value | CellError:
    if not isinstance(raw, str):
        return raw
    try:
        value = canonical.normalize(json.loads(raw))
        canonical.dumps(value).encode()
    except UnicodeEncodeError:
        return CellError(
            "wrong-type", f"{_quote(raw)} holds half a character", r"delete the lone \ud800 to \udfff in it"
        )
    except RecursionError:
        return CellError("wrong-type", f"{_quote(raw)} is nested too deep", "configuration needs three or four levels")
    except ValueError as error:
        return CellError("wrong-type", f"{_quote(raw)} is no JSON: {error}", 'write JSON, such as {"a": 1}')
    return value


def _to_text(raw: RawValue) -> Value | CellError:
    if isinstance(raw, str):
        return raw
    return CellError("wrong-type", f"{canonical.text(raw)} is no text", "make the column of the table VARCHAR")


def _to_uuid(raw: RawValue) -> Value | CellError:
    return raw.strip().lower() if isinstance(raw, str) else _to_text(raw)


def _to_float(raw: RawValue) -> Value | CellError:
    exact = _to_number(raw)
    if isinstance(exact, CellError):
        return exact
    try:
        return canonical.number(float(exact))
    except (OverflowError, ValueError):
        return _not_finite_error(raw)


def _to_integer(raw: RawValue) -> Value | CellError:
    exact = _to_number(raw)
    if isinstance(exact, CellError):
        return exact
    if exact != exact.to_integral_value():
        return CellError("wrong-type", f"{_quote(raw)} is no whole number", "this column holds whole numbers")
    return int(exact)


def _to_number(raw: RawValue) -> Decimal | CellError:
    """The number exactly as written."""
    if isinstance(raw, bool) or raw is None:
        return CellError("wrong-type", f"{canonical.text(raw)} is no number", "make the column of the table a number")
    text = str(raw).strip()
    if _NOT_FINITE.fullmatch(text):
        return _not_finite_error(raw)
    if not _NUMBER.fullmatch(text):
        hint = number_hint(text, {"minimum": 0.75}, "", quoted=False).words
        return CellError("wrong-type", f"{_quote(raw)} is no number", hint)
    number = Decimal(text)
    return number if abs(number.adjusted()) < MAX_DIGITS or not number else _not_finite_error(raw)


def _not_finite_error(raw: RawValue) -> CellError:
    return CellError("not-finite", f"{_quote(raw)} is not a finite number", "write the number itself, such as 0.75")


def _to_boolean(raw: RawValue) -> Value | CellError:
    if isinstance(raw, bool):
        return raw
    value = _BOOLEANS.get(str(raw).strip().lower())
    return CellError("wrong-type", f"{_quote(raw)} is neither true nor false") if value is None else value


def _quote(raw: RawValue) -> str:
    text = str(raw)
    return repr(text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…")


_CONVERTERS: Mapping[SqlType, Callable[[RawValue], Value | CellError]] = {
    SqlType.UUID: _to_uuid,
    SqlType.VARCHAR: _to_text,
    SqlType.FLOAT: _to_float,
    SqlType.INTEGER: _to_integer,
    SqlType.BOOLEAN: _to_boolean,
    SqlType.JSON: parse_json_cell,
}


class IncomingRow(Struct, frozen=True):
    """One row: its place, its values by column, and what it says of the resource besides (some of `METADATA`).

    `problems` are about single cells. `told` holds the pointers of these and of columns that are wrong as a whole: what
    the validator finds there is no news. `cells` has the row and column of each value by its pointer, where a
    resource comes from several cells of a spreadsheet.
    """

    kind: Kind
    place: str
    line: int
    spec: Mapping[str, Value]
    metadata: Mapping[str, Value] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    reported: frozenset[str] = frozenset()
    cells: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """The value of the key column, or the id derived from the name; None without either."""
        value = self.spec.get(self.kind.key)
        if isinstance(value, str):
            return value
        return canonical.derived_id(self.kind.name, self.name) if self.name else None

    @property
    def name(self) -> str | None:
        """The name in the row's metadata."""
        value = self.metadata.get("name")
        return value if isinstance(value, str) else None


class IncomingRows(Struct, frozen=True):
    """All rows of some tables, and the problems of the tables themselves."""

    rows: tuple[IncomingRow, ...]
    problems: tuple[Problem, ...]


def read_rows(tables: Iterable[RawTable]) -> IncomingRows:
    """The rows of tables, in order. Rows without anything in them are left out."""
    rows: list[IncomingRow] = []
    problems: list[Problem] = []
    for table in tables:
        match = match_columns(table)
        reported = frozenset(problem.pointer for problem in match.problems)
        problems.extend(match.problems)
        for line, cells in table.rows.items():
            if len(cells) == len(table.columns):
                rows.append(_read_row(table, line, cells, match, reported))
            else:
                problems.append(_ragged_problem(table, line, len(cells)))
    return IncomingRows(tuple(rows), tuple(problems))


def _read_row(
    table: RawTable, line: int, cells: Sequence[RawValue], match: ColumnMatch, reported: frozenset[str]
) -> IncomingRow:
    spec: dict[str, Value] = {}
    metadata: dict[str, Value] = {}
    problems: list[Problem] = []
    for pointer, value in _iter_values(table.kind, cells, match):
        if isinstance(value, CellError):
            problems.append(Problem(table.place, line, 1, value.code, child(*pointer), value.message, value.hint))
        elif value is not None:
            (spec if pointer[0] == "/spec" else metadata)[pointer[1]] = value
    reported |= {problem.pointer for problem in problems}
    return IncomingRow(table.kind, table.place, line, spec, metadata, tuple(problems), reported)


def _iter_values(
    kind: Kind, cells: Sequence[RawValue], match: ColumnMatch
) -> Iterator[tuple[tuple[str, str], Value | CellError]]:
    """The cells' values, each with its place in a document: the pointer of a mapping and a key there."""
    for column in kind.columns:
        if column.name in match.fields:
            yield ("/spec", column.name), convert_cell(column, cells[match.fields[column.name]])
    for name, position in match.metadata.items():
        raw = cells[position]
        if raw is not None and raw != "":
            yield ("/metadata", name), str(raw) if name == "name" else _mapping(kind, name, raw)


def _mapping(kind: Kind, name: str, raw: RawValue) -> Value | CellError:
    """Labels, annotations or references from a cell with a JSON object."""
    value = parse_json_cell(raw)
    if isinstance(value, CellError):
        return value
    if not isinstance(value, dict):
        return CellError("wrong-type", f"{name} are a JSON object, and this is none", 'write {"key": "value"}')
    return normalize_references(kind, value) if name == "refs" else value


def normalize_references(kind: Kind, written: dict[str, Value]) -> dict[str, Value]:
    """References as documents have them: one name for a role of one, where tables have a list of one."""
    many = {reference.role for reference in kind.references if reference.many}
    ordered = [reference.role for reference in kind.references if reference.role in written]
    refs: dict[str, Value] = {}
    for role in dict.fromkeys((*ordered, *written)):
        names = written[role]
        refs[role] = names[0] if role not in many and isinstance(names, list) and len(names) == 1 else names
    return refs


def _ragged_problem(table: RawTable, line: int, count: int) -> Problem:
    message = f"this row has {count} cells, and the table has {len(table.columns)} columns"
    hint = "put double quotes around a cell with a separator in it"
    return Problem(table.place, line, 1, "wrong-type", "", message, hint)
