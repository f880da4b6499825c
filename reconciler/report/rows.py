"""Live rows, query results and exported tables as answers, text, CSV and JSON."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta

from reconciler import answers, canonical
from reconciler.answers import Answer
from reconciler.report.escape import escape_line
from reconciler.tables import rows as cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Column, Kind
    from reconciler.model.change import Key
    from reconciler.model.rows import LiveRow, Record, TableExport


NULL = "NULL"
JSON_TYPE = "JSON"


def build_rows(
    kind: Kind,
    rows: Iterable[LiveRow],
    at: answers.HistoryPoint | None = None,
    drift: Sequence[answers.RecordedDrift] = (),
) -> answers.Rows:
    """The live rows of a kind; `at` is the point of the history that they were read at, `drift` what was known then."""
    return answers.Rows(
        at=at or UNSET,
        drift=tuple(drift) or UNSET,
        kind=kind.name,
        key=kind.key,
        columns=tuple(map(_build_column, kind.columns)),
        rows=tuple(map(build_row, rows)),
    )


def _build_column(column: Column) -> answers.Column:
    choice = column.unit_choice
    either = answers.UnitChoice(by=choice.by, of=dict(choice.of)) if choice else UNSET
    return answers.Column(field=column.name, unit=column.unit, unit_choice=either)


def unit_in(column: answers.Column, values: Mapping[str, Any]) -> str:
    """The unit of a column's value among those of a row."""
    choice = column.unit_choice
    return choice.of.get(str(values.get(choice.by)), column.unit) if choice else column.unit


def build_row(row: LiveRow) -> answers.Row:
    return answers.Row(name=row.name, path=row.path, line=row.line, values=plain_values(row.values))


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them, in their order."""
    return {field: canonical.to_json_value(value) for field, value in values.items()}


DRIFT_KEY = "_drift"
"""No column has such a name."""


def flatten_row(row: answers.Row, rows: answers.Rows) -> dict[str, Any]:
    """A row as `get` prints it: its name, then its columns, and what is known to have been otherwise."""
    id_ = row.values[rows.key]
    drift = [answers.to_json(one) for one in rows.drift or () if one.id in (None, id_)]
    return {"name": row.name, **row.values, **({DRIFT_KEY: drift} if drift else {})}


def row_headers(rows: answers.Rows) -> list[str]:
    """Name, then the columns but the key."""
    return ["name", *(column.field for column in rows.columns if column.field != rows.key)]


def row_cells(row: answers.Row, rows: answers.Rows) -> list[str]:
    return [escape_line(row.name), *(format_value(row.values[field]) for field in row_headers(rows)[1:])]


def row_lines(row: answers.Row, rows: answers.Rows) -> Iterator[tuple[str, str]]:
    """A row as labels and texts, with units, and where git declares it."""
    units = {column.field: unit_in(column, row.values) for column in rows.columns}
    yield "name", escape_line(row.name)
    for field, value in row.values.items():
        unit = units.get(field)
        yield field, f"{format_value(value)} {unit}" if unit and value is not None else format_value(value)
    yield "declared in", escape_line(f"{row.path}:{row.line}") if row.path else "left git: kept as a tombstone"


def format_value(value: Any) -> str:
    return escape_line(canonical.text(value))


def csv_lines(table_export: TableExport) -> Iterator[str]:
    """The header, then the rows."""
    return csv_records((name for name, _ in table_export.columns), _records(table_export))


def csv_records(names: Iterable[str], rows: Iterable[Record]) -> Iterator[str]:
    """RFC 4180 with line feeds, record by record; None is an empty cell."""
    last = _LastWrite()
    writer = csv.writer(last, lineterminator="\n")
    writer.writerow(list(names))
    yield last.text
    for row in rows:
        writer.writerow([format_csv_value(value) for value in row])
        yield last.text


class _LastWrite:
    """A file for `csv.writer` that keeps only what was written last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def json_lines(table_export: TableExport) -> Iterator[str]:
    """One array; each row is an object on its own line."""
    before = "[\n"
    for record in _records(table_export):
        pairs = zip(table_export.columns, record, strict=True)
        row = {name: _json_value(type_, value) for (name, type_), value in pairs}
        yield f"{before}{json.dumps(row, ensure_ascii=False, allow_nan=False)}"
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def format_csv_value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical.text(cells.to_json_cell(value))


def _json_value(type_: str, value: Any) -> Any:
    if type_ != JSON_TYPE or not isinstance(value, str):
        return cells.to_json_cell(value)
    try:
        return canonical.normalize(json.loads(value))
    except ValueError:  # DuckDB's JSON type accepts more than JSON, such as NaN
        return value


def _records(table_export: TableExport) -> Iterator[Record]:
    for block in table_export.blocks:
        yield from block


USE_HEADERS = ("kind", "name", "via")
DIRECTLY = "-"


ResourceKey = Annotated[tuple[str, ...], Meta(min_length=2, max_length=2)]
"""Kind and name."""


class Use(Answer, frozen=True):
    """A resource that refers to another one, directly or through others."""

    kind: str
    name: str
    via: Annotated[
        tuple[ResourceKey, ...],
        Meta(description="kind and name of what is between, from the resource that was asked for on; none if direct"),
    ]


class Uses(Answer, frozen=True):
    """What refers to a resource, the nearest first."""

    uses: tuple[Use, ...]


def build_uses(uses: Iterable[tuple[Key, Sequence[Key]]]) -> Uses:
    """The resources that refer to one, each with those between."""
    return Uses(
        uses=tuple(
            Use(kind=key.kind, name=key.name, via=tuple((one.kind, one.name) for one in via)) for key, via in uses
        )
    )


def use_cells(use: Use) -> list[str]:
    """A use as a table's row."""
    via = ", ".join(f"{kind} {escape_line(name)}" for kind, name in use.via)
    return [use.kind, escape_line(use.name), via or DIRECTLY]
