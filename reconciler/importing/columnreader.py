"""What becomes of the cells of one column: values, faults, notes of what was changed, and questions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.importing.amounts import SERIAL_START
from reconciler.importing.tables import CellError
from reconciler.kinds.engine import compile_schema
from reconciler.kinds.references import resolve_refs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.canonical import Value
    from reconciler.importing.hints import Hints
    from reconciler.kinds.kind import Column, Kind


class Note(Struct, frozen=True):
    """What was made of some cells: in words, with the first of them as an example, and of how many."""

    text: str
    example: str
    cells: int


class Question(Struct, frozen=True):
    """What the cells of a column leave open: the key of the mapping that decides it, and what may stand there.

    `rows` are those of the cells that it is about, `text` what the first of them is.
    """

    key: str
    text: str
    choices: Mapping[str, str]
    rows: tuple[int, ...]


class Choices(Struct, frozen=True):
    """What a mapping says of a column's cells, empty where it says nothing, and what the rest of the sheet does.

    `in_percent` has the rows whose bare numbers are percent, `day_zero` is the day from which numbers count days.
    """

    decimal: str = ""
    dates: str = ""
    percent: str = ""
    words: Mapping[str, str] = {}
    is_given: bool = False
    is_exact: bool = False
    in_percent: frozenset[int] = frozenset()
    day_zero: date = SERIAL_START


class ReadColumn(Struct, frozen=True):
    """The values of a column by row, what is wrong with other cells, what was changed, and what is still open.

    `units` has the word that stood with a number. `chosen` is what was decided, for the mapping.
    """

    values: Mapping[int, Value]
    faults: Mapping[int, CellError]
    notes: tuple[Note, ...] = ()
    questions: tuple[Question, ...] = ()
    units: Mapping[int, str] = {}
    chosen: Mapping[str, str] = {}


class ColumnReader:
    """Collects what becomes of the cells of one column."""

    def __init__(self, kind: Kind, column: Column, hints: Hints, choices: Choices) -> None:
        self.kind, self.column, self.hints, self.choices = kind, column, hints, choices
        self.values: dict[int, Value] = {}
        self.faults: dict[int, CellError] = {}
        self.units: dict[int, str] = {}
        self.questions: list[Question] = []
        self.chosen: dict[str, str] = {}
        field = kind.schema["properties"]["spec"]["properties"][column.name]
        self.field = compile_schema(resolve_refs(kind.schema, field))
        self._notes: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def note(self, text: str, before: str, after: Value) -> None:
        self._notes[text] += 1
        self._examples.setdefault(text, f"{before} → {canonical.text(after)}")

    def result(self) -> ReadColumn:
        notes = tuple(Note(text, self._examples[text], cells) for text, cells in self._notes.items())
        return ReadColumn(self.values, self.faults, notes, tuple(self.questions), self.units, self.chosen)

    def keep(self, row: int, value: Value | CellError) -> None:
        if isinstance(value, CellError):
            self.faults[row] = value
        elif value is not None:
            self.values[row] = value
