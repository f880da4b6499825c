"""Answers as commands print them. Apart from `output`, which `--help` loads, too."""

from __future__ import annotations

from reconciler import answers
from reconciler.cli import output
from reconciler.report.rows import flatten_row, row_cells, row_headers, row_lines

LABEL_WIDTH = 26


def answer(value: answers.Answer) -> None:
    """Print an answer as JSON."""
    output.json_data(answers.to_json(value))


def rows(found: answers.Rows, form: str, *, single: bool) -> None:
    """Print live rows, or the single one, as `get` does."""
    if form == "json":
        flat = [flatten_row(row, found) for row in found.rows]
        output.json_data(flat[0] if single else flat)
    elif single:
        for label, text in row_lines(found.rows[0], found):
            output.data(f"{label:<{LABEL_WIDTH}}{text}")
    else:
        output.table(row_headers(found), [row_cells(row, found) for row in found.rows])
