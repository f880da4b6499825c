"""What a store remembers while it is open, and from one opening to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.adapters.duckdb.intervals import Timeline
    from reconciler.adapters.duckdb.tables import Catalog

APPLIED, ATTEMPTED, COUNTS, FAULTS, HALTS, OWNER, ROLLBACK, SUSPENSION = (
    "applied",
    "attempted",
    "counts",
    "faults",
    "halts",
    "owner",
    "rollback",
    "suspension",
)
"""What a store that is open remembers. Each write names what of it changes."""


class StoreMemory(Struct, frozen=True):
    """What a store knew when it was closed. It holds for a file that nobody has written to since."""

    position: tuple[Any, ...]
    catalog: Catalog
    known: Mapping[tuple[str, ...], Any]
    timeline: Timeline | None
