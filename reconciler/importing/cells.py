"""The cells of one column to the values of a field, decided by the column as a whole."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.importing.amounts import (
    COMMA,
    POINT,
    Amount,
    read_amount,
)
from reconciler.importing.columnreader import Choices, ColumnReader, Question, ReadColumn
from reconciler.importing.datecells import read_date_cells
from reconciler.importing.hints import (
    NEGATIVE,
    NOTHING,
    POSITIVE,
    field_format,
    find_word,
    plain,
    says_percent,
    takes_money,
)
from reconciler.importing.numberformats import NUMBER
from reconciler.importing.sheets import shown_text
from reconciler.importing.tables import CellError, convert_cell
from reconciler.kinds.engine import matches
from reconciler.kinds.kind import NUMBERS, SqlType
from reconciler.values import replace
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.importing.hints import Hints
    from reconciler.importing.sheets import Cell
    from reconciler.kinds.kind import Column, Kind

AMBIGUOUS = "ambiguous-cell"
PERCENT, FRACTION = "percent", "fraction"
HUNDRED = 100
SMALL = Decimal("0.1")
"""Percentages below this, with no sign at any of them, may be fractions of 1."""
EXCEL_DIGITS = 15
"""Digits that a formula's result is good for."""
DECIDE = "?"
"""In a mapping: what nobody has decided yet."""

_UNITS: Mapping[str, tuple[str, ...]] = {
    "percent": ("%", "pct", "prozent"),
    "s": ("sec", "secs", "second", "seconds", "sek", "sekunden"),
    "MB": ("mb", "mib", "megabyte", "megabytes"),
    "pips": ("pip",),
    "lots": ("lot",),
    "per lot": ("/lot", "/ lot", "/lots", "lot", "rt", "/lot rt", "per lot rt", "per round turn", "round turn"),
    "trades": ("trade",),
    "orders": ("order",),
}
_LONGER: Mapping[str, Mapping[str, int]] = {
    "s": {"min": 60, "mins": 60, "minutes": 60, "m": 60, "h": 3600, "hour": 3600, "hours": 3600, "std": 3600}
    | {"d": 86400, "day": 86400, "days": 86400}
}
"""Units that stand for many of a field's own."""


def read_column(
    kind: Kind, column: Column, hints: Hints, choices: Choices, cells: Sequence[tuple[int, Cell]]
) -> ReadColumn:
    """The values of a field, from the cells of its column with their rows."""
    reader = ColumnReader(kind, column, hints, choices)
    good: list[tuple[int, Cell]] = []
    for row, cell in cells:
        if cell.fault:
            reader.faults[row] = CellError("wrong-type", cell.fault, "write the value itself")
        elif not cell.is_empty and (choices.is_exact or cell.text in column.enum or cell.text.lower() not in NOTHING):
            good.append((row, cell))
        elif not cell.is_empty:
            reader.note("no value", cell.text, "no value")
    if column.type in NUMBERS:
        _read_numbers(reader, good)
    elif field_format(kind, column.name) in {"date", "date-time"}:
        read_date_cells(reader, good)
    else:
        read = _read_enum if column.enum else _READERS.get(column.type, _read_text)
        for row, cell in good:
            reader.keep(row, read(reader, cell))
    return reader.result()


def _read_numbers(reader: ColumnReader, cells: Sequence[tuple[int, Cell]]) -> None:
    amounts: dict[int, tuple[Cell, Amount]] = {}
    for row, cell in cells:
        amount = _amount(reader, cell)
        if isinstance(amount, CellError):
            reader.faults[row] = amount
        else:
            amounts[row] = (cell, amount)
    sign = _decide_sign(reader, {row: amount for row, (_, amount) in amounts.items()})
    found: dict[int, Decimal] = {}
    for row, (_, amount) in amounts.items():
        if amount.is_ambiguous and not sign:
            continue
        value = amount.values[sign] if amount.is_ambiguous else next(iter(amount.values.values()))
        found[row] = value * _factor(reader, amount)
    bare = {row: found[row] for row in found.keys() & reader.choices.in_percent if not _is_percent(*amounts[row])}
    scale = _decide_percent(reader, bare, {row: amounts[row][0].text for row in bare})
    for row, value in found.items():
        cell, amount = amounts[row]
        if row not in bare:
            reader.keep(row, _number(reader, cell, amount, value))
        elif scale is not None:
            reader.keep(row, _number(reader, cell, amount, value * scale))


