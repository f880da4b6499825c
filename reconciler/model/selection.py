"""Which rows somebody wants, in which order, and what of them."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

Wanted: TypeAlias = "str | float | bool | None"


class Condition(Struct, frozen=True):
    """What is asked of a field or label: to have one of some values, or to be there at all where there are none.

    None stands for a field that is empty or not there. With `negated` the contrary; a field or label that is not there
    differs from every value.
    """

    field: str
    values: tuple[Wanted, ...]
    negated: bool = False


class Selection(Struct, frozen=True):
    """Rows that meet all conditions, in order of `sort` (a field, `name`, a role or a time stamp), then name and id.

    What has no value there comes last. With `details` each row comes with what git says beside its values, and with
    the names of what its ids are of.
    """

    fields: tuple[Condition, ...] = ()
    labels: tuple[Condition, ...] = ()
    sort: str = ""
    descending: bool = False
    details: bool = False

    @property
    def chooses(self) -> bool:
        """Whether it is another list than that of all rows in order of name."""
        return bool(self.fields or self.labels or self.sort)
