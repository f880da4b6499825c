"""Kinds as the rest of the program sees them: tables, columns, references, schemas, and the names people use.

Places in schemas and documents are JSON Pointers (RFC 6901).
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct, field

from reconciler import canonical
from reconciler.model.problem import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


STATUS_FIELD = "status"
INACTIVE = "INACTIVE"
TIMESTAMPS = ("created_at", "updated_at")


class SqlType(StrEnum):
    """The SQL types a column may have. FLOAT is stored as a double, so that 0.1 stays 0.1."""

    UUID = "UUID"
    VARCHAR = "VARCHAR"
    FLOAT = "FLOAT"
    INTEGER = "INTEGER"
    BOOLEAN = "BOOLEAN"
    JSON = "JSON"


NUMBERS = frozenset({SqlType.FLOAT, SqlType.INTEGER})


class UnitChoice(Struct, frozen=True):
    """The unit of a column where another column of the row says which: `of` has it for values of the column `by`."""

    by: str
    of: Mapping[str, str]


class Column(Struct, frozen=True):
    """A column, with what the schema of its field says that a CHECK can hold: words of texts, bounds of numbers.

    `length` is the n of VARCHAR(n), None for other types and for an unbounded VARCHAR. `bounds` holds the schema's
    minimum, maximum, exclusiveMinimum and exclusiveMaximum, as far as they are there. `unit` is for people: where
    `unit_choice` says that it depends on the row, all that it may be.
    """

    name: str
    type: SqlType
    length: int | None = None
    required: bool = True
    enum: tuple[str, ...] = ()
    bounds: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    description: str = ""
    unit_choice: UnitChoice | None = None

    def unit_in(self, values: Mapping[str, Any]) -> str:
        """The unit of the column's value among the values of a row."""
        if self.unit_choice is None:
            return self.unit
        return self.unit_choice.of.get(str(values.get(self.unit_choice.by)), self.unit)

    def is_of_type(self, value: Any) -> bool:
        """Whether a value that is there is of the column's type, whatever the checks say."""
        return _IS_OF_TYPE[self.type](value)

    def holds(self, value: Any) -> bool:
        """Whether a value fits the column of the live table, with its checks; None stands for a field left out."""
        if value is None:
            return not self.required
        if not self.is_of_type(value) or (self.enum and value not in self.enum):
            return False
        if self.length is not None and len(value) > self.length:
            return False
        return all(_COMPARE[bound](value, limit) for bound, limit in self.bounds.items())


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and INTEGER_MIN <= value <= INTEGER_MAX and value == int(value)


INTEGER_MIN, INTEGER_MAX = -(2**31), 2**31 - 1
"""What a SQL INTEGER holds: 32 bits, in both databases."""
_IS_OF_TYPE: Mapping[SqlType, Callable[[Any], bool]] = {
    SqlType.UUID: _is_uuid,
    SqlType.VARCHAR: lambda value: isinstance(value, str),
    SqlType.FLOAT: _is_number,
    SqlType.INTEGER: _is_integer,
    SqlType.BOOLEAN: lambda value: isinstance(value, bool),
    SqlType.JSON: lambda value: True,
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
}


class Reference(Struct, frozen=True):
    """A role in metadata.refs and the kind whose names it holds; `many` when it is a list of names."""

    role: str
    kind: str
    many: bool = False


