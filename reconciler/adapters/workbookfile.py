"""Workbooks of spreadsheet programs (.xlsx, .xlsm): read within limits, and written."""

from __future__ import annotations

import re
import warnings
import zipfile
from datetime import date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING, Any

from openpyxl import Workbook as NewWorkbook
from openpyxl import load_workbook
from openpyxl.cell.cell import MergedCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils.datetime import WINDOWS_EPOCH
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from reconciler.errors import NeedsHuman, TooLarge
from reconciler.importing.amounts import SERIAL_START
from reconciler.importing.numberformats import show_around
from reconciler.importing.sheets import (
    MAPPING_SHEET,
    Cell,
    Sheet,
    Workbook,
    column_number,
    error_fault,
    letters,
    shows_error,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.importing.exporting import OutSheet
    from reconciler.model.limits import Limits

MAX_FILE, MAX_UNPACKED, MAX_PARTS = 16 << 20, 128 << 20, 2_000
"""Bytes of a workbook, bytes of all that is packed in it, and files in there."""
MAX_CELLS, MAX_MERGED, MAX_SHEETS = 300_000, 300_000, 200
"""Cells of a workbook, cells under merged ones, and sheets. A cell takes half a kilobyte of memory."""
PIECE = 1 << 20
OVERLAP = 300
"""Bytes of a part that are looked at twice, so that no mark is cut in two."""
WIDEST = 60

_CELL = re.compile(rb"<(?:\w+:)?c[ />]")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]{0,200}?ref\s*=\s*[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})")
_MARKS = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_SAVE_AS = "save it as an Excel workbook (.xlsx), without a password"


