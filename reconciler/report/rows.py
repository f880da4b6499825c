"""Live rows, query results and exported tables as answers, text, CSV and JSON."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta

from reconciler import answers, canonical
from reconciler.answers import Answer
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.rows import Declared
from reconciler.report.escape import escape_line
from reconciler.report.tables import Column, Nature, TextTable
from reconciler.report.views import NAME, build_view
from reconciler.tables import rows as cells
from reconciler.values import replace
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds import kind as kinds
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Key
    from reconciler.model.rows import LiveRow, Record, TableExport


JSON_TYPE = "JSON"


def build_rows(
    kind: Kind,
    rows: Iterable[LiveRow],
    at: answers.HistoryPoint | None = None,
    drift: Sequence[answers.RecordedDrift] = (),
    *,
    said: Mapping[str, Mapping[str, Any]] | None = None,
    details: bool = False,
) -> answers.Rows:
    """The live rows of a kind; `at` is the point of the history that they were read at, `drift` what was known then.

    `said` is what git says of the fields that halts set, by the rows' ids. With `details` they come with what git says
    beside their values, and with how a table shows them.
    """
    build = build_detailed_row if details else build_row
    return answers.Rows(
        at=at or UNSET,
        drift=tuple(drift) or UNSET,
        kind=kind.name,
        key=kind.key,
        columns=tuple(map(_build_column, kind.columns)),
        rows=tuple(_with_declared(kind, build(row), said or {}) for row in rows),
        view=build_view(kind) if details else UNSET,
    )


def _build_column(column: kinds.Column) -> answers.Column:
    choice = column.unit_choice
    either = answers.UnitChoice(by=choice.by, of=dict(choice.of)) if choice else UNSET
    return answers.Column(field=column.name, unit=column.unit, unit_choice=either)


def _with_declared(kind: Kind, row: answers.Row, said: Mapping[str, Mapping[str, Any]]) -> answers.Row:
    declared = said.get(str(row.values[kind.key]))
    return row if declared is None else replace(row, declared=plain_values(declared))


def build_row(row: LiveRow) -> answers.Row:
    return answers.Row(name=row.name, path=row.path, line=row.line, values=plain_values(row.values))


def build_detailed_row(row: LiveRow) -> answers.Row:
    """A row with what git says beside its values."""
    said = row.declared or Declared({}, {}, {})
    return answers.Row(
        name=row.name,
        path=row.path,
        line=row.line,
        values=plain_values(row.values),
        metadata=answers.Metadata(labels=dict(said.labels), annotations=dict(said.annotations), refs={**said.refs}),
        names=UNSET if row.names is None else dict(row.names),
    )


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them, in their order."""
    return {field: canonical.to_json_value(value) for field, value in values.items()}


DRIFT_KEY, DECLARED_KEY = "_drift", "_declared"
"""No column has such a name."""
MAX_NAMED = 5
"""Halted rows that a note names."""


def flatten_row(row: answers.Row, rows: answers.Rows) -> dict[str, Any]:
    """A row as `get` prints it: its name, then its columns, what git says of halted fields, and what was otherwise."""
    id_ = row.values[rows.key]
    drift = [answers.to_json(one) for one in rows.drift or () if one.id in (None, id_)]
    declared = {DECLARED_KEY: row.declared} if row.declared else {}
    return {"name": row.name, **row.values, **declared, **({DRIFT_KEY: drift} if drift else {})}


def halted_note(rows: answers.Rows) -> str:
    """Which rows halts keep from what git says; empty where none."""
    halted = [row for row in rows.rows if row.declared]
    if not halted:
        return ""
    names = list_words((escape_line(row.name) for row in halted), MAX_NAMED)
    single = halted[0].declared if len(rows.rows) == 1 else None
    said = list_words(f"{field} {canonical.text(value)}" for field, value in (single or {}).items())
    also = f", and git says {said}" if said else ""
    return f"halted: {names}{also}; `reconciler halt` shows by whom and why"


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


def rows_csv(rows: answers.Rows) -> str:
    """RFC 4180 with line feeds: the name, then all columns as they are."""
    fields = list(dict.fromkeys((NAME, *(column.field for column in rows.columns), *TIMESTAMPS)))
    flat = ({NAME: row.name, **row.values} for row in rows.rows)
    records = ([values.get(field) for field in fields] for values in flat)
    return "".join(csv_records(fields, records)).removesuffix("\n")


USE_COLUMNS = (Column("kind", 1, Nature.NAME), Column("name", 0, Nature.NAME), Column("via", 2, Nature.TEXT))
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


def use_table(uses: Uses) -> TextTable:
    """The uses as a table."""
    return TextTable(USE_COLUMNS, list(map(_use_cells, uses.uses)))


def _use_cells(use: Use) -> list[str]:
    via = ", ".join(f"{kind} {escape_line(name)}" for kind, name in use.via)
    return [use.kind, escape_line(use.name), via or DIRECTLY]
