"""What a person looks at in a browser, as JSON: rows beside what git says, days of changes, host events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.report import commits
from reconciler.report.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind
    from reconciler.model.browsing import Search
    from reconciler.model.change import Row, Stamp
    from reconciler.model.event import HostEvent
    from reconciler.ports import ActiveDay, LiveRow

    Answer = Mapping[str, Any]

MOST_OF_A_DETAIL = 4_000
"""Characters that an event's detail may have to be told as a whole, and each of its parts otherwise."""


def kind_json(kind: Kind) -> dict[str, Any]:
    """A kind, for people: its name, table, key, columns with units, and what its schema says it is."""
    return {
        "kind": kind.name,
        "table": kind.table,
        "key": kind.key,
        "description": str(kind.schema.get("description", "")),
        "columns": [{"field": one.name, "unit": one.unit, "description": one.description} for one in kind.columns],
    }


def choices(kind: Kind) -> dict[str, tuple[str, ...]]:
    """The columns of a kind with few values, and these: what rows can be picked by."""
    return {column.name: column.enum for column in kind.columns if column.enum}


def found_json(kind: Kind, search: Search, number: int, rows: Iterable[LiveRow]) -> dict[str, Any]:
    """A page of the live rows that a search found: `number` of them in all."""
    return {
        **kind_json(kind),
        "search": search.text,
        "filters": [
            {"field": field, "choices": list(words), "chosen": search.equals.get(field)}
            for field, words in choices(kind).items()
        ],
        "found": number,
        "page": search.offset // search.limit + 1,
        "pages": max(1, -(-number // search.limit)),
        "rows": [{"name": row.name, "path": row.path, "line": row.line, "values": _values(row.values)} for row in rows],
    }


def sides_json(kind: Kind, name: str, live: LiveRow | None, declared: Row | None) -> dict[str, Any]:
    """A live row and what git says of it, field by field; each of the two may be missing."""
    found = live.values if live else {}
    said = _declared(declared) if declared else {}
    resource = declared.resource if declared else None
    removed = declared.removed if declared else None
    id_ = found.get(kind.key) or (resource and resource.id)
    return {
        **kind_json(kind),
        "name": name,
        "id": None if id_ is None else str(id_),
        "live": live is not None,
        "declared": declared is not None and removed is None,
        "removed": removed and {**_stamp(removed), "prune": str(removed.prune)},
        "path": resource and (resource.path or None),
        "line": resource and (resource.line or None),
        "labels": dict(resource.labels) if resource else {},
        "annotations": dict(resource.annotations) if resource else {},
        "refs": {role: list(names) for role, names in resource.refs.items()} if resource else {},
        "fields": [
            _field(column.name, column.unit, found.get(column.name), said.get(column.name)) for column in kind.columns
        ],
        "created_at": moment(found.get("created_at")) if live else None,
        "updated_at": moment(found.get("updated_at")) if live else None,
    }


def _declared(row: Row) -> Mapping[str, Value]:
    return row.resource.values


def _field(name: str, unit: str, live: Any, declared: Any) -> dict[str, Any]:
    told = {"live": canonical.plain(live), "declared": canonical.plain(declared)}
    return {
        "field": name,
        "unit": unit,
        **told,
        "same": canonical.dumps(told["live"]) == canonical.dumps(told["declared"]),
    }


def _stamp(stamp: Stamp) -> dict[str, str]:
    return {"commit": stamp.commit, "committed_at": canonical.timestamp(stamp.time)}


def days_json(days: Iterable[ActiveDay]) -> list[dict[str, Any]]:
    """Days on which something was committed."""
    return [
        {
            "day": day.day.isoformat(),
            "commits": day.commits,
            "invalid": day.invalid,
            "creates": day.creates,
            "updates": day.updates,
            "deletes": day.deletes,
        }
        for day in days
    ]


def events_json(events: Sequence[HostEvent]) -> list[dict[str, Any]]:
    """Host events. Of a detail that would fill pages only the short parts are told, and `cut` says so."""
    return [_event(event) for event in events]


def _event(event: HostEvent) -> dict[str, Any]:
    whole = len(canonical.dumps(event.detail)) <= MOST_OF_A_DETAIL
    short = {key: value for key, value in event.detail.items() if len(canonical.dumps(value)) <= MOST_OF_A_DETAIL}
    return {
        "number": event.seq,
        "at": canonical.timestamp(event.at),
        "event": event.event,
        "commit": event.commit,
        "short": commits.short(event.commit) if event.commit else None,
        "duration_ms": round(event.duration_ms, 1),
        "detail": dict(event.detail) if whole else short,
        "cut": not whole,
    }


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: canonical.plain(value) for field, value in values.items()}
