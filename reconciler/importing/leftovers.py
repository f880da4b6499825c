"""What a sheet holds beside the columns and the table that are read: why a column is left out, other tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.importing.amounts import read_amount
from reconciler.importing.cells import is_own_unit
from reconciler.importing.guessing import KNOWN, LEAST
from reconciler.importing.hints import NAME, fits_header, is_from_git, is_secret, read_hints
from reconciler.importing.sheets import column_number
from reconciler.kinds.kind import NUMBERS, SqlType
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.importing.mapping import ColumnRule, SheetRule
    from reconciler.importing.sheets import Cell, Sheet
    from reconciler.kinds.kind import Column, Kind, Kinds

MAX_HEADERS = 200
"""Rows of a sheet that are looked at as the header of another table."""
_UNIT = re.compile(
    r"[(\[]?(?:ms|msec|s|secs?|seconds?|mins?|minutes?|h|hours?|d|days?|[kmgt]i?b|pips?|points?|pts?|ticks?|lots?|trades?"
    r"|orders?|%|pct|percent|prozent|‰|bps?|x|(?:[$€£¥]|usd|eur|gbp|chf|jpy)(?:\s?(?:/|per )\s?lot)?|(?:/|per )\s?lot)"
    r"[)\]]?",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"\s*[(\[]([^)\]]+)[)\]]\s*$")


class LeftOut(Struct, frozen=True):
    """Why a column is left out; where another one is the field that it may be too, that one, the kind and the field."""

    why: str
    rival: ColumnRule | None = None
    kind: Kind | None = None
    field: str = ""


def explain_left_out(rule: SheetRule, one: ColumnRule, kinds: Kinds) -> LeftOut:
    """Why nothing is made of a column."""
    if is_from_git(one.header):
        return LeftOut("comes from the commits")
    if is_secret(one.header):
        return LeftOut("a secret has no place in configuration")
    read = dict.fromkeys((rule.kind, *(name.partition(".")[0] for other in rule.columns for name in other.to)))
    reasons = (_explain(rule, one, kind) for kind in map(kinds.by_name.get, read) if kind is not None)
    return next((reason for reason in reasons if reason is not None), LeftOut("not known"))


def _explain(rule: SheetRule, one: ColumnRule, kind: Kind) -> LeftOut | None:
    hints = read_hints(kind)
    sureness, targets = hints.targets(one.header)
    if not sureness:
        return _explain_unit(kind, one.header)
    fitting = {target for target in targets if fits_header(kind.column(target), hints, one.header)}
    if not fitting:
        return LeftOut(f"unit of {list_words(sorted(targets))} differs")
    if len(fitting) > 1:
        return LeftOut(f"may be {' or '.join(sorted(fitting))}")
    target = fitting.pop()
    rival = next((other for other in rule.columns if f"{kind.name}.{target}" in other.to), None)
    if rival is not None:
        is_as_sure = hints.targets(rival.header)[0] == sureness and kind.column(target) is not None
        return LeftOut(f"column {rival.column} is {target}", rival if is_as_sure else None, kind, target)
    column = kind.column(target)
    return LeftOut("nested values are not read") if column and column.type is SqlType.JSON else None


def _explain_unit(kind: Kind, header: str) -> LeftOut | None:
    """Of a header such as `Slippage (points)`, which is known without its unit."""
    inside = _IN_BRACKETS.search(header)
    targets = read_hints(kind).targets(header[: inside.start()])[1] if inside is not None else frozenset[str]()
    column = kind.column(next(iter(targets))) if len(targets) == 1 else None
    if inside is None or column is None or not column.unit:
        return None
    return LeftOut(f"{column.name} is in {column.unit}")


def is_row_of_units(cells: Mapping[int, Cell]) -> bool:
    """Whether the cells of a row are units of the columns, such as `ms`, `(lots)` or `$`, and nothing else."""
    texts = [cell.text for cell in cells.values() if not cell.is_empty]
    return bool(texts) and all(_UNIT.fullmatch(text) for text in texts)


def find_other_units(cells: Mapping[int, Cell], fields: Mapping[int, tuple[Kind, Column]]) -> Iterator[tuple[int, str]]:
    """The columns of a row of units that are in another unit than their field, and what is to be told of each."""
    for place, cell in cells.items():
        kind, column = fields.get(place, (None, None))
        unit = cell.text.strip("()[] ")
        if kind is None or column is None or column.type not in NUMBERS or not unit:
            continue
        if not is_own_unit(kind, column, read_hints(kind), unit):
            yield (
                place,
                f"the column is in {unit}, and {column.name} is {f'in {column.unit}' if column.unit else 'not'}",
            )


def find_other_tables(sheet: Sheet, header: int, kinds: Kinds) -> Iterator[tuple[int, int, str]]:
    """The row, column and text of headers of other tables above and below the one that is read."""
    own = {cell.text for cell in sheet.rows.get(header, {}).values()}
    rows = list(sheet.rows)
    begun = [row for row in rows if row < header or (row > header and not sheet.rows.get(row - 1))]
    for row in begun[:MAX_HEADERS]:
        texts = {column: cell.text for column, cell in sheet.rows[row].items() if cell.text}
        is_header = all(isinstance(cell.value, str) for cell in sheet.rows[row].values() if not cell.is_empty)
        is_header = is_header and not any(read_amount(text) for text in texts.values())
        later = next((other for other in rows if other > row), header)
        if is_header and later != header and not own.issuperset(texts.values()) and _is_known(texts, kinds):
            yield row, min(texts), ", ".join(texts.values())


def find_table_beside(sheet: Sheet, rule: SheetRule) -> int | None:
    """The first column of what may be another table: behind an empty column there is another kind, and only that."""
    to = {column_number(one.column): one.to for one in rule.columns if one.to}
    used = {column for row, cells in sheet.rows.items() if row >= rule.header for column in cells}
    gaps = [column for column in range(min(to, default=1), max(to, default=1)) if column not in used]
    for gap in gaps:
        right = {column: names for column, names in to.items() if column > gap}
        kinds = set.intersection(*({name.partition(".")[0] for name in names} for names in right.values()))
        is_named = any(f"{kind}.{NAME}" in names for kind in kinds - {rule.kind} for names in right.values())
        if is_named and len(right) >= LEAST:
            return min(right)
    return None


def _is_known(texts: Mapping[int, str], kinds: Kinds) -> bool:
    """Whether most of some texts are the names of one kind's columns."""
    for kind in kinds:
        found: set[str] = set()
        for text in texts.values():
            sureness, targets = read_hints(kind).targets(text)
            found |= targets if sureness >= KNOWN and len(targets) == 1 else set()
        if len(found) >= max(LEAST, len(texts) / 2) and found != {NAME}:
            return True
    return False
