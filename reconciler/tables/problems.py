"""What is kept of a commit's problems in a row, an event or an answer: the worst, and how many more there are."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from reconciler.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_KEPT = 100
MORE_PROBLEMS = "more-problems"
"""The code of what stands for the problems that are not kept."""
MAX_KEPT_SIZE = 40_000
"""Characters of all that is kept: twenty versions are less than a megabyte."""


def shorten_problems(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """All problems, or the first errors, then the first warnings, and last one that counts the rest.

    Problems that were shortened before stay as they are: a version is recorded again when it is orphaned.
    """
    if problems and problems[-1].code == MORE_PROBLEMS:
        return tuple(problems)
    kept: list[Problem] = []
    size = 0
    errors = (problem for problem in problems if problem.is_error)
    warnings = (problem for problem in problems if not problem.is_error)
    for problem in chain(errors, warnings):
        size += problem.size
        if kept and (len(kept) >= MAX_KEPT or size > MAX_KEPT_SIZE):
            break
        kept.append(problem)
    if len(kept) == len(problems):
        return tuple(problems)
    return (*kept, _count_rest(problems, kept))


def _count_rest(problems: Collection[Problem], kept: Collection[Problem]) -> Problem:
    errors = sum(problem.is_error for problem in problems) - sum(problem.is_error for problem in kept)
    warnings = len(problems) - len(kept) - errors
    return Problem(
        path=".",
        line=1,
        column=1,
        code=MORE_PROBLEMS,
        pointer="",
        message=f"there are {errors:,} more errors and {warnings:,} more warnings",
        hint="`reconciler validate` shows more of them",
        severity=Severity.ERROR if errors else Severity.WARNING,
    )
