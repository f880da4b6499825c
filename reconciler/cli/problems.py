"""Problems as commands print them. Apart from `results`: commands that check files have no answers to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli import output
from reconciler.report.problems import problem_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.problem import Problem


def note_problems(found: Iterable[Problem]) -> None:
    """Print problems to stderr."""
    for one in found:
        output.note(output.problem(problem_line(one)))


def problems_code(found: Iterable[Problem]) -> output.Exit:
    """The exit code where nothing but problems decides."""
    return output.Exit.PROBLEMS if any(one.is_error for one in found) else output.Exit.OK
