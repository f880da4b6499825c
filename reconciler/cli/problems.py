"""Problems as commands print them. Apart from `results`: commands that check files have no answers to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli import output
from reconciler.report.problems import problem_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.problem import Problem


def note_problems(found: Iterable[Problem]) -> None:
    """Print problems to stderr, as many as there is room for, and how many are left out."""
    for line in problem_lines(tuple(found)):
        output.note(output.problem(line))


def problems_code(found: Iterable[Problem]) -> output.Exit:
    """The exit code where nothing but problems decides."""
    return output.Exit.PROBLEMS if any(one.is_error for one in found) else output.Exit.OK
