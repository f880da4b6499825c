"""All that can be asked of a store, as one value to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.model.change import Key

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds
    from reconciler.ports import Store, StoreReader


def observe(store: Store, kinds: Kinds) -> dict[str, Any]:
    """The live rows and every look-up that finds something, with the types of all values."""
    base = store.base(kinds)
    rows = sorted(base.rows(), key=lambda row: row.row_id)
    keys = sorted({row.resource.key for row in rows} | {Key("Widget", "nobody")})
    paths = sorted({row.resource.path for row in rows} | {"no/such.yaml"})
    return {
        "kinds": store.kinds(),
        "counts": store.counts(),
        "live": {kind.name: [typed(one) for one in store.live(kind)] for kind in kinds},
        "rows": [typed(row) for row in rows],
        "row": [typed(base.row(row.row_id)) for row in rows],
        "named": {key: [typed(one) for one in base.by_name(key)] for key in keys},
        "in_file": {path: [typed(one) for one in base.declared_in(path)] for path in paths},
        "referring": {key: [one.key for one in base.referrers_of(key)] for key in keys},
        "paths": {kind.name: base.paths([kind.name]) for kind in kinds},
    }


def answers(reader: StoreReader) -> list[object]:
    """All that a DuckDB store remembers."""
    faults = [reader.known_faults(program) for program in "12"]
    stored = (reader.applied(), reader.last_attempt(), reader.suspension(), reader.counts(), reader.owner())
    held = (reader.halts(), reader.halted_rows(), reader.rollback(), reader.last_drill())
    return [*stored, *held, faults, reader.kinds(), canonical.timestamp(stored[0].at) if stored[0] else None]


def typed(value: Any) -> Any:
    """A value with the types of everything in it, because 1 == 1.0 == True."""
    if isinstance(value, Struct):
        return (type(value).__name__, *(typed(getattr(value, name)) for name in value.__struct_fields__))
    if isinstance(value, dict):
        return ("dict", sorted((key, typed(one)) for key, one in value.items()))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *map(typed, value))
    return (type(value).__name__, repr(value))
