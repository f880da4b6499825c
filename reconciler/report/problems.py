"""Problems as text and JSON, and what their codes mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from reconciler import answers
from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.report.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.reconcile.check import Checked


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


def build_problem(problem: Problem) -> answers.Problem:
    """One problem as the contract has it."""
    return answers.Problem(
        code=problem.code,
        severity=cast("answers.Severity", str(problem.severity)),
        path=problem.path,
        line=problem.line,
        column=problem.column,
        pointer=problem.pointer,
        message=problem.message,
        hint=problem.hint,
    )


def parse_problem(answer: answers.Problem) -> Problem:
    """The inverse of `build_problem`."""
    return Problem(
        path=answer.path,
        line=answer.line,
        column=answer.column,
        code=answer.code,
        pointer=answer.pointer,
        message=answer.message,
        hint=answer.hint,
        severity=Severity(answer.severity),
    )


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


def build_checked(checked: Checked) -> dict[str, Any]:
    """The contract's object for `validate --format json`."""
    return {
        "problems": [answers.to_json(build_problem(problem)) for problem in checked.problems],
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


PAGE = "docs/problems.md"
POLICY = "policy/"
POLICY_HEADING = "policy/NAME"
"""The page has one heading for all policies: their names are the repository's."""

MEANINGS = {
    "yaml-syntax": "The file is not YAML",
    "duplicate-key": "A key stands twice in one mapping",
    "unsafe-yaml": "Something that reviewers do not see, that readers disagree on or that could stop the program",
    "ambiguous-scalar": "A value that YAML 1.1 and YAML 1.2 readers take for different things",
    "unknown-kind": "There is no such kind",
    "unknown-field": "The schema does not have this field here",
    "missing-field": "A required field is not there",
    "wrong-type": "A value of another type than the field wants",
    "not-allowed": "The field takes certain words only",
    "out-of-range": "A number outside its hard limits",
    "too-long": "Text that is longer than its column",
    "bad-format": "Text that does not look as it must",
    "not-finite": "Not a finite number",
    "secret": "A secret has no place in configuration",
    "duplicate-name": "Two documents declare the same kind and name",
    "duplicate-id": "Two resources of a kind have the same id",
    "dangling-reference": "A reference to something that nothing declares",
    "not-a-file": "A symbolic link or a submodule is not followed",
    "bad-schema": "A schema is wrong",
    "schema-narrowed": "A schema changed so that rows already written might no longer fit",
    "bad-policy": "A policy cannot be run",
    "bad-policy-test": "A test of a policy cannot be run",
    "untested-policy": "A policy has no tests",
    "guard/prune-limit": "More resources leave git at once than the prune limit allows",
}


def meaning(code: str) -> str:
    """One sentence about a code."""
    if code.startswith(POLICY):
        return f"The policy {code.removeprefix(POLICY)} is violated"
    return MEANINGS.get(code, code.replace("-", " ").replace("/", ": ").capitalize())


def anchor(code: str) -> str:
    """Where the page tells about a code, as GitHub links to headings: `#guardprune-limit`."""
    heading = POLICY_HEADING if code.startswith(POLICY) else code
    return "#" + re.sub(r"[^\w-]", "", heading.lower())