def _amount(reader: ColumnReader, cell: Cell) -> Amount | CellError:
    """The number in a cell, as far as the cell alone says."""
    value, name = cell.value, reader.column.name
    if isinstance(value, time) and name in reader.hints.ratios and (value.hour, value.second) == (1, 0):
        return Amount({"": Decimal(value.minute)}, is_ratio=True)  # 1:30 as Excel takes it: half past one
    if isinstance(value, (date, time)):
        hint = "a spreadsheet takes 1.5 or 1:30 for one: format the cell as text, and write the number again"
        return CellError("wrong-type", f"the cell holds the date or time {cell.text}, and no number", hint)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _stored(reader, cell, value)
    return _fitting(reader, cell.text, read_amount(cell.text))


def _fitting(reader: ColumnReader, text: str, amount: Amount | None) -> Amount | CellError:
    """An amount written as text, if the field can have its unit."""
    name = reader.column.name
    if amount is None:
        return CellError("wrong-type", f"{text!r} is no number", reader.column.description)
    if amount.is_ratio and name not in reader.hints.ratios:
        return CellError("wrong-type", f"{text!r} is a ratio, and no number", reader.column.description)
    if amount.is_money and not takes_money(reader.column, reader.hints):
        unit = f"is in {reader.column.unit}" if reader.column.unit else "is a ratio"
        return CellError("wrong-type", f"{text!r} is money, and {name} {unit}", reader.column.description)
    if amount.unit and not _fits(reader, amount.unit):
        unit = f"is in {reader.column.unit}" if reader.column.unit else "has no unit"
        return CellError("wrong-type", f"{text!r} is in {amount.unit!r}, and {name} {unit}")
    return amount


def _stored(reader: ColumnReader, cell: Cell, value: float) -> Amount | CellError:
    exact = Decimal(repr(value))
    if not exact.is_finite():
        return CellError("not-finite", f"{cell.text} is not a finite number")
    if cell.formula and isinstance(value, float):
        exact = Decimal(f"{value:.{EXCEL_DIGITS}g}")
    if cell.shown:
        around = _fitting(reader, shown_text(cell), read_amount(cell.shown))
        return around if isinstance(around, CellError) else replace(around, values={"": exact})
    if not cell.percent:
        return Amount({"": exact})
    if "percent" not in reader.column.unit:
        unit = reader.column.unit or "no percentage"
        return CellError("wrong-type", f"the cell shows a percentage, and {reader.column.name} is {unit}")
    return Amount({"": Decimal(f"{exact * HUNDRED:.{EXCEL_DIGITS}g}")}, "%")


def _fits(reader: ColumnReader, unit: str) -> bool:
    own = reader.column.unit
    if reader.column.unit_choice is not None:
        return any(unit in _spellings(one) for one in reader.column.unit_choice.of.values())
    if unit == "x":
        return reader.column.name in reader.hints.ratios
    return unit in _spellings(own) or unit in _LONGER.get(own, {})


def _spellings(unit: str) -> tuple[str, ...]:
    return (unit.lower(), *_UNITS.get(unit, ()))


def is_own_unit(kind: Kind, column: Column, hints: Hints, unit: str) -> bool:
    """Whether a unit is the one that bare numbers of a field are in.

    Where another column says the unit, percent is not: that column has to say it.
    """
    if column.unit_choice is not None and unit.lower() in _spellings(PERCENT):
        return False
    reader = ColumnReader(kind, column, hints, Choices())
    amount = _fitting(reader, unit, read_amount(f"{NUMBER} {unit}"))
    return not isinstance(amount, CellError) and _factor(reader, amount) == 1


