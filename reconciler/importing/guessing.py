"""What the columns of a sheet are: by their headers, then by what stands in them."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.importing.amounts import read_amount
from reconciler.importing.cells import DECIDE
from reconciler.importing.hints import (
    LABELS,
    NAME,
    NOTHING,
    REFS,
    find_word,
    fits_header,
    is_from_git,
    is_secret,
    plain,
    read_hints,
    says_percent,
)
from reconciler.importing.mapping import VERSION, ColumnRule, SheetMapping, SheetRule, new_rule
from reconciler.kinds.engine import matches
from reconciler.kinds.kind import STATUS_FIELD, SqlType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.importing.hints import Hints
    from reconciler.importing.sheets import Cell, Sheet
    from reconciler.kinds.kind import Column, Kind, Kinds

MAX_ABOVE = 40
"""Rows in which a header is looked for."""
LEAST = 2
"""Columns that must be known for a sheet to be one of ours."""
TYPO = 0.85
"""The least similarity of a misspelt word, by difflib's ratio."""
MIN_MISSPELT, MAX_MISSPELT = 5, 40
"""Letters of a word that may be misspelt, units are shorter; and of a whole header with such words."""
SURE, KNOWN, ALIKE, MISSPELT = 4, 3, 2, 1


class Guess(Struct, frozen=True):
    """What a header may be for one kind: its target and how sure that is."""

    target: str
    sureness: int


class Reading(Struct, frozen=True):
    """A header row read for one kind: the targets by column, and those of the kinds that it refers to."""

    kind: Kind
    row: int
    own: Mapping[int, Guess]
    sides: Mapping[int, tuple[str, ...]]
    score: float


def guess_mapping(sheets: Iterable[Sheet], kinds: Kinds, kind: Kind | None = None) -> SheetMapping:
    """The mapping of all sheets that have enough columns of a kind; `kind` is that of the rows, if it is known."""
    rules = (guess_sheet(sheet, kinds, kind) for sheet in sheets)
    return SheetMapping(VERSION, [rule for rule in rules if rule is not None])


def guess_sheet(sheet: Sheet, kinds: Kinds, kind: Kind | None) -> SheetRule | None:
    """What a sheet holds; None when it is nothing of ours."""
    best: Reading | None = None
    for row in [one for one in sheet.rows if one <= MAX_ABOVE]:
        headers = {column: cell.text for column, cell in sheet.rows[row].items() if isinstance(cell.value, str)}
        for candidate in [kind] if kind is not None else kinds:
            reading = _read_header(sheet, row, headers, candidate, kinds)
            if reading is not None and (best is None or reading.score > best.score):
                best = reading
    return _rule(sheet, best, kinds) if best is not None else None


def _read_header(sheet: Sheet, row: int, headers: Mapping[int, str], kind: Kind, kinds: Kinds) -> Reading | None:
    own = _assign(sheet, row, headers, kind)
    fields = [guess for guess in own.values() if guess.target != NAME]
    if len(own) < LEAST or not fields:
        return None
    sides = _assign_sides(sheet, row, headers, Reading(kind, row, own, {}, 0), kinds)
    hints = read_hints(kind)
    title = plain(sheet.name)
    is_titled = title in hints.sheets or not hints.sheets.isdisjoint(title.split())
    score = (
        len(fields)
        + 0.5 * (len(own) - len(fields))
        + 0.9 * len(sides)
        + 0.01 * sum(one.sureness for one in own.values())
    )
    return Reading(kind, row, own, sides, score + (3 if is_titled else 0))


def _assign(
    sheet: Sheet, row: int, headers: Mapping[int, str], kind: Kind, without: frozenset[str] = frozenset()
) -> dict[int, Guess]:
    """The surest column for each target of a kind."""
    hints = read_hints(kind)
    wanted: list[tuple[int, int, str]] = []
    for column, header in headers.items():
        if is_secret(header) and plain(header) not in hints.own and plain(header) not in hints.names:
            continue
        sureness, targets = _targets(kind, header)
        fitting = frozenset(one for one in targets - without if fits_header(kind.column(one), hints, header))
        target = _choose(kind, header, fitting)
        field = kind.column(target) if target else None
        if target and _may_hold(field, sheet, row, column):
            if sureness <= ALIKE and field is not None and _has_numbers_for_words(field, hints, sheet, row, column):
                continue
            wanted.append((-sureness, column, target))
    taken: dict[str, int] = {}
    assigned: dict[int, Guess] = {}
    for sureness, column, target in sorted(wanted):
        if target not in taken:
            taken[target] = column
            assigned[column] = Guess(target, -sureness)
    return assigned


