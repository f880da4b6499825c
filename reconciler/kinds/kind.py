"""Kinds as the rest of the program sees them: tables, columns, references, schemas, and the names people use."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


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
        """Whether a row that left git can stay as INACTIVE: the kind has a status with that value."""
        return any(column.name == STATUS_FIELD and INACTIVE in column.enum for column in self.columns)

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

    def changed_from(self, other: Kinds) -> frozenset[str]:
        """Names of the kinds that were added, removed or changed since `other`."""
        own_digests = {kind.name: kind.digest for kind in self.members}
        other_digests = {kind.name: kind.digest for kind in other.members}
        return frozenset(
            name
            for name in own_digests.keys() | other_digests.keys()
            if own_digests.get(name) != other_digests.get(name)
        )


SIMILAR = 0.7
"""The least similarity of two words, by difflib's ratio: a typo or two, or a word left out."""

LONGEST = 80
"""Names are shorter; difflib takes the square of the length."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to a word, ignoring case, hyphens and underscores; None when none is similar."""
    by_shape = {_shape(name): name for name in known}
    if len(word) > LONGEST:
        return None
    matches = get_close_matches(_shape(word), by_shape, n=1, cutoff=SIMILAR)
    return by_shape[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` to append to a message, or an empty text."""
    suggestion = closest(word, known)
    return f" (did you mean {suggestion}?)" if suggestion else ""


def _shape(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
