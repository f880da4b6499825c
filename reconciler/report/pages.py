"""What only pages show, as JSON: searches, rows beside git, days with commits, host events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from reconciler import answers, canonical
from reconciler.model.rows import DRIFT_FOUND, DRIFT_HEALED, DriftType
from reconciler.report.columns import ShownColumn, arrange_columns
from reconciler.report.commits import short_sha
from reconciler.report.escape import format_time
from reconciler.report.eventwords import describe_event
from reconciler.report.rows import build_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Resource, Row
    from reconciler.model.host import HostEvent
    from reconciler.model.rows import ActiveDay, Drift, Drifts, LiveRow, Search


MAX_EVENT_ROWS = 20
"""Rows of an event about drift that a page shows."""
HIT_LENGTH = 60
"""Characters of a value that a search shows."""
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


def build_columns(kind: Kind) -> list[dict[str, Any]]:
    """The columns of a kind's table, the most important first; units that depend on the row stand in its cells."""
    depends = {column.name for column in kind.columns if column.unit_choice}
    return [
        {
            "name": shown.name,
            "field": shown.field,
            "role": shown.role,
            "kind": shown.kind,
            "unit": "" if shown.field in depends else shown.unit,
            "description": shown.description,
        }
        for shown in arrange_columns(kind)
    ]


