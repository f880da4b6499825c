"""Problems as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.pipeline.checking import Checked


def line(problem: Problem) -> str:
    """One problem on one line: `users/alice.yaml:12:3: error [unknown-field] /spec/x: unknown field (hint)`."""
    pointer = f" {problem.pointer}" if problem.pointer else ""
    return visible(f"{place(problem)}: {problem.severity} [{problem.code}]{pointer}: {told(problem)}")


def place(problem: Problem) -> str:
    """`path:line:column`."""
    return f"{problem.path}:{problem.line}:{column(problem) or 1}"


def told(problem: Problem) -> str:
    """What is wrong, and in brackets what to do about it."""
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message


def column(problem: Problem) -> int | None:
    """The column from 1, None where only the line is known."""
    return None if problem.column == NOT_LOCATED else problem.column


def as_json(problem: Problem) -> dict[str, Any]:
    """One problem as the contract's JSON object."""
    return {
        "code": problem.code,
        "severity": str(problem.severity),
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "pointer": problem.pointer,
        "message": problem.message,
        "hint": problem.hint,
    }


def from_json(answer: Mapping[str, Any]) -> Problem:
    """A problem out of that object."""
    return Problem(**{**answer, "severity": Severity(answer["severity"])})


def count(problems: Iterable[Problem], severity: Severity) -> int:
    """How many problems are of a severity."""
    return sum(problem.severity is severity for problem in problems)


def counts(problems: Sequence[Problem]) -> str:
    """`1 error, 2 warnings`, or `no problems`."""
    errors, warnings = count(problems, Severity.ERROR), count(problems, Severity.WARNING)
    return f"{plural(errors, 'error')}, {plural(warnings, 'warning')}" if problems else "no problems"


def scope(checked: Checked) -> str:
    """`27 resources in 28 files`."""
    return f"{plural(checked.resources, 'resource')} in {plural(len(checked.entries), 'file')}"


def checked_json(checked: Checked) -> dict[str, Any]:
    """The contract's object for `validate --format json`."""
    return {
        "problems": [as_json(problem) for problem in checked.problems],
        "summary": {
            "files": len(checked.entries),
            "documents": checked.documents,
            "resources": checked.resources,
            "errors": count(checked.problems, Severity.ERROR),
            "warnings": count(checked.problems, Severity.WARNING),
        },
    }


def plural(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
