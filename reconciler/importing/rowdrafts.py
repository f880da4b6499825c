"""The rows of one sheet, put into drafts: a resource of each kind that a row tells of."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from reconciler.importing.assumptions import About, Assumption, Findings
from reconciler.importing.cells import DECIDE, resource_name, shown_unit, stated_unit
from reconciler.importing.drafts import Draft, Origin
from reconciler.importing.guessing import columns_of
from reconciler.importing.hints import NAME, NOTHING, REFS, find_word, read_hints
from reconciler.kinds.engine import matches
from reconciler.kinds.kind import STATUS_FIELD, Kind, child
from reconciler.model.change import Key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.importing.columnreader import ReadColumn
    from reconciler.importing.mapping import ColumnRule, SheetRule
    from reconciler.importing.sheets import Sheet

MANY = re.compile(r"\s*[,;/|\n+]\s*")
NAMED = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
"""What is a name already."""


class RowDrafts:
    """The rows of one sheet, put into drafts."""

    def __init__(
        self,
        reader: Findings,
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
        self._nameless: set[tuple[int, int]] = set()

    def put(self, rows: Sequence[int]) -> None:
        names = list(dict.fromkeys((self._rule.kind, *(kind for kind, _ in {**self._fields, **self._others}))))
        for kind in filter(None, map(self._kinds.by_name.get, names)):
            is_main = kind.name == self._rule.kind
            found = {row: self._name(kind, row) for row in rows}
            if is_main and (kind.name, NAME) not in self._others:
                found = self._make_names(kind, rows)
            first: dict[str, int] = {}
            for row, name in found.items():
                if name:
                    draft = self._put_row(kind, name, row, is_main=is_main)
                    if is_main and first.setdefault(name, row) != row:
                        self._tell_twice(draft, row, first[name])
                elif is_main or self._has_own(kind, row):
                    self._tell_nameless(kind, row, self._name_place(kind))
        for place, pairs in self._renamed.items():
            before, after = next(iter(pairs))
            self._reader.assume(About.CELLS, self._sheet, place, "", f"{before} → {after}", len(pairs))

        for place, texts in self._told.items():
            for text, cells in texts.items():
                self._reader.assume(About.CELLS, self._sheet, place, "", text, cells)

    def _name_place(self, kind: Kind) -> int:
        column = self._others.get((kind.name, NAME))
        return column[1] if column else 1

    def _has_own(self, kind: Kind, row: int) -> bool:
        """Whether a row tells something of a kind besides its name: it would be lost without one."""
        if (kind.name, NAME) not in self._others:
            return False
        said = (
            place for (owner, _), (_, place, read) in self._fields.items() if owner == kind.name and row in read.values
        )
        return any(not self._is_shared(place) for place in said)

    def _tell_nameless(self, kind: Kind, row: int, place: int) -> None:
        if (row, place) in self._nameless:
            return
        if self._sheet.cell(row, place).fault:
            self._tell_fault(row, place, "/metadata/name")
            return
        self._nameless.add((row, place))
        text = self._sheet.cell(row, place).text if (kind.name, NAME) in self._others or place > 1 else ""
        message = f"this row has no name: what the {kind.name.lower()} is called"
        hint = "name it, or delete the row"
        if text and text.lower() not in NOTHING:
            message = f"no name can be made of {text!r}: what the {kind.name.lower()} is called"
            hint = "names have Latin letters and digits: write it with them"
        origin = Origin(self._sheet, row, place)
        self._reader.problems.append(origin.problem("missing-field", "/metadata/name", message, hint))

    def _tell_fault(self, row: int, place: int, pointer: str) -> None:
        """A cell of a name, reference or label that shows an error."""
        if (row, place) not in self._nameless:
            self._nameless.add((row, place))
            fault, hint = self._sheet.cell(row, place).fault, "write the value itself"
            self._reader.problems.append(Origin(self._sheet, row, place).problem("wrong-type", pointer, fault, hint))

    def _tell_twice(self, draft: Draft, row: int, first: int) -> None:
        """Two rows of one name, where no contradiction tells of it."""
        place = self._name_place(draft.kind)
        if any((one.path, one.line) == (self._sheet.place, row) for one in draft.problems):
            return
        other = self._sheet.address(first, place)
        message = f"{draft.kind.name} {draft.name} is also in {other}"
        origin = Origin(self._sheet, row, place)
        hint = "delete one of the rows, or give them two names"
        self._reader.problems.append(origin.problem("duplicate-name", "/metadata/name", message, hint))

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

    def _put_row(self, kind: Kind, name: str, row: int, *, is_main: bool) -> Draft:
        draft = self._drafts.find(kind, name, Origin(self._sheet, row, self._name_place(kind)))
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
        return draft

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
        if cell.fault:
            self._tell_fault(row, place, f"/metadata/{target.replace('.', '/', 1)}")
            return
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
            for field, look in read_hints(other).looks.items():
                if matches(look, text):
                    self._drafts.tell(Key(other.name, named[0]), field, text.rstrip("\\/"), origin)
        found = [one for one in named if one]
        if len(found) < len(named) and other is not None and any(one.lower() not in NOTHING for one in texts if one):
            self._tell_nameless(other, row, place)
        if found:
            draft.put(f"/metadata/refs/{key}", [*found] if reference.many else found[0], origin)
