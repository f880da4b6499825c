"""Who set each field of a row to what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import canonical
from reconciler.hindsight.rows import is_declared, resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.kinds.kind import Kind
    from reconciler.ports import PastChange, PastRow, VersionRow


class Blamed(NamedTuple):
    """A field with its present value, and the version that set it."""

    field: str
    value: Any
    version: VersionRow


def blame(kind: Kind, past: Iterable[PastChange]) -> list[Blamed]:
    """Every field of one row: its columns, then name, labels, annotations and references.

    `past` holds its changes, the oldest first. What comes back after it had left git begins anew.
    """
    blamed: dict[str, Blamed] = {}
    declared = False
    for one in past:
        before = blamed
        anew, declared = is_declared(one.row) and not declared, is_declared(one.row)
        blamed = {
            field: before[field]
            if not anew and field in before and _same(before[field].value, value)
            else Blamed(field, value, one.version)
            for field, value in _fields(kind, one.row).items()
        }
    return list(blamed.values())


def _fields(kind: Kind, row: PastRow) -> dict[str, Any]:
    found = resource(kind, row)
    fields: dict[str, Any] = {**found.values, "name": found.name}
    fields |= {f"labels.{key}": text for key, text in sorted(found.labels.items())}
    fields |= {f"annotations.{key}": text for key, text in sorted(found.annotations.items())}
    for role, names in sorted(found.refs.items()):
        fields[f"refs.{role}"] = names[0] if len(names) == 1 else list(names)
    return fields


def _same(one: Any, other: Any) -> bool:
    return canonical.dumps(one) == canonical.dumps(other)  # as text: to Python, 1 is True