def _decide_sign(reader: ColumnReader, amounts: Mapping[int, Amount]) -> str:
    """The decimal sign of the texts that leave it open; empty where nothing decides."""
    open_rows = [row for row, amount in amounts.items() if amount.is_ambiguous]
    if not open_rows:
        return ""
    if reader.choices.decimal in {POINT, COMMA}:
        return reader.choices.decimal
    if not reader.choices.is_given:
        proofs = {amount.sign for amount in amounts.values()} - {""}
        ways = proofs if len(proofs) == 1 else _possible_signs(reader, amounts, open_rows) if not proofs else set()
        if len(ways) == 1:
            sign = ways.pop()
            reader.chosen["decimal"] = sign
            return sign
    first = amounts[open_rows[0]]
    choices = {sign: canonical.text(float(value)) for sign, value in sorted(first.values.items(), reverse=True)}
    meant = " or ".join(choices.values())
    reader.questions.append(Question("decimal", f"may be {meant}", choices, tuple(open_rows)))
    return ""


def _possible_signs(reader: ColumnReader, amounts: Mapping[int, Amount], rows: Sequence[int]) -> set[str]:
    """The signs under which all values are such as the field may have; more than one where that is no proof.

    Nobody writes 5 as 5,000: where only such a fraction is in range, the thousands are more likely an error.
    """

    def is_possible(row: int, sign: str) -> bool:
        return reader.column.holds(float(amounts[row].values[sign] * _factor(reader, amounts[row])))

    def has_no_fraction(row: int, sign: str) -> bool:
        value = amounts[row].values[sign]
        return value == min(amounts[row].values.values(), key=abs) and value == value.to_integral_value()

    signs = {sign for sign in (POINT, COMMA) if all(is_possible(row, sign) for row in rows)}
    is_doubtful = any(has_no_fraction(row, sign) for row in rows for sign in signs)
    return {POINT, COMMA} if is_doubtful else signs


def _factor(reader: ColumnReader, amount: Amount) -> int:
    """How many of the field's unit the unit of an amount is."""
    return _LONGER.get(reader.column.unit, {}).get(amount.unit, 1)


def _is_percent(cell: Cell, amount: Amount) -> bool:
    return cell.percent or amount.unit in _spellings("percent")


def _decide_percent(reader: ColumnReader, bare: Mapping[int, Decimal], texts: Mapping[int, str]) -> Decimal | None:
    """By what bare numbers are multiplied to be percent: 1 or 100. None where nothing decides."""
    if not bare:
        return Decimal(1)
    if reader.choices.percent in {PERCENT, FRACTION}:
        return Decimal(1 if reader.choices.percent == PERCENT else HUNDRED)
    least, most = min(bare.values()), max(bare.values())
    if reader.choices.is_exact or most == 0 or least < 0:
        return Decimal(1)
    if most > 1 or least >= SMALL:
        reader.chosen["percent"] = PERCENT
        return Decimal(1)
    row = min(sorted(bare), key=bare.__getitem__)
    choices = {PERCENT: f"{texts[row]} %", FRACTION: f"{bare[row] * HUNDRED:f}".rstrip("0").rstrip(".") + " %"}
    told = f"may be {choices[PERCENT]} or, as a fraction of 1, {choices[FRACTION]}"
    reader.questions.append(Question("percent", told, choices, (row, *(one for one in sorted(bare) if one != row))))
    return None


def _number(reader: ColumnReader, cell: Cell, amount: Amount, value: Decimal) -> Value | CellError:
    column = reader.column
    converted = convert_cell(column, f"{value:f}")
    if isinstance(converted, CellError):
        return CellError(converted.code, f"{cell.text!r}: {converted.message}", converted.hint)
    text = shown_text(cell)
    if amount.is_ratio:
        reader.note("a ratio to its number", text, converted)
    elif cell.percent:
        reader.note("shown as percentage", f"{text} shown as {canonical.text(converted)} %", converted)
    elif amount.unit:
        reader.note(f"{amount.unit} taken off", text, converted)
    elif isinstance(cell.value, str) and text != canonical.text(converted):
        plain_text = re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", text) is not None and not amount.is_ambiguous
        if not plain_text:
            reader.note("written as a number", text, converted)
    elif not isinstance(cell.value, str) and value != Decimal(repr(cell.value)):
        reader.note("fractions of 1 to percent", text, converted)
    return converted


