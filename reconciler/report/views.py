"""How a table shows live rows: which columns, what stands for an id, and what matters most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from reconciler import answers, canonical
from reconciler.errors import UsageError
from reconciler.kinds.kind import NUMBERS, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.report.escape import EXACT, Moments, escape_line
from reconciler.report.tables import Column, Nature, TextTable
from reconciler.words import list_words, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kind

    Read = Callable[[answers.Row], str]

NAME, LABELS, DECLARED_IN = "name", "labels", "declared_in"
UNRANKED = 1_000


def build_view(kind: Kind) -> tuple[answers.ViewColumn, ...]:
    """The columns of a kind as a table has them: the names of what ids are of in place of these, the key left out.

    The status always stays; then counts what the schema says, then roles, plain columns, and JSON.
    """
    role_of = {column: role for role, column in kind.id_columns.items()}
    shown: list[tuple[str, str | None, str | None]] = [
        (role_of.get(column.name, column.name), column.name, role_of.get(column.name))
        for column in kind.columns
        if column.name != kind.key and (column.type is not SqlType.UUID or column.name in role_of)
    ]
    there = {name for name, _, _ in shown}
    shown += [(one.role, None, one.role) for one in kind.references if one.role not in there]
    ranks = {name: rank for rank, name in enumerate(_by_importance(kind, [name for name, _, _ in shown]), start=1)}
    return tuple(
        answers.ViewColumn(
            name=name,
            column=column,
            role=role,
            rank=0 if name == STATUS_FIELD else ranks[name],
            nature="name" if role else _nature(kind, name),
        )
        for name, column, role in shown
    )


def _by_importance(kind: Kind, names: Sequence[str]) -> list[str]:
    role_of = {column: role for role, column in kind.id_columns.items()}
    said = list(dict.fromkeys(role_of.get(name, name) for name in kind.importance))
    roles = {reference.role for reference in kind.references}
    objects = {column.name for column in kind.columns if column.type is SqlType.JSON}

    def weight(name: str) -> tuple[int, bool]:
        place = said.index(name) if name in said else UNRANKED + (name not in roles)
        return place, name in objects

    return sorted(names, key=weight)


def _nature(kind: Kind, name: str) -> Any:
    column = kind.column(name)
    if name == STATUS_FIELD:
        return "state"
    return "number" if column and column.type in NUMBERS else "value"


def row_table(rows: answers.Rows, *, wide: bool = False, only: Sequence[str] = ()) -> TextTable:
    """Live rows as a table: what there is room for, all of it, or some columns.

    Raises `UsageError` for a column that there is not.
    """
    columns = list(_wide_columns(rows) if wide or only else _plain_columns(rows))
    if only:
        columns = _choose(rows, columns, only)
    readers = [read for _, read in columns]
    return TextTable([column for column, _ in columns], [[read(row) for read in readers] for row in rows.rows])


def row_lines(
    row: answers.Row, rows: answers.Rows, moments: Moments = EXACT, *, wide: bool = False
) -> Iterator[tuple[str, str]]:
    """A row as labels and texts, with units, and where git declares it."""
    units = {column.field: unit_in(column, row.values) for column in rows.columns}
    for column, read in _wide_columns(rows) if wide else (*_plain_columns(rows), *_stamp_columns()):
        if column.header == DECLARED_IN:
            continue
        text, unit = read(row), units.get(column.header)
        if column.header in TIMESTAMPS and moments is not EXACT:
            text = moments.full(text)
        yield column.header, f"{text} {unit}" if unit and text != canonical.text(None) else text
    yield "declared in", escape_line(f"{row.path}:{row.line}") if row.path else "left git: kept as a tombstone"


def unit_in(column: answers.Column, values: Mapping[str, Any]) -> str:
    """The unit of a column's value among those of a row."""
    choice = column.unit_choice
    return choice.of.get(str(values.get(choice.by)), column.unit) if choice else column.unit


def _plain_columns(rows: answers.Rows) -> Iterator[tuple[Column, Read]]:
    """What people look for. Without a view, as from another version of the daemon, all but the key."""
    yield Column(NAME, 0, Nature.NAME), _read_name
    if rows.view is UNSET:
        fields = [column.field for column in rows.columns if column.field != rows.key]
        yield from ((Column(field, 0 if field == STATUS_FIELD else 1), _value_reader(field)) for field in fields)
        return
    for one in rows.view:
        read = _role_reader(one) if one.role else _value_reader(one.column or one.name)
        yield Column(one.name, one.rank, Nature[one.nature.upper()]), read


def _wide_columns(rows: answers.Rows) -> Iterator[tuple[Column, Read]]:
    """All there is: ids and the names of what they are of, labels, time stamps, and where git declares it."""
    yield from _plain_columns(rows)
    shown = {column.header for column, _ in _plain_columns(rows)}
    for column in rows.columns:
        if column.field not in shown:
            yield Column(column.field, 0), _value_reader(column.field)
    yield Column(LABELS, 0), _read_labels
    yield from _stamp_columns()
    yield Column(DECLARED_IN, 0), lambda row: escape_line(f"{row.path}:{row.line}") if row.path else format_value(None)


def _stamp_columns() -> Iterator[tuple[Column, Read]]:
    yield from ((Column(stamp, 0), _value_reader(stamp)) for stamp in TIMESTAMPS)


def _choose(
    rows: answers.Rows, columns: Sequence[tuple[Column, Read]], only: Sequence[str]
) -> list[tuple[Column, Read]]:
    by_name = {column.header: (column, read) for column, read in columns}
    chosen = []
    for name in only:
        if name not in by_name:
            hint = suggest(name, by_name, f"there are: {list_words(by_name)}")
            raise UsageError(f"{rows.kind} has no column {name}", hint=hint)
        column, read = by_name[name]
        chosen.append((column._replace(rank=0), read))
    return chosen


def format_value(value: Any) -> str:
    return escape_line(canonical.text(value))


def _read_name(row: answers.Row) -> str:
    return escape_line(row.name)


def _read_labels(row: answers.Row) -> str:
    labels = row.metadata.labels if row.metadata else {}
    return escape_line(",".join(f"{key}={value}" for key, value in labels.items())) or format_value(None)


def _value_reader(field: str) -> Read:
    return lambda row: format_value(row.values.get(field))


def _role_reader(column: answers.ViewColumn) -> Read:
    """The name of what an id is of; else the names that git says."""
    role, field = column.role or "", column.column

    def read(row: answers.Row) -> str:
        if field is not None and row.names is not UNSET:
            return format_value(row.names.get(field, row.values.get(field)))
        names = row.metadata.refs.get(role, ()) if row.metadata else ()
        return escape_line(", ".join(names)) or format_value(None)

    return read