def build_search_page(
    kind: Kind, search: Search, number: int, rows: Iterable[LiveRow], known: Known, drifts: Drifts
) -> dict[str, Any]:
    """A page of the live rows that match a search, `number` of them in all, those marked that are not as git says."""
    drifted = {drift.id: drift for drift in drifts.reported if drift.kind == kind.name}
    return {
        "kind": kind.name,
        "key": kind.key,
        "description": str(kind.schema.get("description", "")),
        "columns": build_columns(kind),
        "search": search.text,
        "sort": f"-{search.sort}" if search.descending else search.sort,
        "filters": [
            {"field": field, "choices": list(values), "chosen": search.equals.get(field)}
            for field, values in filter_choices(kind).items()
        ],
        "found": number,
        "page": search.offset // search.limit + 1,
        "pages": max(1, -(-number // search.limit)),
        "rows": [_build_row(kind, row, known, drifted.get(str(row.values[kind.key]))) for row in rows],
        "missing": sorted(str(one.name) for one in drifted.values() if one.what is DriftType.MISSING),
        "drifted": drifts.total,
    }


def _build_row(kind: Kind, row: LiveRow, known: Known, drift: Drift | None) -> dict[str, Any]:
    declared = known.refs.get(str(row.values[kind.key]), {})
    names = {role: list(names) for role, names in declared.items()}
    for role, field in kind.id_columns.items():
        id_ = row.values.get(field)
        if id_ is not None:  # what is live counts
            names[role] = [known.names[str(id_)]] if str(id_) in known.names else []
    units = {column.name: column.unit_in(row.values) for column in kind.columns if column.unit_choice}
    return {
        **answers.to_json(build_row(row)),
        "names": names,
        "units": units,
        "drift": drift.as_json() if drift and drift.what is not DriftType.MISSING else None,
    }


class Known(Struct, frozen=True):
    """What is known of rows beside their values: the references of some, by their ids, and what ids are the ids of."""

    refs: Mapping[str, Mapping[str, Sequence[str]]]
    names: Mapping[str, str]


def build_hits(kind: Kind, text: str, number: int, rows: Iterable[LiveRow]) -> dict[str, Any]:
    """The first of the `number` live rows of a kind that a text was found in, each with the field that holds it."""
    return {
        "kind": kind.name,
        "found": number,
        "rows": [{"name": row.name, "path": row.path, **_find_hit(row, text.lower())} for row in rows],
    }


def _find_hit(row: LiveRow, text: str) -> dict[str, Any]:
    """Where a lower-case text stands in a row, unless that is its name, its path or a label, which are not shown."""
    plain = {field: canonical.text(canonical.to_json_value(value)) for field, value in row.values.items()}
    exact = (field for field, value in plain.items() if text == value.lower())
    within = (field for field, value in plain.items() if text in value.lower())
    shown = None if text in row.name.lower() else next(exact, None) or next(within, None)
    return {"field": shown, "value": None if shown is None else _cut_around(plain[shown], text)}


def _cut_around(value: str, text: str) -> str:
    """What stands around a text in a long value."""
    if len(value) <= HIT_LENGTH:
        return value
    begin = max(0, value.lower().find(text) - HIT_LENGTH // 4)
    return f"{'…' if begin else ''}{value[begin : begin + HIT_LENGTH]}…"


def build_row_comparison(
    kind: Kind, name: str, live: LiveRow | None, declared: Row | None, names: Mapping[str, str]
) -> dict[str, Any]:
    """A live row and its resource in git, field by field; either may be missing. `names` is of what other ids are."""
    live_values: Mapping[str, Any] = live.values if live else {}
    declared_values: Mapping[str, Any] = declared.resource.values if declared else {}
    resource = declared.resource if declared else None
    removed = declared.removed if declared else None
    id_ = live_values.get(kind.key) or (resource and resource.id)
    own = ShownColumn(kind.key, kind.key)
    fields = (
        _compare_field(kind, shown, live_values, declared_values, resource, names)
        for shown in (*arrange_columns(kind), own)
    )
    halted = (declared.halted if declared and live else None) or {}
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
        "fields": [field | {"halted": field["column"] in halted} for field in fields if field is not None],
        "created_at": format_time(live_values.get("created_at")) if live else None,
        "updated_at": format_time(live_values.get("updated_at")) if live else None,
    }


def _compare_field(
    kind: Kind,
    shown: ShownColumn,
    live_values: Mapping[str, Any],
    declared_values: Mapping[str, Any],
    resource: Resource | None,
    names: Mapping[str, str],
) -> dict[str, Any] | None:
    """A field on both sides; None for a role that nothing is said of."""
    said = list(resource.refs.get(shown.role, ())) if resource and shown.role else []
    if shown.field is None:
        return {"field": shown.name, "column": None, "kind": shown.kind, "refs": said} if said else None
    column = kind.column(shown.field)
    live, declared = (canonical.to_json_value(values.get(shown.field)) for values in (live_values, declared_values))
    return {
        "field": shown.name,
        "column": shown.field,
        "kind": shown.kind,
        "live": live,
        "declared": declared,
        "same": canonical.dumps(live) == canonical.dumps(declared),
        "unit": column.unit_in(live_values) if column else "",
        "declared_unit": column.unit_in(declared_values) if column else "",
        "names": {str(id_): names[str(id_)] for id_ in (live, declared) if shown.kind and str(id_) in names},
        "refs": None,
    }


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


def build_host_events(events: Sequence[HostEvent], authors: Mapping[str, str]) -> list[dict[str, Any]]:
    """Host events in words, with the authors of commits by sha. A long detail keeps its short parts: `cut` says so."""
    return [_build_host_event(event, authors) for event in events]


def _build_host_event(event: HostEvent, authors: Mapping[str, str]) -> dict[str, Any]:
    whole = len(canonical.dumps(event.detail)) <= MAX_DETAIL_LENGTH
    short = {key: value for key, value in event.detail.items() if len(canonical.dumps(value)) <= MAX_DETAIL_LENGTH}
    told = describe_event(event, authors)
    return {
        "number": event.seq,
        "at": canonical.timestamp(event.at),
        "event": event.event,
        "actor": told.actor,
        "words": told.words,
        "commit": event.commit,
        "short": short_sha(event.commit) if event.commit else None,
        "duration_ms": round(event.duration_ms, 1),
        "rows": _drifted_rows(event) if event.event in (DRIFT_FOUND, DRIFT_HEALED) else [],
        "detail": dict(event.detail) if whole else short,
        "cut": not whole,
    }


def _drifted_rows(event: HostEvent) -> list[dict[str, Any]]:
    """The first rows of an event about drift, of changed ones the fields that differed."""
    return [
        {**row, **({side: _only(row[side], row["fields"]) for side in ("before", "after")} if row["fields"] else {})}
        for row in cast("Sequence[Mapping[str, Any]]", event.detail.get("rows", ()))[:MAX_EVENT_ROWS]
    ]


def _only(values: Mapping[str, Any] | None, fields: Sequence[str]) -> dict[str, Any] | None:
    return None if values is None else {field: values[field] for field in fields if field in values}
