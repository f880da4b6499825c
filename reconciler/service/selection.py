"""Selections as people write them: `status=ACTIVE`, `leverage!=30`, labels as kubectl selects them, a field to sort by.

What a store evaluates in SQL is evaluated here for rows of the history.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.decode.build import parse_number
from reconciler.errors import UsageError
from reconciler.kinds.kind import NUMBERS, TIMESTAMPS, SqlType
from reconciler.model.selection import Condition, Selection
from reconciler.service.limits import MAX_SELECTOR
from reconciler.words import did_you_mean, list_words, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.kinds.kind import Column, Kind
    from reconciler.model.rows import LiveRow
    from reconciler.model.selection import Wanted

MAX_CONDITIONS = 32
NAME = "name"
LABEL_KEY = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
EQUALITY = re.compile(rf"({LABEL_KEY})\s*(==|=|!=)\s*(.*)", re.DOTALL)
SET = re.compile(rf"({LABEL_KEY})\s+(in|notin)\s*\((.*)\)", re.DOTALL)
UUID_TEXT = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
PRESENCE = re.compile(rf"(!?)\s*({LABEL_KEY})")
FIELD = re.compile(r"([^=!\s]+)(==|=|!=)(.*)", re.DOTALL)
COMMA = re.compile(r"(?<!\\)((?:\\\\)*),")
LABEL_HINT = "write key, !key, key=value, key!=value or `key in (a,b)`, with commas between"
FIELD_HINT = "write field=value or field!=value"
BEYOND_INTEGERS = 2**63
"""From here on a column holds doubles alone."""
YES, NO = ("true", "yes"), ("false", "no")


def is_filter(word: str) -> bool:
    """Whether an argument is a filter and no name: no name has a `=`."""
    return "=" in word


def join_filters(filters: Iterable[str]) -> str:
    r"""Filters as one text, with commas between; their own are written `\,`."""
    return ",".join(one.replace("\\", "\\\\").replace(",", "\\,") for one in filters)


def parse_selection(
    kind: Kind, label: str | None, filters: str | None, sort: str | None, *, details: bool = False
) -> Selection:
    """A selection of rows of a kind. Raises `UsageError` for what makes no sense, with what may be meant."""
    for what, text in (("label", label), ("filter", filters), ("sort", sort)):
        if text is not None and len(text) > MAX_SELECTOR:
            raise UsageError(f"{what} is longer than {MAX_SELECTOR:,} characters")
    labels, fields = tuple(parse_labels(label or "")), tuple(_parse_filters(kind, filters or ""))
    if len(labels) + len(fields) > MAX_CONDITIONS:
        raise UsageError(f"there are more than {MAX_CONDITIONS} conditions", hint="`reconciler sql` takes any number")
    field = (sort or "").removeprefix("-")
    if field:
        _check_field(kind, field, (*_fields(kind), *TIMESTAMPS))
    return Selection(fields, labels, field, (sort or "").startswith("-"), details)


def selection_mark(selection: Selection) -> str:
    """What tells the pages of one selection from those of another; empty for all rows in order of name."""
    if not selection.chooses:
        return ""
    told = repr((selection.fields, selection.labels, selection.sort, selection.descending))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def select(kind: Kind, selection: Selection, rows: Iterable[LiveRow]) -> tuple[LiveRow, ...]:
    """The rows that a selection wants, in its order; they come in order of name and id."""
    found = [row for row in rows if _is_wanted(kind, selection, row)]
    if selection.sort:
        there = [(value, row) for row in found if (value := sort_value(kind, selection, row)) is not None]
        ids = {id(row) for _, row in there}
        there.sort(key=lambda pair: pair[0], reverse=selection.descending)  # equals keep their order, in reverse too
        found = [*(row for _, row in there), *(row for row in found if id(row) not in ids)]
    return tuple(found)


def sort_value(kind: Kind, selection: Selection, row: LiveRow) -> Any:
    """What rows are sorted by: a number, a text or a boolean; what is none of these as text; None if not there."""
    value = field_value(kind, row, selection.sort)
    if isinstance(value, tuple):
        return ",".join(value) or None
    return canonical.to_json_value(value) if not isinstance(value, (list, dict)) else canonical.dumps(value)


def field_value(kind: Kind, row: LiveRow, field: str) -> Any:
    """A value of a row, its name, a time stamp, or the names that a role holds: of one a text, of several a tuple."""
    if field in row.values:
        return row.values[field]
    if field == NAME:
        return row.name
    column = kind.id_columns.get(field)
    if column is not None and row.names is not None:
        return row.names.get(column, row.values.get(column))
    names = row.declared.refs.get(field, ()) if row.declared else ()
    many = any(reference.role == field and reference.many for reference in kind.references)
    return tuple(names) if many else next(iter(names), None)


def _is_wanted(kind: Kind, selection: Selection, row: LiveRow) -> bool:
    labels = row.declared.labels if row.declared else {}
    return all(_meets(one, labels.get(one.field)) for one in selection.labels) and all(
        _meets(one, field_value(kind, row, one.field)) for one in selection.fields
    )


def _meets(condition: Condition, value: Any) -> bool:
    if not condition.values:
        return (value is not None) != condition.negated
    return any(_is_value(wanted, value) for wanted in condition.values) != condition.negated


def _is_value(wanted: Wanted, value: Any) -> bool:
    if wanted is None:
        return value in (None, "", ())
    return wanted in value if isinstance(value, tuple) else bool(value == wanted)


def _fields(kind: Kind) -> tuple[str, ...]:
    """What can be filtered by, in the order of a table."""
    roles = tuple(reference.role for reference in kind.references)
    return (NAME, *(column.name for column in kind.columns if column.name != NAME), *roles)


def _check_field(kind: Kind, field: str, known: tuple[str, ...]) -> None:
    if field not in known:
        hint = suggest(field, known, f"there are: {list_words(known)}")
        raise UsageError(f"{kind.name} has no field {field}", hint=hint)


def _parse_filters(kind: Kind, text: str) -> Iterator[Condition]:
    for part in _split(text):
        found = FIELD.fullmatch(part)
        if found is None:
            raise UsageError(f"{part!r} is no filter", hint=FIELD_HINT)
        field, sign, value = found.groups()
        _check_field(kind, field, _fields(kind))
        column = kind.column(field)
        wanted = _parse_value(column, value) if column else value or None
        yield Condition(field, (wanted,), sign == "!=")


def _split(text: str) -> list[str]:
    if not text:
        return []
    parts = COMMA.sub("\\1\0", text).split("\0")
    return [re.sub(r"\\([\\,])", r"\1", part) for part in parts]


def _parse_value(column: Column, text: str) -> Wanted:
    if text == "":
        return None
    if column.type in NUMBERS:
        number = parse_number(text)
        if number is None:
            raise UsageError(f"{column.name} is a number, and {text!r} is none", hint=f"write {column.name}=30")
        return number if column.type is SqlType.INTEGER and abs(number) < BEYOND_INTEGERS else float(number)
    if column.type is SqlType.BOOLEAN:
        if text.lower() not in (*YES, *NO):
            raise UsageError(f"{column.name} is true or false, and never {text}", hint=f"write {column.name}=true")
        return text.lower() in YES
    if column.type is SqlType.JSON:
        hint = "`reconciler sql` selects by what is in it"
        raise UsageError(f"{column.name} is an object or a list: no filter compares it", hint=hint)
    if column.enum and text not in column.enum:
        said = f"{column.name} is never {text}{did_you_mean(text, column.enum)}"
        raise UsageError(said, hint=f"it is one of {list_words(column.enum)}")
    if column.type is SqlType.UUID and not UUID_TEXT.fullmatch(text):
        raise UsageError(f"{column.name} is an id, and {text!r} is none", hint="`-o wide` shows the ids")
    return text.lower() if column.type is SqlType.UUID else text


def parse_labels(text: str) -> Iterator[Condition]:
    """What is asked of labels. Raises `UsageError`."""
    for part in _split_labels(text):
        if found := SET.fullmatch(part):
            key, word, values = found.groups()
            yield Condition(key, tuple(value.strip() for value in values.split(",")), word == "notin")
        elif found := EQUALITY.fullmatch(part):
            key, sign, value = found.groups()
            yield Condition(key, (value,), sign == "!=")
        elif found := PRESENCE.fullmatch(part):
            yield Condition(found[2], (), bool(found[1]))
        else:
            raise UsageError(f"{part!r} selects no label", hint=LABEL_HINT)


def _split_labels(text: str) -> list[str]:
    """At commas outside of brackets."""
    parts = re.findall(r"(?:[^,(]|\([^)]*\)?)+", text)
    if text and (not parts or len(parts) != len(re.sub(r"\([^)]*\)?", "", text).split(","))):
        raise UsageError(f"{text!r} selects no label", hint=LABEL_HINT)
    return [part.strip() for part in parts]