def _may_hold(field: Column | None, sheet: Sheet, row: int, column: int) -> bool:
    """Whether cells can be what the header says: nested values are nothing that people type."""
    if field is None or field.type is not SqlType.JSON:
        return True
    return all(cell.text.startswith(("{", "[")) for _, cell in sheet.column(column, row))


def _has_numbers_for_words(field: Column, hints: Hints, sheet: Sheet, row: int, column: int) -> bool:
    """Whether a field of certain words would get numbers: `Lots` is like `lot type`, and another thing."""
    texts = [cell.text for _, cell in sheet.column(column, row) if cell.text.lower() not in NOTHING]
    return bool(field.enum and texts) and all(read_amount(one) and not find_word(field, hints, one) for one in texts)


@lru_cache(maxsize=1 << 14)
def _targets(kind: Kind, header: str) -> tuple[int, frozenset[str]]:
    direct = header.strip()
    if direct.startswith((LABELS, "annotations.")):
        return SURE, frozenset({direct})
    sureness, targets = read_hints(kind).targets(header)
    if sureness or len(header) > MAX_MISSPELT:
        return sureness, targets
    words = tuple(plain(header).split())
    ways = [(_likeness(words, known), target) for known, target in _names(kind).get(len(words), ())]
    likeness, target = max(ways, default=(0.0, ""))
    return (MISSPELT, frozenset({target})) if likeness else (0, frozenset())


@lru_cache(maxsize=64)
def _names(kind: Kind) -> Mapping[int, Sequence[tuple[tuple[str, ...], str]]]:
    """The known names of a kind's columns with their targets, by the number of their words."""
    hints = read_hints(kind)
    known = {name: min(targets) for name, targets in hints.headers.items() if len(targets) == 1} | dict(hints.own)
    names: dict[int, list[tuple[tuple[str, ...], str]]] = {}
    for name, target in known.items():
        words = tuple(name.split())
        names.setdefault(len(words), []).append((words, target))
    return names


def _likeness(words: Sequence[str], known: Sequence[str]) -> float:
    """How alike two names of as many words are, 0 where one of the words is another one and not misspelt."""
    least = 1.0
    for word, other in zip(words, known, strict=True):
        if word == other:
            continue
        if min(len(word), len(other)) < MIN_MISSPELT or not word.isalpha():
            return 0
        matcher = SequenceMatcher(None, word, other, autojunk=False)
        if matcher.real_quick_ratio() < TYPO or matcher.quick_ratio() < TYPO or matcher.ratio() < TYPO:
            return 0
        least = min(least, matcher.ratio())
    return least


def _choose(kind: Kind, header: str, targets: frozenset[str]) -> str:
    """The one target of several: that in percent where the header says so."""
    if len(targets) > 1 and says_percent(header):
        columns = {target: kind.column(target) for target in targets}
        targets = frozenset(name for name, column in columns.items() if column and "percent" in column.unit) or targets
    return next(iter(targets)) if len(targets) == 1 else ""


def _assign_sides(
    sheet: Sheet, row: int, headers: Mapping[int, str], reading: Reading, kinds: Kinds
) -> dict[int, tuple[str, ...]]:
    """Columns of the kinds that a row also names, as `Kind.field`; several where that is open."""
    left = {column: header for column, header in headers.items() if column not in reading.own}
    found: dict[int, dict[str, int]] = {}
    for guess in reading.own.values():
        other = _referred(reading.kind, guess.target, kinds)
        if other is None or other == reading.kind:
            continue
        for place, side in _assign(sheet, row, left, other, frozenset({NAME})).items():
            if not side.target.startswith(REFS):
                found.setdefault(place, {})[f"{other.name}.{side.target}"] = min(side.sureness, KNOWN)
    surest = {
        place: [name for name, sureness in ways.items() if sureness == max(ways.values())]
        for place, ways in found.items()
    }
    alone = Counter(names[0].partition(".")[0] for names in surest.values() if len(names) == 1)
    return {place: _prefer(names, alone) for place, names in surest.items()}


