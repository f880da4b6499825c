"""Live rows, query results and table exports, as answers, text, CSV and JSON."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from reconciler import answers, canonical
from reconciler.report import commits
from reconciler.report.escape import moment, visible
from reconciler.tables import rows as cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row, Stamp
    from reconciler.model.host import HostEvent
    from reconciler.model.rows import Queried, Record, Search, Sheet
    from reconciler.ports import ActiveDay, LiveRow


def build_rows(kind: Kind, rows: Iterable[LiveRow], at: answers.HistoryPoint | None = None) -> answers.Rows:
    """The live rows of a kind; `at` is the point of the history at which they were live."""
    return answers.Rows(
        at=at or UNSET,
        kind=kind.name,
        key=kind.key,
        columns=tuple(answers.Column(field=column.name, unit=column.unit or "") for column in kind.columns),
        rows=tuple(map(build_row, rows)),
    )


def build_row(row: LiveRow) -> answers.Row:
    """A live row with where git declares it."""
    return answers.Row(name=row.name, path=row.path, line=row.line, values=_plain_values(row.values))


def flatten_row(row: answers.Row) -> dict[str, Any]:
    """A row as `get` prints it: its name, then its columns."""
    return {"name": row.name, **row.values}


def row_headers(rows: answers.Rows) -> list[str]:
    """The headers of a table of rows: name, then columns but the key."""
    return ["name", *(column.field for column in rows.columns if column.field != rows.key)]


def row_cells(row: answers.Row, rows: answers.Rows) -> list[str]:
    """The cells of a row below these headers."""
    return [visible(row.name), *(cell(row.values[field]) for field in row_headers(rows)[1:])]


def row_lines(row: answers.Row, rows: answers.Rows) -> Iterator[tuple[str, str]]:
    """A row as labels and texts, with units, and where git declares it."""
    units = {column.field: column.unit for column in rows.columns}
    yield "name", visible(row.name)
    for field, value in row.values.items():
        unit = units.get(field)
        yield field, f"{cell(value)} {unit}" if unit and value is not None else cell(value)
    yield "declared in", visible(f"{row.path}:{row.line}") if row.path else "left git: kept as a tombstone"


def cell(value: Any) -> str:
    """A value as text."""
    return visible(canonical.text(value))


NULL = "NULL"


def build_query_result(queried: Queried) -> answers.QueryResult:
    """Columns with their SQL types, rows in their order, and whether there are more rows than these."""
    columns = tuple(answers.QueryColumn(name=name, type=type_) for name, type_ in queried.columns)
    return answers.QueryResult(columns=columns, rows=tuple(queried.rows), cut=queried.cut)


def query_headers(result: answers.QueryResult) -> list[str]:
    """The columns' names, on one line each."""
    return [visible(column.name) for column in result.columns]


def query_cells(row: Iterable[Any]) -> list[str]:
    """The cells of a row. Text that could be taken for NULL, or not be seen, stands in single quotes, as in SQL."""
    return [_query_cell(value) for value in row]


def query_csv(result: answers.QueryResult) -> str:
    """RFC 4180 with line feeds; NULL is an empty cell. For programs: every character is as it is."""
    return "".join(csv_records((column.name for column in result.columns), result.rows)).removesuffix("\n")


def _query_cell(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, str) and (value in ("", NULL) or value != value.strip()):
        return "'" + visible(value).replace("'", "''") + "'"
    return visible(canonical.text(value))


JSON_TYPE = "JSON"


def csv_lines(sheet: Sheet) -> Iterator[str]:
    """The columns' names, then the rows."""
    return csv_records((name for name, _ in sheet.columns), _records(sheet))


def csv_records(names: Iterable[str], rows: Iterable[Record]) -> Iterator[str]:
    """RFC 4180 with line feeds, one record after the other; nothing is an empty cell."""
    line = _Line()
    writer = csv.writer(line, lineterminator="\n")
    writer.writerow(list(names))
    yield line.text
    for row in rows:
        writer.writerow([csv_cell(value) for value in row])
        yield line.text


