"""What a program is given: a row, and word of a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoSuchRow(UsageError, LookupError):
    """No live row of this kind has this name."""


class Row(Mapping[str, Any]):
    """A live row. A column is an attribute, and an item for names that this class has itself (`row["age"]`).

    `age` is how many seconds ago somebody who knows said that this is the row: 0 unless nobody can be reached.
    """

    def __init__(self, kind: str, name: str, columns: Mapping[str, Any], age: float = 0.0) -> None:
        self.kind, self.name, self.age = kind, name, age
        self._columns = columns

    @property
    def is_current(self) -> bool:
        """Whether this is what is live now, and not what was when somebody could last be asked."""
        return self.age == 0.0

    def __getattr__(self, column: str) -> Any:
        try:
            return self.__dict__["_columns"][column]
        except KeyError:
            raise AttributeError(f"a row of kind {self.__dict__.get('kind')} has no column {column}") from None

    def __getitem__(self, column: str) -> Any:
        return self._columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Row({self.kind} {self.name}, {dict(self._columns)}, age {self.age:.1f} s)"


@dataclass(frozen=True, slots=True)
class Change:
    """Something about a row is not what it was. `op` is create, update or delete, which may leave the row INACTIVE.

    With `op` rebuild, kind and name are empty: changes may have been missed, look at all that matters.
    """

    kind: str
    name: str
    op: str
    commit: str
    height: int


REBUILD = Change("", "", "rebuild", "", 0)