def _prefer(names: Sequence[str], columns: Mapping[str, int]) -> tuple[str, ...]:
    """Of several kinds that a column may be of the one that has other columns here, if that is just one."""
    having = tuple(name for name in names if columns.get(name.partition(".")[0]))
    return having if len(names) > 1 and len(having) == 1 else tuple(sorted(names))


def _referred(kind: Kind, target: str, kinds: Kinds) -> Kind | None:
    """The kind that a column of references names one of."""
    role = target.removeprefix(REFS)
    reference = next((one for one in kind.references if one.role == role), None)
    return kinds.by_name.get(reference.kind) if reference and not reference.many and target != role else None


def _rule(sheet: Sheet, reading: Reading, kinds: Kinds) -> SheetRule:
    kind = reading.kind
    to: dict[int, list[str]] = {}
    for column, guess in reading.own.items():
        to[column] = [f"{kind.name}.{guess.target}"]
    sides = {ways[0].partition(".")[0] for ways in reading.sides.values() if len(ways) == 1}
    for column, ways in reading.sides.items():
        to[column] = [*ways] if len(ways) == 1 else [DECIDE, *ways]
    for column, guess in reading.own.items():
        other = _referred(kind, guess.target, kinds)
        if other is not None and other.name in sides:
            to[column].append(f"{other.name}.{NAME}")
    _share_status(kind, sides, kinds, to)
    _find_by_values(sheet, reading, to)
    last = max((max(cells) for cells in sheet.rows.values() if cells), default=0)
    rules = [
        new_rule(column, sheet.cell(reading.row, column).text, to.get(column, ()))
        for column in range(1, last + 1)
        if column in to or _has_cells(sheet, column, reading.row)
    ]
    return SheetRule(sheet.name, kind.name, reading.row, rules)


def _has_cells(sheet: Sheet, column: int, header: int) -> bool:
    return not sheet.cell(header, column).is_empty or any(True for _ in sheet.column(column, header))


def _share_status(kind: Kind, sides: Iterable[str], kinds: Kinds, to: dict[int, list[str]]) -> None:
    """One status is that of all kinds in a row that have none of their own."""
    own = next((column for column, names in to.items() if f"{kind.name}.{STATUS_FIELD}" in names), None)
    if own is None:
        return
    for name in sorted(sides):
        target = f"{name}.{STATUS_FIELD}"
        if kinds.by_name[name].can_deactivate and not any(target in names for names in to.values()):
            to[own].append(target)


def _find_by_values(sheet: Sheet, reading: Reading, to: dict[int, list[str]]) -> None:
    """Columns without a known header whose cells can only be those of one field."""
    kind, hints = reading.kind, read_hints(reading.kind)
    free = [column for column in kind.columns if f"{kind.name}.{column.name}" not in _all(to)]
    unknown = {place for cells in sheet.rows.values() for place in cells} - to.keys()
    fitting: dict[int, list[str]] = {}
    for place in sorted(unknown):
        header = sheet.cell(reading.row, place).text
        cells = [cell for _, cell in sheet.column(place, reading.row) if cell.text.lower() not in NOTHING]
        if not cells or is_from_git(header) or is_secret(header):
            continue
        fitting[place] = [column.name for column in free if _looks_like(column, hints, cells)]
    for place, names in fitting.items():
        rivals = [one for other, one in fitting.items() if other != place and set(one) & set(names)]
        if len(names) == 1 and not rivals:
            to[place] = [f"{kind.name}.{names[0]}"]


def _all(to: Mapping[int, Sequence[str]]) -> Iterator[str]:
    return (name for names in to.values() for name in names)


def _looks_like(column: Column, hints: Hints, cells: Sequence[Cell]) -> bool:
    if column.name in hints.looks:
        return all(isinstance(cell.value, str) and matches(hints.looks[column.name], cell.text) for cell in cells)
    if column.enum:
        return all(not _is_yes_or_no(cell) and find_word(column, hints, cell.text) for cell in cells)
    return False


def _is_yes_or_no(cell: Cell) -> bool:
    """A cell of a list with ticks: what is ticked, only its header says."""
    return (
        len(cell.text) < LEAST
        or cell.text.isdigit()
        or cell.text.lower() in {"yes", "no", "true", "false", "on", "off"}
    )


def columns_of(rule: SheetRule) -> Iterator[tuple[ColumnRule, str, str]]:
    """Each column with a kind and a target of it."""
    for column in rule.columns:
        for name in column.to:
            kind, _, target = name.partition(".")
            yield column, kind, target