class _Line:
    """What the standard library's writer writes to: keeps the line that was written last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def json_lines(sheet: Sheet) -> Iterator[str]:
    """One array, each row an object on a line of its own."""
    before = "[\n"
    for record in _records(sheet):
        pairs = zip(sheet.columns, record, strict=True)
        row = {name: _json_value(type_, value) for (name, type_), value in pairs}
        yield f"{before}{json.dumps(row, ensure_ascii=False, allow_nan=False)}"
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def csv_cell(value: Any) -> str:
    """A value as a cell of a CSV file."""
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical.text(cells.cell(value))


def _json_value(type_: str, value: Any) -> Any:
    if type_ != JSON_TYPE or not isinstance(value, str):
        return cells.cell(value)
    try:
        return canonical.normal(json.loads(value))
    except ValueError:  # DuckDB takes for JSON what JSON has not, such as NaN
        return value


def _records(sheet: Sheet) -> Iterator[Record]:
    for block in sheet.blocks:
        yield from block


MOST_OF_A_DETAIL = 4_000
"""Characters that an event's detail may have to be told as a whole, and each of its parts otherwise."""


def build_kind_details(kind: Kind) -> dict[str, Any]:
    """A kind, for people: its name, table, key, columns with units, and what its schema says it is."""
    return {
        "kind": kind.name,
        "table": kind.table,
        "key": kind.key,
        "description": str(kind.schema.get("description", "")),
        "columns": [{"field": one.name, "unit": one.unit, "description": one.description} for one in kind.columns],
    }


def filter_choices(kind: Kind) -> dict[str, tuple[str, ...]]:
    """The columns of a kind with few values, and these: what rows can be picked by."""
    return {column.name: column.enum for column in kind.columns if column.enum}


def build_found_rows(kind: Kind, search: Search, number: int, rows: Iterable[LiveRow]) -> dict[str, Any]:
    """A page of the live rows that a search found: `number` of them in all."""
    return {
        **build_kind_details(kind),
        "search": search.text,
        "filters": [
            {"field": field, "choices": list(words), "chosen": search.equals.get(field)}
            for field, words in filter_choices(kind).items()
        ],
        "found": number,
        "page": search.offset // search.limit + 1,
        "pages": max(1, -(-number // search.limit)),
        "rows": [answers.to_json(build_row(row)) for row in rows],
    }


def build_row_comparison(kind: Kind, name: str, live: LiveRow | None, declared: Row | None) -> dict[str, Any]:
    """A live row and what git says of it, field by field; each of the two may be missing."""
    found = live.values if live else {}
    said = _declared(declared) if declared else {}
    resource = declared.resource if declared else None
    removed = declared.removed if declared else None
    id_ = found.get(kind.key) or (resource and resource.id)
    return {
        **build_kind_details(kind),
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
            _compare_field(column.name, column.unit, found.get(column.name), said.get(column.name))
            for column in kind.columns
        ],
        "created_at": moment(found.get("created_at")) if live else None,
        "updated_at": moment(found.get("updated_at")) if live else None,
    }


def _declared(row: Row) -> Mapping[str, Value]:
    return row.resource.values


def _compare_field(name: str, unit: str, live: Any, declared: Any) -> dict[str, Any]:
    told = {"live": canonical.plain(live), "declared": canonical.plain(declared)}
    return {
        "field": name,
        "unit": unit,
        **told,
        "same": canonical.dumps(told["live"]) == canonical.dumps(told["declared"]),
    }


def _stamp(stamp: Stamp) -> dict[str, str]:
    return {"commit": stamp.commit, "committed_at": canonical.timestamp(stamp.time)}


def build_days(days: Iterable[ActiveDay]) -> list[dict[str, Any]]:
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


def build_host_events(events: Sequence[HostEvent]) -> list[dict[str, Any]]:
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


def _plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: canonical.plain(value) for field, value in values.items()}
