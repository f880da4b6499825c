"""Answers and problems as commands print them. Apart from `output`, which `--help` loads, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import answers
from reconciler.cli import output
from reconciler.report import problems
from reconciler.report.rows import flatten_row, row_cells, row_headers, row_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.problem import Problem

LABEL_WIDTH = 26


def answer(value: answers.Answer) -> None:
    """Print an answer as JSON."""
    output.json_data(answers.to_json(value))


def rows(found: answers.Rows, form: str, *, single: bool) -> None:
    """Print live rows, or the single one, as `get` does."""
    if form == "json":
        flat = [flatten_row(row) for row in found.rows]
        output.json_data(flat[0] if single else flat)
    elif single:
        for label, text in row_lines(found.rows[0], found):
            output.data(f"{label:<{LABEL_WIDTH}}{text}")
    else:
        output.table(row_headers(found), [row_cells(row, found) for row in found.rows])


def note_problems(found: Iterable[Problem]) -> None:
    """Print problems to stderr."""
    for one in found:
        output.note(output.problem(problems.problem_line(one)))


def problems_code(found: Iterable[Problem]) -> output.Exit:
    """The exit code where nothing but problems decides."""
    return output.Exit.PROBLEMS if any(one.is_error for one in found) else output.Exit.OK
