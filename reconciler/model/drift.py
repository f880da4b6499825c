"""Drift: differences of the live tables from git, as found and as they should be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.change import RowId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.canonical import Value

MAX_REPORTED = 1_000
"""Drifts reported at a time: with before and after, about a megabyte."""

TABLE_ITSELF = ""
"""The id of a drift that is about a table, not about one of its rows."""

DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE = "drift-found", "drift-healed", "drift-gone"
"""Host events: drift was found and left, was healed, or is gone without healing."""


class DriftType(StrEnum):
    """How something differs from git."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Drift:
    """One row, or one table as such, that is not what it should be.

    A row: `before` and `after` map columns to values as a live row has them, None where there is no row. Of an altered
    table `before` has only the columns that are as they should be. `name` is None for what git does not know.
    A table: `id` is empty, and they map parts (`column weight`, `index …`, `table`) to their definitions in SQL.
    `fields` are the columns or parts that differ; none for what is missing or extra as a whole.
    """

    kind: str
    id: str
    name: str | None
    what: DriftType
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    fields: tuple[str, ...] = ()

    @property
    def row_id(self) -> RowId:
        """Kind and id; the id is empty for a table."""
        return RowId(self.kind, self.id)

    @property
    def is_table(self) -> bool:
        return self.id == TABLE_ITSELF

    @property
    def digest(self) -> str:
        """Equal when the same was found again."""
        return canonical.digest(self.as_json())

    def as_json(self) -> dict[str, Value]:
        """As JSON values, whatever the row holds."""
        return {
            "kind": self.kind,
            "id": self.id or None,
            "name": self.name,
            "what": str(self.what),
            "fields": list(self.fields),
            "before": _plain(self.before),
            "after": _plain(self.after),
        }


@dataclass(frozen=True, slots=True)
class Drifts:
    """All drift. `reported` holds the first drifts, in order of kind and id; `counts` counts all, by kind."""

    reported: tuple[Drift, ...] = ()
    counts: Mapping[str, int] | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values()) if self.counts else 0

    @property
    def digest(self) -> str:
        """Equal when the same was found again."""
        return canonical.digest(self._content())

    def detail(self) -> dict[str, Value]:
        """The detail of a host event."""
        return {"found": self.digest, **self._content()}

    def _content(self) -> dict[str, Value]:
        return {"counts": dict(self.counts or {}), "rows": [drift.as_json() for drift in self.reported]}


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of a column are the same: NULL equals NULL, NaN equals NaN, 0.0 equals -0.0."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


def differing_columns(columns: Iterable[str], before: Iterable[Any], after: Iterable[Any]) -> tuple[str, ...]:
    return tuple(name for name, old, new in zip(columns, before, after, strict=True) if not is_same(old, new))


def next_drift_event(found: Drifts, last: tuple[str, str] | None) -> str | None:
    """The event that a scan gives rise to: `DRIFT_FOUND`, `DRIFT_GONE`, or None when the last one says it already.

    `last` is the newest of the events about drift, and the digest of what was found then.
    """
    event, digest = last or (DRIFT_GONE, "")
    if found.total:
        return None if event == DRIFT_FOUND and digest == found.digest else DRIFT_FOUND
    return DRIFT_GONE if event == DRIFT_FOUND else None


def _plain(values: Mapping[str, Any] | None) -> dict[str, Value] | None:
    return None if values is None else {name: canonical.to_json_value(value) for name, value in values.items()}