def _read_enum(reader: ColumnReader, cell: Cell) -> Value | CellError:
    text = cell.text
    given = reader.choices.words.get(text)
    word = given or find_word(reader.column, reader.hints, text)
    if word is None:
        hint = "or say in the mapping, under words, which of them it is"
        message = f"{text!r} is none of {list_words(reader.column.enum)}"
        return CellError("not-allowed", message, hint)
    if word != text:
        reader.note("words of the field", text, word)
    return word


def _read_boolean(reader: ColumnReader, cell: Cell) -> Value | CellError:
    if isinstance(cell.value, bool):
        return cell.value
    shape = plain(cell.text)
    if shape in POSITIVE or shape in NEGATIVE:
        value = shape in POSITIVE
        reader.note("yes and no", cell.text, value)
        return value
    return CellError("wrong-type", f"{cell.text!r} is neither true nor false", "write true or false")


def _read_json(reader: ColumnReader, cell: Cell) -> Value | CellError:
    return convert_cell(reader.column, cell.value if isinstance(cell.value, str) else cell.text)


def _read_uuid(reader: ColumnReader, cell: Cell) -> Value | CellError:
    return cell.text.strip("{}").lower()


def _read_text(reader: ColumnReader, cell: Cell) -> Value | CellError:
    text = str(cell.value) if isinstance(cell.value, str) else cell.text
    if reader.choices.is_exact:
        return text
    for candidate in _spelled(reader, text):
        if _is_good(reader, candidate):
            if candidate != text:
                reader.note("written as the field has it", text, candidate)
            return candidate
    return text.strip()


def _spelled(reader: ColumnReader, text: str) -> Iterator[str]:
    """A text as it is, then as it may have been meant where it is not possible."""
    yield text
    bare = text.strip().strip("'\"").strip()
    yield bare
    yield bare.rstrip("\\/")
    if reader.column.name in reader.hints.looks:
        joined = "".join(bare.split()).replace("/", "")
        yield joined
        yield _LETTERS_FIRST.sub(lambda letters: letters[0].upper(), joined)
        yield joined.upper()


def _is_good(reader: ColumnReader, text: str) -> bool:
    look = reader.hints.looks.get(reader.column.name)
    return (look is None or matches(look, text)) and reader.field.is_valid(text)


_LETTERS_FIRST = re.compile(r"^[a-z]+(?![a-zA-Z])")
"""Of `eurusd.r`: what a broker adds to a symbol counts as it is written."""

_READERS: Mapping[SqlType, Callable[[ColumnReader, Cell], Value | CellError]] = {
    SqlType.BOOLEAN: _read_boolean,
    SqlType.JSON: _read_json,
    SqlType.UUID: _read_uuid,
}

_NOT_IN_NAMES = re.compile(r"[^a-z0-9.]+")
MAX_NAME = 63
_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae", "å": "a", "ł": "l"})


def resource_name(text: str) -> str:
    """The name of a resource from what people call it: `FX Majors #1` is `fx-majors-1`; empty where nothing is left."""
    lower = unicodedata.normalize("NFC", text).lower().translate(_LETTERS)
    ascii_only = unicodedata.normalize("NFKD", lower).encode("ascii", "ignore").decode()
    return _NOT_IN_NAMES.sub("-", ascii_only).strip("-.")[:MAX_NAME].strip("-.")


def shown_unit(header: str, cell: Cell) -> tuple[str, ...]:
    """The words that may say in which unit a number is: with the number, else in the header from its end."""
    stated = stated_unit(header, cell)
    return (stated,) if stated else tuple(reversed(plain(header).split()))


def stated_unit(header: str, cell: Cell) -> str:
    """The unit that stands with a number, or the percent sign of its header; empty without one."""
    if cell.percent:
        return "%"
    amount = read_amount(cell.text if isinstance(cell.value, str) else cell.shown)
    if amount is not None and amount.unit:
        return amount.unit
    return "%" if says_percent(header) else ""
