"""Sheets with their mapping to rows of kinds: every value, what was assumed on the way, what is wrong or still open."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from enum import IntEnum
from statistics import median
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.importing.cells import (
    AMBIGUOUS,
    DECIDE,
    Choices,
    Question,
    ReadColumn,
    read_column,
    resource_name,
    shown_unit,
    stated_unit,
)
from reconciler.importing.drafts import Drafts, Origin
from reconciler.importing.guessing import columns_of
from reconciler.importing.hints import (
    LABELS,
    NAME,
    NOTHING,
    REFS,
    TOTALS,
    find_word,
    is_from_git,
    is_secret,
    plain,
    read_hints,
)
from reconciler.importing.mapping import CODE, ColumnRule, SheetMapping, SheetRule
from reconciler.importing.sheets import column_number, letters
from reconciler.kinds.engine import matches
from reconciler.kinds.kind import STATUS_FIELD, child
from reconciler.model.change import Key
from reconciler.model.problem import Problem
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.importing.sheets import Cell, Sheet, Workbook
    from reconciler.kinds.kind import Kind, Kinds

ANNOTATIONS = "annotations."
MANY = re.compile(r"\s*[,;/|\n+]\s*")
NAMED = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
"""What is a name already."""
MIN_FOR_NOTES = 3
"""Columns of a table in which a row with a single cell is a remark and no row."""


class About(IntEnum):
    """What an assumption is about, in the order in which it is told."""

    COLUMN = 1
    CELLS = 2
    LEFT_OUT = 3
    FILLED = 4


class Assumption(Struct, frozen=True):
    """What was made of a column, of some of its cells or of a row, or what was filled in where no cell says it.

    `column` is its number, 0 where it is about none; `at` its letters, or a row's number. `cells` counts cells, rows or
    resources.
    """

    about: About
    sheet: str
    column: int
    at: str
    header: str
    text: str
    cells: int


class Open(Struct, frozen=True):
    """A question about a column: what decides it is the key `key` of this column in the mapping."""

    sheet: str
    column: str
    header: str
    question: Question
    origin: Origin


class Interpreted(Struct, frozen=True):
    """What was read of one workbook. `mapping` has what was decided; `open` is what nobody has decided yet."""

    problems: tuple[Problem, ...]
    assumptions: tuple[Assumption, ...]
    open: tuple[Open, ...]
    mapping: SheetMapping


def interpret(
    workbook: Workbook,
    mapping: SheetMapping,
    kinds: Kinds,
    drafts: Drafts,
    *,
    is_given: bool,
) -> Interpreted:
    """Read sheets into drafts by a mapping; one that was given by somebody is followed to the letter."""
    reader = _Reader(kinds, drafts, is_given=is_given)
    sheets = {sheet.name: sheet for sheet in workbook.sheets}
    rules = [reader.read(sheets[rule.sheet], rule) if rule.sheet in sheets else rule for rule in mapping.sheets]
    for rule in mapping.sheets:
        if rule.sheet not in sheets:
            reader.mismatch(workbook.file, f"there is no sheet {rule.sheet}")
    return Interpreted(
        tuple(reader.problems), tuple(reader.assumptions), tuple(reader.open), replace(mapping, sheets=rules)
    )


class _Reader:
    def __init__(self, kinds: Kinds, drafts: Drafts, *, is_given: bool) -> None:
        self.kinds, self.drafts, self._is_given, self._is_exact = kinds, drafts, is_given, False
        self.problems: list[Problem] = []
        self.assumptions: list[Assumption] = []
        self.open: list[Open] = []

    def mismatch(self, place: str, message: str, row: int = 1, column: int = 1) -> None:
        hint = "the mapping names it: change the mapping, or import without --map"
        self.problems.append(Problem(place, row, column, CODE, "", message, hint))

    def read(self, sheet: Sheet, rule: SheetRule) -> SheetRule:
        """The rows of a sheet to drafts; gives the rule with what was decided."""
        self.drafts.otherwise |= rule.otherwise
        self._is_exact = rule.exact
        places = {one.column: self._locate(sheet, rule, one) for one in rule.columns}
        self._tell_left_out(sheet, rule)
        mapped = [place for one in rule.columns if one.to and (place := places[one.column]) is not None]
        rows = self._find_rows(sheet, rule, mapped)
        chosen: dict[str, dict[str, Any]] = defaultdict(dict)
        fields: dict[tuple[str, str], tuple[ColumnRule, int, ReadColumn]] = {}
        for one, kind_name, target in columns_of(rule):
            place, kind = places[one.column], self.kinds.by_name.get(kind_name)
            if place is None or kind_name == DECIDE or DECIDE in one.to:
                continue
            column = kind.column(target) if kind is not None else None
            if kind is None or (column is None and not self._is_metadata(kind, target)):
                self.mismatch(sheet.place, f"there is no {kind_name}.{target}", rule.header, place)
            elif column is None:
                filled = sum(1 for row in rows if not _is_nothing(sheet.cell(row, place)))
                if rule.exact:
                    continue
                self.assume(About.COLUMN, sheet, place, one.header, f"{kind_name}.{target}", filled)
            else:
                cells = [(row, sheet.cell(row, place)) for row in rows]
                read = read_column(kind, column, read_hints(kind), _choices(rule, one, is_given=self._is_given), cells)
                fields[kind_name, target] = one, place, read
                chosen[one.column] |= read.chosen
                self._tell(sheet, one, f"{kind_name}.{target}", place, read)
        for one in rule.columns:
            if DECIDE in one.to and places[one.column] is not None:
                self._ask_target(sheet, rule, one)
        _Rows(self, sheet, rule, places, fields).put(rows)
        decided = [replace(one, **chosen.get(one.column, {}), **self._undecided(sheet, one)) for one in rule.columns]
        return replace(rule, columns=decided)

    def _undecided(self, sheet: Sheet, rule: ColumnRule) -> dict[str, Any]:
        keys = {one.question.key for one in self.open if (one.sheet, one.column) == (sheet.name, rule.column)}
        return dict.fromkeys(keys - {"to"}, DECIDE)

    @staticmethod
    def _is_metadata(kind: Kind, target: str) -> bool:
        roles = {f"{REFS}{reference.role}" for reference in kind.references}
        return target == NAME or target in roles or target.startswith((LABELS, ANNOTATIONS))

    def _locate(self, sheet: Sheet, rule: SheetRule, one: ColumnRule) -> int | None:
        """Where a column of the mapping is now: under its header, wherever that has gone."""
        try:
            place = column_number(one.column)
        except ValueError:
            place = 0
        if place and sheet.cell(rule.header, place).text == one.header:
            return place
        found = [at for at, cell in sheet.rows.get(rule.header, {}).items() if one.header and cell.text == one.header]
        if len(found) == 1:
            return found[0]
        if one.to:
            self.mismatch(sheet.place, f"row {rule.header} has no column {one.header or one.column}", rule.header)
        return None

    def _tell_left_out(self, sheet: Sheet, rule: SheetRule) -> None:
        known = {one.header for one in rule.columns}
        for place, cell in sheet.rows.get(rule.header, {}).items():
            if self._is_given and cell.text and cell.text not in known:
                hint = "add it to the mapping, with `to: []` to leave it out"
                message = f"the mapping says nothing of the column {cell.text}"
                self.problems.append(Problem(sheet.place, rule.header, place, CODE, "", message, hint))
        for one in rule.columns:
            if one.to:
                continue
            number = column_number(one.column)
            cells = sum(1 for _ in sheet.column(number, rule.header))
            why = "comes from the commits" if is_from_git(one.header) else ""
            why = why or ("a secret has no place in configuration" if is_secret(one.header) else "not known")
            self.assume(About.LEFT_OUT, sheet, number, one.header, why, cells)

    def assume(self, about: About, sheet: Sheet, column: int, header: str, text: str, cells: int) -> None:
        """Tell of a column."""
        told = Assumption(about, sheet.name, column, letters(column), header, text, cells)
        if told not in self.assumptions:
            self.assumptions.append(told)

    def _tell(self, sheet: Sheet, one: ColumnRule, target: str, place: int, read: ReadColumn) -> None:
        for row, fault in read.faults.items():
            pointer = child("/spec", target.partition(".")[2])
            self.problems.append(Problem(sheet.place, row, place, fault.code, pointer, fault.message, fault.hint))
        if not self._is_exact:
            self.assume(About.COLUMN, sheet, place, one.header, target, len(read.values))
        for note in read.notes:
            self.assume(About.CELLS, sheet, place, "", note.example, note.cells)
        for key, value in read.chosen.items():
            if key == "percent":  # what a percent column holds anyway
                continue
            self.assume(
                About.CELLS, sheet, place, "", f"{key}: {value}, as others in the column show", len(read.values)
            )
        for question in read.questions:
            self.open.append(Open(sheet.name, one.column, one.header, question, Origin(sheet, question.rows[0], place)))

    def _ask_target(self, sheet: Sheet, rule: SheetRule, one: ColumnRule) -> None:
        ways = {name: name for name in one.to if name != DECIDE}
        question = Question("to", f"may be {' or '.join(ways)}", ways, (rule.header,))
        self.open.append(
            Open(sheet.name, one.column, one.header, question, Origin(sheet, rule.header, column_number(one.column)))
        )

    def _find_rows(self, sheet: Sheet, rule: SheetRule, mapped: Sequence[int]) -> list[int]:
        """The rows that are rows of the table: without blank ones, totals, remarks and repeated headers."""
        below = [row for row in sheet.rows if row > rule.header]
        filled = {row: [at for at in mapped if not _is_nothing(sheet.cell(row, at))] for row in below}
        usual = median([len(cells) for cells in filled.values() if cells] or [0])
        headers = {at: sheet.cell(rule.header, at).text for at in mapped}
        rows: list[int] = []
        for row in below:
            cells = filled[row]
            why = ""
            if not cells:
                continue
            first = plain(
                next(cell.text for _, cell in sorted(sheet.rows[row].items()) if cell.text or cell.fault) or "-"
            )
            if rule.exact:
                pass
            elif all(sheet.cell(row, at).text == headers[at] for at in cells):
                why = "the header again"
            elif first.split()[:1] and first.split()[0] in TOTALS and len(cells) < usual:
                why = "a total"
            elif any("(" in sheet.cell(row, at).formula for at in cells) and len(cells) <= usual / 2:
                why = "formulas over the others"
            elif len(cells) == 1 and len(mapped) >= MIN_FOR_NOTES and usual > 1:
                why = f"a remark: {sheet.cell(row, cells[0]).text[:40]}"
            if why:
                self.assumptions.append(Assumption(About.LEFT_OUT, sheet.name, 0, str(row), "", why, len(cells)))
            else:
                rows.append(row)
        return rows


def tell_fillings(drafts: Drafts) -> list[Assumption]:
    """What no cell said, and references to what there is not."""
    told = []
    for (kind, name, value), origins in drafts.filled.items():
        told.append(
            Assumption(About.FILLED, origins[0].sheet.name, 0, "", f"{kind}.{name}", value or "''", len(origins))
        )
    for (kind, role), origins in drafts.dropped.items():
        first = origins[0]
        named = first.sheet.cell(first.row, first.column).text
        text = f"nothing declares {named}"
        about, sheet = About.LEFT_OUT, first.sheet.name
        told.append(
            Assumption(about, sheet, first.column, letters(first.column), f"{kind}.{REFS}{role}", text, len(origins))
        )
    return told


class _Rows:
    """The rows of one sheet, put into drafts."""

    def __init__(
        self,
        reader: _Reader,
        sheet: Sheet,
        rule: SheetRule,
        places: Mapping[str, int | None],
        fields: Mapping[tuple[str, str], tuple[ColumnRule, int, ReadColumn]],
    ) -> None:
        self._reader, self._sheet, self._rule = reader, sheet, rule
        self._kinds, self._drafts = reader.kinds, reader.drafts
        self._fields = fields
        self._others: dict[tuple[str, str], tuple[ColumnRule, int]] = {
            (kind, target): (one, place)
            for one, kind, target in columns_of(rule)
            if (place := places[one.column]) is not None and (kind, target) not in fields and DECIDE not in one.to
        }
        self._renamed: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._told: dict[int, Counter[str]] = defaultdict(Counter)

    def put(self, rows: Sequence[int]) -> None:
        names = list(dict.fromkeys((self._rule.kind, *(kind for kind, _ in {**self._fields, **self._others}))))
        for kind in filter(None, map(self._kinds.by_name.get, names)):
            is_main = kind.name == self._rule.kind
            found = {row: self._name(kind, row) for row in rows}
            if is_main and (kind.name, NAME) not in self._others:
                found = self._make_names(kind, rows)
            for row, name in found.items():
                if name:
                    self._put_row(kind, name, row, is_main=is_main)
                elif is_main:
                    column = self._others.get((kind.name, NAME))
                    origin = Origin(self._sheet, row, column[1] if column else 1)
                    message = f"this row has no name: what the {kind.name.lower()} is called"
                    hint = "name it, or delete the row"
                    self._reader.problems.append(origin.problem("missing-field", "/metadata/name", message, hint))
        for place, pairs in self._renamed.items():
            before, after = next(iter(pairs))
            self._reader.assume(About.CELLS, self._sheet, place, "", f"{before} → {after}", len(pairs))

        for place, texts in self._told.items():
            for text, cells in texts.items():
                self._reader.assume(About.CELLS, self._sheet, place, "", text, cells)

    def _name(self, kind: Kind, row: int) -> str:
        column = self._others.get((kind.name, NAME))
        if column is None:
            return ""
        return self._clean(kind, column[1], row, self._sheet.cell(row, column[1]).text)

    def _clean(self, kind: Kind, place: int, row: int, text: str) -> str:
        """The name that a text stands for: one that there is, else made of it; of a path its last part."""
        if self._drafts.is_known(kind.name, text) or (self._rule.exact and text):
            return text
        if text.lower() in NOTHING or not text:
            return ""
        if NAMED.fullmatch(text):
            return text
        name = resource_name(
            re.split(r"[\\/]", text.rstrip("\\/"))[-1] if re.match(r"[A-Za-z]:[\\/]|[\\/]", text) else text
        )
        if name != text:
            self._renamed[place][text, name] += 1
        return name

    def _make_names(self, kind: Kind, rows: Sequence[int]) -> dict[int, str]:
        """Names of rows without a column for them: of what they refer to, and of their texts."""
        key = self._fields.get((kind.name, kind.key))
        ids = key[2].values if key else {}
        parts: dict[int, list[str]] = {row: [] for row in rows}
        for (owner, target), (_, place) in self._others.items():
            reference = next((one for one in kind.references if f"{REFS}{one.role}" == target and not one.many), None)
            if owner == kind.name and reference is not None:
                for row in rows:
                    parts[row].append(resource_name(self._sheet.cell(row, place).text))
        for column in kind.columns:
            read = self._fields.get((kind.name, column.name))
            if read is None or column.enum or column.length is None:
                continue
            for row in rows:
                text = re.split(r"[\\/]", str(read[2].values.get(row, "")).rstrip("\\/"))[-1]
                parts[row].append(resource_name(text))
        made = {row: "-".join(filter(None, words)) for row, words in parts.items()}
        if self._sheet.is_settings:
            made = dict.fromkeys(rows, resource_name(self._sheet.name))
        for row, row_id in ids.items():
            made[row] = self._drafts.name_of(kind, str(row_id)) or made[row] or f"{kind.name.lower()}-{str(row_id)[:8]}"
        counts = Counter(made.values())
        twice = [row for row, name in made.items() if counts[name] > 1 and name]
        if not any(made.values()):
            message = f"there is neither a column {kind.key} nor one of names"
            origin = Origin(self._sheet, self._rule.header, 1)
            problem = origin.problem(
                "missing-field", child("/spec", kind.key), message, "rows are told apart by one of them"
            )
            self._reader.problems.append(problem)
            return {}
        for row in twice:
            message = f"{counts[made[row]]} rows would be called {made[row]}"
            hint = f"add a column {kind.name} with a name for each row"
            problem = Origin(self._sheet, row, 1).problem("duplicate-name", "/metadata/name", message, hint)
            self._reader.problems.append(problem)
        row, name = next((row, name) for row, name in made.items() if name)
        self._reader.assumptions.append(
            Assumption(About.FILLED, self._sheet.name, 0, "", f"{kind.name}.{NAME}", f"from the row: {name}", len(made))
        )
        return {row: name for row, name in made.items() if row not in twice}

    def _put_row(self, kind: Kind, name: str, row: int, *, is_main: bool) -> None:
        column = self._others.get((kind.name, NAME))
        draft = self._drafts.find(kind, name, Origin(self._sheet, row, column[1] if column else 1))
        for (owner, target), (_, place, read) in self._fields.items():
            if owner != kind.name:
                continue
            pointer, origin = child("/spec", target), Origin(self._sheet, row, place)
            if row in read.faults:
                draft.faulty.add(pointer)
            elif row in read.values and not is_main and target == STATUS_FIELD and self._is_shared(place):
                draft.statuses.append(str(read.values[row]))
            elif row in read.values:
                draft.put(pointer, read.values[row], origin)
        self._put_unit_words(kind, row, draft.name)
        for (owner, target), (_, place) in self._others.items():
            if owner == kind.name and target != NAME:
                self._put_metadata(kind, name, target, row, place)

    def _is_shared(self, place: int) -> bool:
        """Whether a column is also one of what the rows themselves are."""
        return any(owner == self._rule.kind and at == place for (owner, _), (_, at, _) in self._fields.items())

    def _put_unit_words(self, kind: Kind, row: int, name: str) -> None:
        """The word of a field by the unit of another field's number. A column of such words must agree with it."""
        for column in kind.columns:
            choice, field = column.unit_choice, self._fields.get((kind.name, column.name))
            if choice is None or field is None:
                continue
            one, place, read = field
            by, words = kind.column(choice.by), self._fields.get((kind.name, choice.by))
            if by is None or row not in read.values or (words is not None and row in words[2].faults):
                continue
            cell = self._sheet.cell(row, place)
            stated = stated_unit(one.header, cell)
            shown = shown_unit(one.header, cell) if words is None else (stated,) if stated else ()
            word = next((found for text in shown if (found := find_word(by, read_hints(kind), text))), None)
            if word is not None:
                if words is None or row not in words[2].values:
                    self._told[place][f"{shown[0]}: {by.name} {word}"] += 1
                draft = self._drafts.find(kind, name, Origin(self._sheet, row, place))
                draft.put(child("/spec", by.name), word, Origin(self._sheet, row, place))

    def _put_metadata(self, kind: Kind, name: str, target: str, row: int, place: int) -> None:
        cell = self._sheet.cell(row, place)
        text = str(cell.value) if isinstance(cell.value, str) and self._rule.exact else cell.text
        if not text or (text.lower() in NOTHING and not self._rule.exact):
            return
        draft, origin = self._drafts.by_name[Key(kind.name, name)], Origin(self._sheet, row, place)
        group, _, key = target.partition(".")
        if f"{group}." != REFS:
            draft.put(f"/metadata/{group}/{key}", text, origin)
            return
        reference = next(one for one in kind.references if one.role == key)
        other = self._kinds.by_name.get(reference.kind)
        texts = MANY.split(text) if reference.many else [text]
        named = [self._clean(other, place, row, one) if other else resource_name(one) for one in texts if one]
        if other is not None and not reference.many and named:
            looks = read_hints(other).looks
            self._drafts.told[Key(other.name, named[0])] = {
                field: text.rstrip("\\/") for field, look in looks.items() if matches(look, text)
            }
        found = [one for one in named if one]
        if found:
            draft.put(f"/metadata/refs/{key}", [*found] if reference.many else found[0], origin)


def _choices(sheet: SheetRule, rule: ColumnRule, *, is_given: bool) -> Choices:
    return Choices(rule.decimal, rule.dates, rule.percent, rule.words, is_given, sheet.exact)


def _is_nothing(cell: Cell) -> bool:
    return not cell.fault and (cell.is_empty or cell.text.lower() in NOTHING)


def open_problems(found: Iterable[Open], hint: Callable[[Open], str]) -> list[Problem]:
    """A problem for each question, at the first cell that it is about."""
    problems = []
    for one in found:
        cell = one.origin.sheet.cell(one.origin.row, one.origin.column)
        more = len(one.question.rows) - 1
        others = f", and {more:,} more" if more else ""
        message = f"{cell.text!r} {one.question.text}{others}: nothing in the column decides it"
        problems.append(one.origin.problem(AMBIGUOUS, "", message, hint(one)))
    return problems
