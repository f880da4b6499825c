"""Problems as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.pipeline.checking import Checked


def line(problem: Problem) -> str:
    """One problem on one line: `users/alice.yaml:12:3: error [unknown-field] /spec/x: unknown field (hint)`."""
    at = f"{problem.path}:{problem.line}:{problem.column}"
    pointer = f" {problem.pointer}" if problem.pointer else ""
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{at}: {problem.severity} [{problem.code}]{pointer}: {problem.message}{hint}"


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


def count(problems: Iterable[Problem], severity: Severity) -> int:
    """How many problems are of a severity."""
    return sum(problem.severity is severity for problem in problems)


def checked_text(checked: Checked) -> str:
    """All problems of a tree and a line that counts."""
    errors, warnings = count(checked.problems, Severity.ERROR), count(checked.problems, Severity.WARNING)
    found = f"{plural(errors, 'error')}, {plural(warnings, 'warning')}" if checked.problems else "no problems"
    summary = f"{plural(checked.resources, 'resource')} in {plural(len(checked.entries), 'file')}: {found}"
    return "\n".join([*map(line, checked.problems), summary])


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