def read_workbook(file: Path, limits: Limits) -> Workbook:
    """The visible sheets of a workbook. Raises `NeedsHuman` for what is none, `TooLarge` for one that brings too much.

    What formulas and merged cells show is what counts: a cell under a merged one has its value.
    """
    try:
        _check(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a workbook has besides cells, such as extensions
            formulas = load_workbook(file, keep_links=False)
            has_formulas = any(cell.data_type == "f" for sheet in formulas.worksheets for cell in _cells(sheet))
            values = load_workbook(file, data_only=True, keep_links=False) if has_formulas else formulas
    except OSError as error:
        why = error.strerror or str(error)
        raise NeedsHuman(f"cannot read {file}: {why}", hint="see that you may read it") from error
    except (
        zipfile.BadZipFile,
        InvalidFileException,
        KeyError,
        ValueError,
        TypeError,
        SyntaxError,
        AttributeError,
    ) as error:
        raise NeedsHuman(f"{file} is damaged, or no Excel workbook: {error}", hint=_SAVE_AS) from error
    sheets: list[Sheet] = []
    notes: list[str] = []
    mapping = ""
    notes += [f"the sheet {sheet.title}" for sheet in formulas.worksheets[MAX_SHEETS:]]
    for sheet in formulas.worksheets[:MAX_SHEETS]:
        shown = values[sheet.title]
        if sheet.title == MAPPING_SHEET:
            mapping = "\n".join(str(cell.value or "") for cell in _cells(sheet))
        elif sheet.sheet_state != "visible":
            notes.append(f"the hidden sheet {sheet.title}")
        elif isinstance(shown, Worksheet):
            sheets.append(_read_sheet(file, sheet, shown, limits))
    return Workbook(str(file), tuple(sheets), mapping, tuple(notes))


def _check(file: Path) -> None:
    """Look at a workbook before it is read: nothing in it may stand for more than it is."""
    if file.stat().st_size > MAX_FILE:
        raise TooLarge(f"{file} is larger than {MAX_FILE >> 20} MB", hint="split it")
    with file.open("rb") as stream:
        if stream.read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            raise NeedsHuman(f"{file} is protected by a password, or of an Excel before 2007", hint=_SAVE_AS)
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
            raise TooLarge(f"{file} holds more than {MAX_UNPACKED >> 20} MB", hint="split it")
        cells = merged = unpacked = 0
        for part in parts:
            if not part.filename.lower().endswith((".xml", ".rels")):
                continue
            with archive.open(part) as stream:
                for piece, is_new in _pieces(stream):
                    unpacked += PIECE
                    if b"\0" in piece or _MARKS.search(piece) or unpacked > MAX_UNPACKED + PIECE * MAX_PARTS:
                        raise NeedsHuman(
                            f"{file} has a part that no spreadsheet program writes: {part.filename}", hint=_SAVE_AS
                        )
                    cells += sum(1 for found in _CELL.finditer(piece) if found.start() >= is_new)
                    merged += sum(
                        _area(*found.groups()) for found in _MERGED.finditer(piece) if found.start() >= is_new
                    )
                    if cells > MAX_CELLS:
                        raise TooLarge(f"{file} has more than {MAX_CELLS:,} cells", hint="split it")
                    if merged > MAX_MERGED:
                        raise TooLarge(f"{file} has more than {MAX_MERGED:,} merged cells", hint="split them")


def _pieces(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """A part in pieces, each with the end of the one before, and where in it that ends."""
    before = b""
    while piece := stream.read(PIECE):
        yield before + piece, max(0, len(before) - OVERLAP // 2)
        before = (before + piece)[-OVERLAP:]


def _area(left: bytes, top: bytes, right: bytes, bottom: bytes) -> int:
    width = abs(column_number(right.decode()) - column_number(left.decode())) + 1
    return width * (abs(int(bottom) - int(top)) + 1)


def _cells(sheet: Any) -> Iterator[Any]:
    """The cells that a sheet has, in order: its rows and columns may count millions."""
    return (sheet._cells[place] for place in sorted(sheet._cells))


def _read_sheet(file: Path, sheet: Any, shown: Any, limits: Limits) -> Sheet:
    rows: dict[int, dict[int, Cell]] = {}
    is_exported = MAPPING_SHEET in sheet.parent.sheetnames
    for cell in _cells(sheet):
        if isinstance(cell, MergedCell):
            continue
        read = _read_cell(cell, shown._cells.get((cell.row, cell.column), cell), is_exported=is_exported)
        if not read.is_empty or read.formula:
            rows.setdefault(cell.row, {})[cell.column] = read
    for area in sheet.merged_cells.ranges:
        _spread(rows, area)
    if len(rows) > limits.paths:
        raise TooLarge(f"{file} has more than {limits.paths:,} rows", hint="split it, or raise limits.paths")
    ordered = {row: dict(sorted(rows[row].items())) for row in sorted(rows)}
    epoch: datetime = sheet.parent.epoch
    day_zero = SERIAL_START if epoch == WINDOWS_EPOCH else epoch.date()
    hidden_rows = frozenset(row for row, one in sheet.row_dimensions.items() if one.hidden and row in rows)
    hidden_columns = frozenset(
        column for one in sheet.column_dimensions.values() if one.hidden for column in range(one.min, one.max + 1)
    )
    struck = {at for at, font in enumerate(sheet.parent._fonts) if font.strike}
    struck_rows = frozenset(
        row for row, cells in ordered.items() if _font(sheet._cells.get((row, next(iter(cells))))) in struck
    )
    return Sheet(
        f"{file}:{sheet.title}",
        sheet.title,
        ordered,
        day_zero=day_zero,
        hidden_rows=hidden_rows,
        hidden_columns=hidden_columns,
        struck_rows=struck_rows,
    )


def _font(cell: Any) -> int | None:
    """The number of a cell's font in its workbook."""
    return cell._style.fontId if cell is not None and cell.has_style else None


def _spread(rows: dict[int, dict[int, Cell]], area: Any) -> None:
    """Give each row of a merged cell its value, in rows that have more cells: others hold a title or a remark.

    Of which of several columns it is, nobody can say: it is that of the first, and the others have no value.
    """
    top = rows.get(area.min_row, {}).get(area.min_col)
    if top is None:
        return
    across = range(area.min_col + 1, area.max_col + 1)
    place = f"{letters(area.min_col)}{area.min_row}"
    for row in range(area.min_row, area.max_row + 1):
        cells = rows.get(row, {})
        if any(not area.min_col <= column <= area.max_col for column in cells):
            cells[area.min_col] = top
            cells |= {column: Cell(fault=f"the cell is merged with {place}") for column in across}


def _read_cell(cell: Any, shown: Any, *, is_exported: bool) -> Cell:
    """A cell; in a workbook of `export` a text is that text, whatever it looks like."""
    formula = ""
    value = cell.value
    if cell.data_type == "f":
        formula, value = str(getattr(value, "text", value)), shown.value
        if value is None and shown.data_type == "str":
            return Cell(formula=formula)  # IF(…; "") shows an empty text
        if value is None:
            hint = "open the workbook in a spreadsheet program and save it"
            return Cell(formula=formula, fault=f"the formula {formula[:40]} has no stored result: {hint}")
    if shown.data_type == "e" or (not is_exported and isinstance(value, str) and shows_error(value.strip())):
        return Cell(formula=formula, fault=error_fault(str(value)))
    if isinstance(value, timedelta):
        whole = value.total_seconds()
        value = time(*_clock(int(whole))) if 0 <= whole < timedelta(days=1).total_seconds() else str(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        around, is_percent = show_around(str(cell.number_format or ""), value)
        return Cell(value, is_percent, formula, shown=around)
    if isinstance(value, (bool, str, date, datetime, time)):
        return Cell(value, formula=formula)
    return Cell(None if value is None else str(value), formula=formula)


def _clock(seconds: int) -> tuple[int, int, int]:
    return seconds // 3600, seconds // 60 % 60, seconds % 60


HEAD = PatternFill("solid", start_color="FFE8EEF5")


def write_workbook(file: Path, sheets: Mapping[str, OutSheet], mapping: str) -> None:
    """Write sheets with a frozen header each, and the mapping into a hidden one.

    Texts are written as texts: no program takes one that begins with = + - or @ for a formula.
    """
    book = NewWorkbook()
    book.remove(book.worksheets[0])
    for title, out in sheets.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "B2"
        for column, header in enumerate(out.headers, 1):
            _write(sheet, 1, column, header)
            cell = sheet.cell(1, column)
            cell.font, cell.fill, cell.alignment = Font(bold=True), HEAD, Alignment(wrap_text=True, vertical="top")
            longest = max([len(header), *(len(str(row[column - 1] or "")) for row in out.rows)])
            sheet.column_dimensions[letters(column)].width = min(longest, WIDEST) + 2
        for number, row in enumerate(out.rows, 2):
            for column, value in enumerate(row, 1):
                _write(sheet, number, column, value)
        if out.rows:
            sheet.auto_filter.ref = f"A1:{letters(len(out.headers))}{len(out.rows) + 1}"
    hidden = book.create_sheet(MAPPING_SHEET)
    hidden.sheet_state = "hidden"
    for number, line in enumerate(mapping.splitlines(), 1):
        _write(hidden, number, 1, line)
    book.save(file)


def _write(sheet: Any, row: int, column: int, value: bool | float | str | None) -> None:
    if value is None:
        return
    cell = sheet.cell(row, column)
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"
        cell.number_format = "@"
        cell.quotePrefix = value[:1] in {"=", "+", "-", "@"}
