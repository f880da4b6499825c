"""What only pages show, as JSON: searches, rows beside git, days with commits, host events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import answers, canonical
from reconciler.report.commits import short_sha
from reconciler.report.escape import format_time
from reconciler.report.rows import build_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.model.host import HostEvent
    from reconciler.model.rows import ActiveDay, LiveRow, Search


MAX_DETAIL_LENGTH = 4_000
"""Characters of JSON up to which the detail of an event is shown in full, or else each part of it."""


def build_kind_details(kind: Kind) -> dict[str, Any]:
    """A kind with its description, and its columns with units and descriptions."""
    return {
        "kind": kind.name,
        "table": kind.table,
        "key": kind.key,
        "description": str(kind.schema.get("description", "")),
        "columns": [
            {"field": column.name, "unit": column.unit, "description": column.description} for column in kind.columns
        ],
    }


def filter_choices(kind: Kind) -> dict[str, tuple[str, ...]]:
    """The columns that rows can be filtered by, with their values: those with an enum."""
    return {column.name: column.enum for column in kind.columns if column.enum}


def build_search_page(kind: Kind, search: Search, number: int, rows: Iterable[LiveRow]) -> dict[str, Any]:
    """A page of the live rows that match a search, `number` of them in all."""
    return {
        **build_kind_details(kind),
        "search": search.text,
        "filters": [
            {"field": field, "choices": list(values), "chosen": search.equals.get(field)}
            for field, values in filter_choices(kind).items()
        ],
        "found": number,
        "page": search.offset // search.limit + 1,
        "pages": max(1, -(-number // search.limit)),
        "rows": [answers.to_json(build_row(row)) for row in rows],
    }


def build_row_comparison(kind: Kind, name: str, live: LiveRow | None, declared: Row | None) -> dict[str, Any]:
    """A live row and its resource in git, field by field; either may be missing."""
    live_values: Mapping[str, Any] = live.values if live else {}
    declared_values: Mapping[str, Any] = declared.resource.values if declared else {}
    resource = declared.resource if declared else None
    removed = declared.removed if declared else None
    id_ = live_values.get(kind.key) or (resource and resource.id)
    return {
        **build_kind_details(kind),
        "name": name,
        "id": None if id_ is None else str(id_),
        "live": live is not None,
        "declared": declared is not None and removed is None,
        "removed": removed
        and {
            "commit": removed.commit,
            "committed_at": canonical.timestamp(removed.time),
            "prune": str(removed.prune),
        },
        "path": resource and (resource.path or None),
        "line": resource and (resource.line or None),
        "labels": dict(resource.labels) if resource else {},
        "annotations": dict(resource.annotations) if resource else {},
        "refs": {role: list(names) for role, names in resource.refs.items()} if resource else {},
        "fields": [
            _compare_field(column.name, column.unit, live_values.get(column.name), declared_values.get(column.name))
            for column in kind.columns
        ],
        "created_at": format_time(live_values.get("created_at")) if live else None,
        "updated_at": format_time(live_values.get("updated_at")) if live else None,
    }


def _compare_field(name: str, unit: str, live: Any, declared: Any) -> dict[str, Any]:
    live, declared = canonical.to_json_value(live), canonical.to_json_value(declared)
    same = canonical.dumps(live) == canonical.dumps(declared)
    return {"field": name, "unit": unit, "live": live, "declared": declared, "same": same}


def build_days(days: Iterable[ActiveDay]) -> list[dict[str, Any]]:
    """Days with commits."""
    return [
        {
            "day": day.day.isoformat(),
            "commits": day.commits,
            "invalid": day.invalid,
            "refused": day.refused,
            "creates": day.creates,
            "updates": day.updates,
            "deletes": day.deletes,
        }
        for day in days
    ]


def build_host_events(events: Sequence[HostEvent]) -> list[dict[str, Any]]:
    """Host events. A long detail keeps only its short parts, and `cut` says so."""
    return [_build_host_event(event) for event in events]


def _build_host_event(event: HostEvent) -> dict[str, Any]:
    whole = len(canonical.dumps(event.detail)) <= MAX_DETAIL_LENGTH
    short = {key: value for key, value in event.detail.items() if len(canonical.dumps(value)) <= MAX_DETAIL_LENGTH}
    return {
        "number": event.seq,
        "at": canonical.timestamp(event.at),
        "event": event.event,
        "commit": event.commit,
        "short": short_sha(event.commit) if event.commit else None,
        "duration_ms": round(event.duration_ms, 1),
        "detail": dict(event.detail) if whole else short,
        "cut": not whole,
    }
