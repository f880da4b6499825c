"""Rows of a CSV file (RFC 4180), as text: nothing guesses at types, so nothing can guess wrong."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, TooLarge
from reconciler.importing.tables import RawTable
from reconciler.kinds.kind import SqlType
from reconciler.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.kinds.kind import Column, Kind

SEPARATORS = (",", ";", "\t")
"""The header's most frequent one separates: spreadsheets write the second where the comma is the decimal sign."""

_LEADING = re.compile(r"(?:(?:[ \t]*|#[^\r\n]*|sep=.)(?:\r\n|[\r\n]))+")
"""Lines above the header: blank ones, comments, and what tells Excel the separator."""
_LINE = re.compile(r"[^\r\n]*")

MAX_COLUMNS, MAX_CELLS = 1_000, 10_000_000
"""Columns of a file, and cells: one that is empty takes a byte there, and eight here."""


def read_csv(file: Path, kind: Kind, limits: Limits) -> RawTable:
    """The records of a UTF-8 file (with or without byte order mark, any line ends) whose first line names the columns.

    Comments (#) and blank lines may stand above that line.

    A CSV file cannot tell nothing from empty text. An empty cell is nothing, except in a column that must hold text and
    not just one of some words. Raises `NeedsHuman` for what is no such file, `TooLarge` for one that brings more than
    a commit may.
    """
    columns, records = _open(file, limits)
    texts = {column.name.lower() for column in kind.columns if _may_be_empty(column)}
    kept = {position for position, name in enumerate(columns) if name.strip().lower() in texts}
    rows: dict[int, list[str | None]] = {}
    for line, cells in records:
        if any(cells):
            rows[line] = [cell if cell or position in kept else None for position, cell in enumerate(cells)]
        if len(rows) > limits.paths:
            hint = "split it, or raise limits.paths"
            raise TooLarge(f"{file} has more than {limits.paths:,} rows", hint=hint)
    return RawTable(str(file), kind, columns, rows)


def read_cells(file: Path) -> tuple[list[str], list[list[str]]]:
    """The columns of such a file, and its records that are not empty, as they are written."""
    columns, records = _open(file, Limits())
    return columns, [cells for _, cells in records if any(cells)]


def _open(file: Path, limits: Limits) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    text = _text(file, limits)
    skipped = _LEADING.match(text)
    start = skipped.end() if skipped is not None else 0
    header = _LINE.match(text, start)
    separator = max(SEPARATORS, key=header[0].count if header is not None else "".count)
    above = sum(1 for _ in io.StringIO(text[:start], newline=""))
    records = _records(file, text[start:], separator, above + 1)
    _, columns = next(records, (1, []))
    if not columns:
        raise NeedsHuman(f"{file} is empty", hint="a line has to name the columns")
    if len(columns) > MAX_COLUMNS:
        raise TooLarge(f"{file} has more than {MAX_COLUMNS:,} columns", hint="leave only those of the kind")
    return columns, records


def _may_be_empty(column: Column) -> bool:
    return column.type is SqlType.VARCHAR and column.required and not column.enum


def _text(file: Path, limits: Limits) -> str:
    data = read_at_most(file, limits.bytes, "split it, or raise limits.yaml_mb")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = "save it as `CSV UTF-8` (it may be UTF-16, Windows-1252 or Latin-1)"
        raise NeedsHuman(f"{file} is not UTF-8: line {line}", hint=hint) from error


def read_at_most(file: Path, most: int, hint: str) -> bytes:
    """The bytes of a file. Raises `TooLarge` for more than `most`, whatever its size was said to be."""
    try:
        with file.open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise NeedsHuman(f"cannot read {file}: {why}", hint="see that you may read it") from error
    if len(data) > most:
        raise TooLarge(f"{file} is larger than {most >> 20:,} MB", hint=hint)
    return data


def _records(file: Path, text: str, separator: str, first: int) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on; the text begins on the line `first`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line, count = first, 0
    try:
        for cells in reader:
            count += len(cells)
            if count > MAX_CELLS:
                raise TooLarge(f"{file} has more than {MAX_CELLS:,} cells", hint="split it")
            yield line, cells
            line = reader.line_num + first
    except csv.Error as error:
        hint = "a quote inside a quoted cell is written twice, and the closing one comes right before the separator"
        raise NeedsHuman(f"{file} is no CSV file: line {line}: {error}", hint=hint) from error
