"""CSV files of any spreadsheet program and settings files of MetaTrader 5, as sheets."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import TYPE_CHECKING

from reconciler.adapters.csvfile import MAX_COLUMNS, read_at_most
from reconciler.errors import NeedsHuman, TooLarge
from reconciler.importing.samples import sample_of_settings
from reconciler.importing.sheets import Cell, Sheet, Workbook, error_fault, shows_error

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.limits import Limits

MAX_BYTES, MAX_CELLS = 32 << 20, 300_000
"""Of a text file, as of the cells of a workbook."""
SEPARATORS = (";", "\t", ",", "|")
LOOKED_AT = 50
"""Lines that say what separates."""


def read_text_sheet(file: Path, limits: Limits) -> Workbook:
    """A CSV file in whatever encoding and with whatever separator, every cell as text, at the line it begins on.

    Raises `NeedsHuman` for what is none, `TooLarge` for one that brings too much.
    """
    text, encoding = decode_text(_bytes(file, limits), file)
    separator = _find_separator(text)
    rows: dict[int, dict[int, Cell]] = {}
    widths: dict[int, int] = {}
    has_begun = False
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line, count = 1, 0
    try:
        for record in reader:
            count += len(record)
            if count > MAX_CELLS:
                raise TooLarge(f"{file} has more than {MAX_CELLS:,} cells", hint="split it")
            if len(record) > MAX_COLUMNS:
                raise TooLarge(f"{file} has more than {MAX_COLUMNS:,} columns", hint="leave only those that count")
            cells = {column: _read_cell(cell.strip()) for column, cell in enumerate(record, 1) if cell.strip()}
            is_comment = len(cells) == 1 and not has_begun and record[0].startswith("#")
            if cells and not is_comment and not (line == 1 and record[0].lower().startswith("sep=")):
                if len(rows) == limits.paths:
                    hint = "split it, or raise limits.paths"
                    raise TooLarge(f"{file} has more than {limits.paths:,} rows", hint=hint)
                rows[line], widths[line] = cells, len(record)
                has_begun = has_begun or len(cells) > 1
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "a quote inside a quoted cell is written twice, and the closing one comes right before the separator"
        raise NeedsHuman(f"{file} is no CSV file: line {line}: {error}", hint=hint) from error
    if not rows:
        raise NeedsHuman(f"{file} is empty", hint="a line has to name the columns")
    sheet = Sheet(str(file), file.stem, rows, is_text=True, widths=widths)
    return Workbook(str(file), (sheet,), encoding=encoding)


def _read_cell(text: str) -> Cell:
    if len(text) > len('=""') and text.startswith('="') and text.endswith('"'):
        text = text[2:-1].strip()  # so that spreadsheet programs take 007 for a text
    return Cell(fault=error_fault(text)) if shows_error(text) else Cell(text)


def read_settings_sheet(file: Path, limits: Limits) -> Workbook:
    """A settings file as a sheet of one row: its inputs are the columns. Raises as `read_text_sheet` does."""
    text, _ = decode_text(_bytes(file, limits), file)
    sample = sample_of_settings(text, file.name, file.stem)
    names = list(sample.records[0])
    values = [_as_cell(sample.records[0][name]) for name in names]
    rows = {1: {at: Cell(name) for at, name in enumerate(names, 1)}, 2: dict(enumerate(values, 1))}
    return Workbook(str(file), (Sheet(str(file), file.stem, rows, is_text=True, is_settings=True),))


def _as_cell(value: object) -> Cell:
    return Cell(value if isinstance(value, (bool, int, float, str)) else None)


def _bytes(file: Path, limits: Limits) -> bytes:
    if limits.bytes < MAX_BYTES:
        return read_at_most(file, limits.bytes, "split it, or raise limits.yaml_mb")
    return read_at_most(file, MAX_BYTES, "split it")


def decode_text(data: bytes, file: Path) -> tuple[str, str]:
    """A text, and its encoding where that is not UTF-8 and was found by looking."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decode(data, "utf-16", file), "UTF-16"
    if b"\0" in data:
        order = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        return _decode(data, order, file), "UTF-16"
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return _decode(data, "cp1252", file), "Windows-1252"


def _decode(data: bytes, encoding: str, file: Path) -> str:
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NeedsHuman(f"{file} is no text: {error.reason}", hint="save it as `CSV UTF-8`") from error
    if "\0" in text:
        raise NeedsHuman(f"{file} is no text", hint="save it as `CSV UTF-8`")
    return text


def _find_separator(text: str) -> str:
    """What most lines have equally often, more often than the others."""
    first = text[:20].lower()
    if first.startswith("sep=") and first[4:5] not in {"", "\r", "\n", '"'}:
        return text[4]

    def score(separator: str) -> tuple[int, int]:
        records = csv.reader(io.StringIO(text[: 1 << 16], newline=""), delimiter=separator)
        counts = [len(one) for one in islice(records, LOOKED_AT) if any(one) and not one[0].startswith("# ")]
        usual = max(set(counts), key=lambda count: (count > 1, counts.count(count)), default=1)
        return (counts.count(usual) if usual > 1 else 0), usual

    return max(SEPARATORS, key=score)
