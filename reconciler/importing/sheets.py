"""A spreadsheet as it was read: sheets of cells, before anybody knows what a column means."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from reconciler.importing.amounts import SERIAL_START
from reconciler.importing.numberformats import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Content: TypeAlias = "bool | int | float | str | date | datetime | time | None"


class Cell(Struct, frozen=True):
    """What a cell holds. `percent`: it is shown as a percentage, so 0.005 is 0.5 %.

    `formula` is the text of the formula that the value comes from. `fault` says why there is no value to read. `shown`
    is what stands around a number that is shown with more, the number being 7: `7 lots`.
    """

    value: Content = None
    percent: bool = False
    formula: str = ""
    fault: str = ""
    shown: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.fault

    @property
    def text(self) -> str:
        """The value as a text, as people see it: whole numbers without a point."""
        value = self.value
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE:
            return str(int(value))
        if isinstance(value, datetime) and value.time() == time():
            return value.date().isoformat()
        if isinstance(value, (date, time)):
            return value.isoformat()
        return " ".join(str(value).split())


_ERRORS = re.compile(
    r"#(?:N/?[ADV]|GETTING_DATA|[^\s#]*[!?]|##+)|(?:Err|Fehler|Erreur|Errore|Error)\s?:\s?\d{3}", re.IGNORECASE
)


def shows_error(text: str) -> bool:
    """Whether a text is what a spreadsheet program shows in place of a result: `#N/A`, `#DIV/0!`, `Err:502`, `###`."""
    return _ERRORS.fullmatch(text) is not None


def error_fault(text: str) -> str:
    return f"the cell shows the error {text}"


def shown_text(cell: Cell) -> str:
    """The text of a cell with what its format shows around a number."""
    return cell.shown.replace(NUMBER, cell.text, 1) if cell.shown else cell.text


MAX_WHOLE = 1e15
"""Below this a float shows all digits of a whole number."""
EMPTY = Cell()


class Sheet(Struct, frozen=True):
    """The cells of one sheet that are not empty, by row and column, both from 1.

    `place` is the file's path with the sheet's name: `desk.xlsx:Accounts`. `widths` has for
    each row of a text file how many cells it has there, with the empty ones. `day_zero` is the day from which its
    numbers count the days. `hidden_rows` and `hidden_columns` are not shown, `struck_rows` struck
    out, and read all the same.
    """

    place: str
    name: str
    rows: Mapping[int, Mapping[int, Cell]]
    is_text: bool = False
    is_settings: bool = False
    widths: Mapping[int, int] = {}
    day_zero: date = SERIAL_START
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    struck_rows: frozenset[int] = frozenset()

    def cell(self, row: int, column: int) -> Cell:
        return self.rows.get(row, {}).get(column, EMPTY)

    def column(self, column: int, after: int) -> Iterator[tuple[int, Cell]]:
        """The cells of a column that are not empty, below a row, with their rows."""
        for row, cells in self.rows.items():
            if row > after and column in cells:
                yield row, cells[column]

    def address(self, row: int, column: int) -> str:
        """`Accounts!C12`; of text files `C12`."""
        prefix = "" if self.is_text else f"{self.name}!"
        return f"{prefix}{letters(column)}{row}"


class Workbook(Struct, frozen=True):
    """The sheets of one file. `mapping` is the text of the mapping that it brings; `notes` is what was left out.

    `encoding` is that of a text which is not UTF-8, as far as looking at it tells.
    """

    file: str
    sheets: tuple[Sheet, ...]
    mapping: str = ""
    notes: tuple[str, ...] = ()
    encoding: str = ""


def letters(column: int) -> str:
    """`A` of 1, `AA` of 27."""
    text = ""
    while column:
        column, left = divmod(column - 1, 26)
        text = chr(ord("A") + left) + text
    return text


def column_number(text: str) -> int:
    """1 of `A`, 27 of `AA`. Raises `ValueError`."""
    number = 0
    for letter in text.upper():
        if not "A" <= letter <= "Z":
            raise ValueError(text)
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


MAPPING_SHEET = "reconciler"
"""The hidden sheet of an exported workbook that holds its mapping."""
