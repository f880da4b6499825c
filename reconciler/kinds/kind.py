"""A kind as the rest of the program sees it: its table, columns, references and schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True, slots=True)
class Column:
    """A column, with what the schema of its field says that a CHECK can hold.

    `length` is the n of VARCHAR(n), None for other types and for an unbounded VARCHAR. `bounds` holds the schema's
    minimum, maximum, exclusiveMinimum and exclusiveMaximum, as far as they are there. `unit` is for people.
    """

    name: str
    type: SqlType
    length: int | None = None
    required: bool = True
    enum: tuple[str, ...] = ()
    bounds: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A role in metadata.refs and the kind whose names it holds; `many` when it is a list of names."""

    role: str
    kind: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource. `columns` starts with the key column and leaves out created_at and updated_at."""

    name: str
    table: str
    key: str
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...]
    references: tuple[Reference, ...]
    schema: Mapping[str, Any]
    origin: str
    digest: str

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def can_deactivate(self) -> bool:
        """Whether a row that left git can stay as INACTIVE: the kind has a status, and INACTIVE is one of its words."""
        return any(column.name == STATUS_FIELD and INACTIVE in column.enum for column in self.columns)

    def column(self, name: str) -> Column | None:
        """The column of a field, if it has one."""
        return next((column for column in self.columns if column.name == name), None)