class Kind(Struct, frozen=True):
    """One kind of resource. `columns` starts with the key column and leaves out created_at and updated_at.

    `importance` names columns and roles, the most important first, as far as the schema does. `halt` has the columns
    that a halt sets, and to what; a kind without them cannot be halted. `risk` has, by field, which direction loosens
    (`kinds.risk` reads it).
    """

    name: str
    table: str
    key: str
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...]
    references: tuple[Reference, ...]
    schema: Mapping[str, Any]
    origin: str
    digest: str
    importance: tuple[str, ...] = ()
    halt: Mapping[str, Any] = field(default_factory=dict)
    risk: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def can_deactivate(self) -> bool:
        """Whether a row that left git can stay as INACTIVE: the kind has a status with that value."""
        return any(column.name == STATUS_FIELD and INACTIVE in column.enum for column in self.columns)

    @property
    def id_columns(self) -> dict[str, str]:
        """For each role whose resource has its id in a column, `ROLE_id` of type UUID, that column."""
        ids = {column.name for column in self.columns if column.type is SqlType.UUID and column.name != self.key}
        named = {reference.role: f"{reference.role}_id" for reference in self.references if not reference.many}
        return {role: column for role, column in named.items() if column in ids}

    def column(self, name: str) -> Column | None:
        """The column of a field, if it has one."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Kinds:
    """An immutable set of kinds in order of their names."""

    members: tuple[Kind, ...]

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.members)

    @cached_property
    def by_name(self) -> dict[str, Kind]:
        """Kinds by their exact names."""
        return {kind.name: kind for kind in self.members}

    @cached_property
    def digest(self) -> str:
        """Differs whenever any schema does; files decoded under another digest have to be read again."""
        return canonical.digest([kind.digest for kind in self.members])

    @cached_property
    def _words(self) -> dict[str, Kind]:
        words: dict[str, Kind] = {}
        for kind in self.members:
            lower = kind.name.lower()
            for word in (lower, f"{lower}s", kind.table.lower()):
                words.setdefault(word, kind)
        return words

    def find(self, word: str) -> Kind | None:
        """The kind with this name or table, ignoring case, singular or plural."""
        return self._words.get(word.lower())

    @property
    def tables(self) -> tuple[tuple[str, str], ...]:
        """The names of the kinds, each with its table."""
        return tuple((kind.name, kind.table) for kind in self.members)

    def changed_from(self, other: Kinds) -> frozenset[str]:
        """Names of the kinds that were added, removed or changed since `other`."""
        own_digests = {kind.name: kind.digest for kind in self.members}
        other_digests = {kind.name: kind.digest for kind in other.members}
        return frozenset(
            name
            for name in own_digests.keys() | other_digests.keys()
            if own_digests.get(name) != other_digests.get(name)
        )


_START = Mark(1, 1)


def child(pointer: str, token: str | int) -> str:
    """The pointer to a member of what `pointer` names."""
    return f"{pointer}/{str(token).replace('~', '~0').replace('/', '~1')}"


def join(tokens: Iterable[str | int]) -> str:
    """The pointer that goes through these keys and indexes."""
    pointer = ""
    for token in tokens:
        pointer = child(pointer, token)
    return pointer


def split(pointer: str) -> list[str]:
    """The keys and indexes a pointer goes through."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def is_within(pointer: str, outer: str) -> bool:
    """Whether a pointer names the same value as `outer`, or something inside it."""
    return pointer == outer or pointer.startswith(f"{outer}/")


def value_at(root: Any, pointer: str) -> Any:
    """The value a pointer names. Raises KeyError when there is none."""
    value = root
    for token in split(pointer):
        if isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        elif isinstance(value, dict) and token in value:
            value = value[token]
        else:
            raise KeyError(pointer)
    return value


def locate(marks: Mapping[str, Mark], pointer: str, *, of_key: bool = False) -> Mark:
    """The place of a value, or of its key; of what is not in the text, the place of the nearest value around it."""
    if not pointer and not of_key:  # every document is asked where it starts
        return marks.get(pointer, _START)
    for candidate in _nearest(pointer, of_key=of_key):
        mark = marks.get(candidate)
        if mark is not None:
            return mark
    return _START


def _nearest(pointer: str, *, of_key: bool) -> Iterator[str]:
    if of_key:
        yield f"{pointer}#"
    yield pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield f"{pointer}#"
        yield pointer


ANNOTATION = "x-reconciler"
REMARKS = frozenset({"importance", "units", "spreadsheet", "halt", "risk"})
"""Members of it on which no table depends, and no verdict on a document."""
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def without_remarks(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without what no table and no verdict depends on."""
    annotation = schema.get(ANNOTATION)
    if not isinstance(annotation, dict):
        return dict(schema)
    return {**schema, ANNOTATION: {name: value for name, value in annotation.items() if name not in REMARKS}}


def parse_sql_type(text: str) -> tuple[SqlType, int | None]:
    """`VARCHAR(20)` as its type and length; the length of all others is None."""
    name, _, length = text.removesuffix(")").partition("(")
    return SqlType(name), int(length) if length else None
