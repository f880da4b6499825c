"""Which rows somebody wants, in which order, and what of them."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from reconciler.values import replace

Wanted: TypeAlias = "str | float | bool | None"


class Condition(Struct, frozen=True):
    """What is asked of a field or label: to have one of some values, or to be there at all where there are none.

    None stands for a field that is empty or not there. With `negated` the contrary; a field or label that is not there
    differs from every value.
    """

    field: str
    values: tuple[Wanted, ...]
    negated: bool = False

    def is_met_by_label(self, value: str | None) -> bool:
        """Whether a label's value (None: there is no such label) is as asked."""
        found = value in self.values if self.values else value is not None
        return found != self.negated

    def normalized(self) -> Condition:
        """The same with its values in one order, each of them once."""
        return replace(self, values=tuple(sorted(set(self.values), key=str)))

    def __str__(self) -> str:
        """As people type it for a label: `desk=fx`, `desk in (fx,metals)`, `!desk`."""
        if not self.values:
            return f"{'!' if self.negated else ''}{self.field}"
        if len(self.values) == 1:
            return f"{self.field}{'!=' if self.negated else '='}{self.values[0]}"
        return f"{self.field} {'notin' if self.negated else 'in'} ({','.join(map(str, self.values))})"


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
