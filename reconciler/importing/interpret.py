"""Sheets with their mapping to rows of kinds: every value, what was assumed on the way, what is wrong or still open."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.importing.assumptions import About, Assumption, Findings
from reconciler.importing.cells import AMBIGUOUS, DECIDE, PERCENT, read_column
from reconciler.importing.columnreader import Choices, Question, ReadColumn
from reconciler.importing.drafts import Drafts, Origin
from reconciler.importing.guessing import columns_of
from reconciler.importing.hints import (
    ALSO_NAMES,
    LABELS,
    NAME,
    NOTHING,
    REFS,
    TOTALS,
    find_word,
    plain,
    read_hints,
    says_percent,
)
from reconciler.importing.leftovers import (
    explain_left_out,
    find_other_tables,
    find_other_units,
    find_table_beside,
    is_row_of_units,
)
from reconciler.importing.mapping import CODE, ColumnRule, SheetMapping, SheetRule
from reconciler.importing.rowdrafts import RowDrafts
from reconciler.importing.sheets import column_number
from reconciler.kinds.kind import child
from reconciler.model.problem import Problem
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.importing.sheets import Cell, Sheet, Workbook
    from reconciler.kinds.kind import Column, Kind, Kinds

ANNOTATIONS = "annotations."
_LEAVE_OUT = "; to leave it out, write the mapping with --write-map FILE, then import with --map FILE"
_ONE_COLUMN = "leave one out with `to: []`: write the mapping with --write-map FILE, then import with --map FILE"
MIN_FOR_NOTES = 3
"""Columns of a table in which a row with a single cell is a remark and no row."""


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


class _Reader(Findings):
    def __init__(self, kinds: Kinds, drafts: Drafts, *, is_given: bool) -> None:
        super().__init__(kinds, drafts)
        self._is_given, self._is_exact = is_given, False
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
        for what, those in (("hidden", sheet.hidden_rows), ("struck out", sheet.struck_rows)):
            found = [str(row) for row in rows if row in those]
            if found:
                told = f"{what}, and read: {'row' if len(found) == 1 else 'rows'} {', '.join(found)}"
                self.assumptions.append(Assumption(About.CELLS, sheet.name, 0, "", "", told, len(found)))
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
                words = self._read_unit_words(sheet, rule, places, kind, column)
                choices = replace(
                    _choices(rule, one, is_given=self._is_given),
                    in_percent=_find_percent_rows(column, one.header, rows, words),
                    day_zero=sheet.day_zero,
                )
                read = read_column(kind, column, read_hints(kind), choices, cells)
                fields[kind_name, target] = one, place, read
                chosen[one.column] |= read.chosen
                self._tell(sheet, one, f"{kind_name}.{target}", place, read)
        for one in rule.columns:
            if DECIDE in one.to and places[one.column] is not None:
                self._ask_target(sheet, rule, one)
        self._tell_wide(sheet, rule, rows)
        if not (rule.exact or self._is_given):
            self._ask_what_is_left(sheet, rule, rows, fields)
        RowDrafts(self, sheet, rule, places, fields).put(rows)
        decided = [replace(one, **chosen.get(one.column, {}), **self._undecided(sheet, one)) for one in rule.columns]
        return replace(rule, columns=decided)

    def _read_unit_words(
        self, sheet: Sheet, rule: SheetRule, places: Mapping[str, int | None], kind: Kind, column: Column
    ) -> dict[int, str]:
        """By row the word beside a number that says its unit."""
        by = kind.column(column.unit_choice.by) if column.unit_choice is not None else None
        wanted = (kind.name, by.name) if by is not None else None
        beside = next((one for one, name, target in columns_of(rule) if (name, target) == wanted), None)
        place = places[beside.column] if beside is not None else None
        if by is None or beside is None or place is None:
            return {}
        texts = {row: cell.text for row, cell in sheet.column(place, rule.header)}
        words = {row: beside.words.get(text) or find_word(by, read_hints(kind), text) for row, text in texts.items()}
        return {row: word for row, word in words.items() if word}

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
            left_out = explain_left_out(rule, one, self.kinds)
            self.assume(About.LEFT_OUT, sheet, number, one.header, left_out.why, cells)

    def _ask_what_is_left(
        self,
        sheet: Sheet,
        rule: SheetRule,
        rows: Sequence[int],
        fields: Mapping[tuple[str, str], tuple[ColumnRule, int, ReadColumn]],
    ) -> None:
        """Other tables of the sheet, and columns that may be the field that another one was taken for, and differ."""
        for row, column, text in find_other_tables(sheet, rule.header, self.kinds):
            message = f"another table begins here ({text[:60]}): only the one of row {rule.header} is read"
            hint = f"move it to a sheet of its own{_LEAVE_OUT if row < rule.header else ''}"
            self.problems.append(Problem(sheet.place, row, column, AMBIGUOUS, "", message, hint))
        beside = find_table_beside(sheet, rule)
        if beside is not None:
            message = (
                f"{sheet.cell(rule.header, beside).text} may begin a table beside this one: an empty column is between"
            )
            hint = "delete the empty column where each row is one, else move the table to a sheet of its own"
            self.problems.append(Problem(sheet.place, rule.header, beside, AMBIGUOUS, "", message, hint))
        for one in rule.columns:
            left_out = explain_left_out(rule, one, self.kinds)
            kind = left_out.kind
            known = fields.get((kind.name, left_out.field)) if kind is not None else None
            field = kind.column(left_out.field) if kind is not None else None
            if one.to or left_out.rival is None or kind is None or known is None or field is None:
                continue
            place = column_number(one.column)
            cells = [(row, sheet.cell(row, place)) for row in rows]
            choices = Choices(in_percent=_find_percent_rows(field, one.header, rows, {}))
            read = read_column(kind, field, read_hints(kind), choices, cells)
            values = known[2].values
            other = next((row for row, value in read.values.items() if values.get(row) != value), None)
            if other is not None:
                text = sheet.cell(other, known[1]).text or "nothing"
                message = f"{one.header} may be {field.name} as {known[0].header} is, which has {text!r} here"
                self.problems.append(Problem(sheet.place, other, place, AMBIGUOUS, "", message, _ONE_COLUMN))

    def _tell(self, sheet: Sheet, one: ColumnRule, target: str, place: int, read: ReadColumn) -> None:
        for row, fault in read.faults.items():
            pointer = child("/spec", target.partition(".")[2])
            self.problems.append(Problem(sheet.place, row, place, fault.code, pointer, fault.message, fault.hint))
        if not self._is_exact:
            self.assume(About.COLUMN, sheet, place, one.header, target, len(read.values))
        if place in sheet.hidden_columns:
            self.assume(About.CELLS, sheet, place, "", "hidden, and read", len(read.values))
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

    def _tell_wide(self, sheet: Sheet, rule: SheetRule, rows: Sequence[int]) -> None:
        """Lines of a text file with more cells than its header: in some of them a separator is part of a number."""
        header = sheet.widths.get(rule.header, 0)
        least = min((sheet.widths.get(row, 0) for row in rows), default=0)
        for row in rows:
            width = sheet.widths.get(row, 0)
            if width > header and (least <= header or max(sheet.rows[row]) > header):
                message = f"this line has {width} cells, and the header has {header}"
                hint = "put double quotes around a cell with a separator in it, such as a decimal comma"
                self.problems.append(Problem(sheet.place, row, 1, "wrong-type", "", message, hint))

    def _tell_above(self, sheet: Sheet, rule: SheetRule) -> None:
        for row, above in sheet.rows.items():
            texts = {cell.text for cell in above.values() if cell.text}
            if row < rule.header and len(texts) >= MIN_FOR_NOTES:
                told = Assumption(About.LEFT_OUT, sheet.name, 0, str(row), "", "above the header", len(texts))
                self.assumptions.append(told)
        if is_row_of_units(sheet.rows.get(rule.header - 1, {})):
            self._tell_units(sheet, rule, rule.header - 1)

    def _tell_units(self, sheet: Sheet, rule: SheetRule, row: int) -> None:
        """A row of units, where one of them is not that of its field."""
        fields: dict[int, tuple[Kind, Column]] = {}
        for one, name, target in columns_of(rule):
            kind, place = self.kinds.by_name.get(name), self._locate(sheet, rule, one)
            column = kind.column(target) if kind is not None else None
            if kind is not None and column is not None and place is not None:
                fields[place] = kind, column
        for place, message in find_other_units(sheet.rows[row], fields):
            hint = "write the numbers in the unit of the field"
            self.problems.append(Problem(sheet.place, row, place, "wrong-type", "", message, hint))

    def _find_rows(self, sheet: Sheet, rule: SheetRule, mapped: Sequence[int]) -> list[int]:
        """The rows that are rows of the table: without blank ones, totals, remarks and repeated headers."""
        below = [row for row in sheet.rows if row > rule.header]
        filled = {row: [at for at in mapped if not _is_nothing(sheet.cell(row, at))] for row in below}
        usual = median([len(cells) for cells in filled.values() if cells] or [0])
        headers = {at: sheet.cell(rule.header, at).text for at in mapped}
        rows: list[int] = []
        if not rule.exact:
            self._tell_above(sheet, rule)
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
            elif is_row_of_units(sheet.rows[row]):
                why = "the units of the columns"
                self._tell_units(sheet, rule, row)
            elif all(sheet.cell(row, at).text == headers[at] for at in cells):
                why = "the header again"
            elif _is_total(first) and len(cells) < usual:
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


def _find_percent_rows(column: Column, header: str, rows: Iterable[int], words: Mapping[int, str]) -> frozenset[int]:
    """The rows whose number in a column is a percentage: by its unit, the header, or the word beside it."""
    units = column.unit_choice.of if column.unit_choice is not None else {}
    if column.unit == PERCENT or (PERCENT in units.values() and says_percent(header)):
        return frozenset(rows)
    return frozenset(row for row in rows if units.get(words.get(row, "")) == PERCENT)


def _choices(sheet: SheetRule, rule: ColumnRule, *, is_given: bool) -> Choices:
    return Choices(rule.decimal, rule.dates, rule.percent, rule.words, is_given, sheet.exact)


def _is_total(first: str) -> bool:
    """Whether the first cell of a row says that it adds up the others: Max may also be somebody."""
    words = first.split()
    return first in TOTALS or (bool(words) and words[0] in TOTALS - ALSO_NAMES)


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
