"""Problems as answers and text, and what their codes mean."""

from __future__ import annotations

import re
import sys
from collections import Counter
from math import isfinite
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from msgspec import UNSET

from reconciler import answers, canonical
from reconciler.model.bounds import ANY, Bounds
from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.report.escape import dump_json, escape_line
from reconciler.tables.problems import MORE_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.reconcile.check import CheckResult

T = TypeVar("T")
DOCS_PAGE = "docs/problems.md"
POLICY_PREFIX = "policy/"
POLICY_HEADING = "policy/NAME"
"""The one heading for all policies: their names come from the repository."""

CODE_MEANINGS = {
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
    "placeholder": "A value that nobody has filled in yet",
    "secret": "A secret has no place in configuration",
    "duplicate-name": "Two documents declare the same kind and name",
    "duplicate-id": "Two resources of a kind have the same id",
    "dangling-reference": "A reference to something that nothing declares",
    "ambiguous-cell": "A cell of a spreadsheet that may mean two things",
    "contradicting-rows": "Rows of a spreadsheet that say different things of one resource",
    "bad-mapping": "A mapping that is none, or not the spreadsheet's",
    "not-a-file": "A symbolic link, a submodule or another git repository is not followed",
    "unmerged": "A file with a conflict cannot be committed",
    "not-committable": "Git cannot commit a file",
    "bad-schema": "A schema is wrong",
    "schema-narrowed": "A schema allows less than the rows of what left git hold",
    "schema-replaced": "A kind with resources got another table or key",
    "more-problems": "There are more problems than are kept",
    "date-out-of-range": "A commit is dated outside what the stores can hold",
    "cannot-judge": "This version of the program cannot judge the commit",
    "broken-tree": "A commit has a tree that git would not have written",
    "bad-policy": "A policy cannot be run",
    "bad-measure": "A measure cannot be run",
    "bad-policy-test": "A test of a policy cannot be run",
    "untested-policy": "A policy has no tests",
    "rolled-back": "A commit still says what a rollback of this host skipped",
    "halted": "A commit would switch on what is halted on this host",
    "guard/prune-limit": "More resources leave git at once than the prune limit allows",
    "guard/growth": "A commit adds more resources than the growth limits allow",
}


def build_problem(problem: Problem) -> answers.Problem:
    return answers.Problem(
        code=problem.code,
        severity=cast("answers.Severity", str(problem.severity)),
        path=problem.path,
        line=problem.line,
        column=problem.column,
        pointer=problem.pointer,
        message=problem.message,
        hint=problem.hint,
        bounds=UNSET if problem.bounds == ANY else _build_bounds(problem.bounds),
    )


def _build_bounds(bounds: Bounds) -> answers.Bounds:
    def known(limit: float) -> float | None:
        return canonical.shortest(limit) if isfinite(limit) else None

    return answers.Bounds(
        at_least=known(bounds.at_least),
        at_most=known(bounds.at_most),
        above=known(bounds.above),
        below=known(bounds.below),
        one_of=bounds.words,
    )


def parse_problem(answer: answers.Problem) -> Problem:
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


MAX_OUTPUT = 900_000
"""Bytes that the problems and changes of a format may take: with what is around them less than a megabyte."""
MAX_OF_FILE, FILE_ROOM = 1_000, 250_000
"""Problems of one file that are shown, and bytes that they may take, in whatever is shown of them."""


class Selection(NamedTuple):
    """The problems of which there is room, errors first if that is not all; and how many are left out."""

    shown: tuple[Problem, ...]
    omitted: int


def select_problems(
    problems: Sequence[Problem],
    render: Callable[[Problem], str],
    most: int = sys.maxsize,
    room: int = MAX_OUTPUT,
) -> Selection:
    """As many problems, up to `most`, as there is room for when each is written as `render` does it.

    No file takes the room of another: the first error of each is chosen before the second of any.
    """
    chosen: list[int] = []
    of_file: Counter[str] = Counter()
    bytes_of_file: Counter[str] = Counter()
    for number in take_turns(problems):
        path = problems[number].path
        if of_file[path] == MAX_OF_FILE or bytes_of_file[path] > FILE_ROOM:
            continue
        size = written_size(problems[number], render)
        bytes_of_file[path] += size
        if of_file[path] and bytes_of_file[path] > FILE_ROOM:
            continue
        room -= size
        if room < 0 or len(chosen) == most:
            break
        of_file[path] += 1
        chosen.append(number)
    if len(chosen) == len(problems):
        return Selection(tuple(problems), 0)
    shown = sorted(chosen, key=lambda number: (not problems[number].is_error, number))
    return Selection(tuple(problems[number] for number in shown), len(problems) - len(shown))


def take_turns(problems: Sequence[Problem]) -> list[int]:
    """The places of all problems: the first error of each file, the second of each, …, then the warnings."""
    seen: Counter[tuple[bool, str]] = Counter()
    turns = []
    for number, problem in enumerate(problems):
        group = (not problem.is_error, problem.path)
        turns.append((group[0], seen[group], number))
        seen[group] += 1
    return [number for _, _, number in sorted(turns)]


def count_fitting(entries: Sequence[T], render: Callable[[T], str], room: int) -> int:
    """How many of the first entries there is room for, in bytes."""
    for count, entry in enumerate(entries):
        room -= written_size(entry, render)
        if room < 0:
            return count
    return len(entries)


def written_size(entry: T, render: Callable[[T], str]) -> int:
    """The bytes of an entry with its line end."""
    return len(render(entry).encode("utf-8", "replace")) + 1


def omitted_note(omitted: int) -> str:
    """Says what a format left out."""
    return f"{plural(omitted, 'more problem')} not shown: mend these first"


def problem_json(problem: Problem) -> str:
    """A problem as a list in a JSON document has it."""
    return indent(dump_json(answers.to_json(build_problem(problem))), "    ") + ","


def build_checked(checked: CheckResult) -> dict[str, Any]:
    """The JSON object of `validate --format json`."""
    shown, omitted = select_problems(checked.problems, problem_json)
    return {
        "problems": [answers.to_json(build_problem(problem)) for problem in shown],
        "summary": {
            "files": len(checked.entries),
            "documents": checked.documents,
            "resources": checked.resources,
            "errors": count_severity(checked.problems, Severity.ERROR),
            "warnings": count_severity(checked.problems, Severity.WARNING),
            **({"omitted": omitted} if omitted else {}),
        },
    }


def problem_line(problem: Problem) -> str:
    """`users/alice.yaml:12:3: error [unknown-field] /spec/x: unknown field (hint)`."""
    pointer = f" {problem.pointer}" if problem.pointer else ""
    location, text = problem_location(problem), problem_text(problem)
    return escape_line(f"{location}: {problem.severity} [{problem.code}]{pointer}: {text}")


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """A line for each problem, and one for what is left out."""
    shown, omitted = select_problems(problems, problem_line)
    yield from map(problem_line, shown)
    if omitted:
        yield omitted_note(omitted)


def problem_location(problem: Problem) -> str:
    """`path:line:column`; of a cell of a spreadsheet the path says it all."""
    if problem.line == NOT_LOCATED:
        return problem.path
    return f"{problem.path}:{problem.line}:{known_column(problem) or 1}"


def problem_text(problem: Problem) -> str:
    """The message, with the hint in brackets."""
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message


def known_column(problem: Problem) -> int | None:
    """The column, from 1; None where only the line is known."""
    return None if problem.column == NOT_LOCATED else problem.column


def count_severity(problems: Iterable[Problem], severity: Severity) -> int:
    return sum(problem.severity is severity for problem in problems)


def problem_counts(problems: Sequence[Problem]) -> str:
    """`1 error, 2 warnings`, or `no problems`."""
    errors, warnings = count_severity(problems, Severity.ERROR), count_severity(problems, Severity.WARNING)
    return f"{plural(errors, 'error')}, {plural(warnings, 'warning')}" if problems else "no problems"


def kept_errors(problems: Sequence[Problem]) -> str:
    """`3 errors`; `more than 100 errors` of problems of which not all were kept."""
    kept = [problem for problem in problems if problem.is_error and problem.code != MORE_PROBLEMS]
    is_whole = not any(problem.code == MORE_PROBLEMS for problem in problems)
    return f"{'' if is_whole else 'more than '}{plural(len(kept), 'error')}"


def checked_counts(checked: CheckResult) -> str:
    """`27 resources in 28 files`."""
    return f"{plural(checked.resources, 'resource')} in {plural(len(checked.entries), 'file')}"


def plural(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def describe_code(code: str) -> str:
    if code.startswith(POLICY_PREFIX):
        return f"The policy {code.removeprefix(POLICY_PREFIX)} is violated"
    return CODE_MEANINGS.get(code, code.replace("-", " ").replace("/", ": ").capitalize())


def docs_anchor(code: str) -> str:
    """The fragment of a code's heading in `DOCS_PAGE`, as GitHub makes it: `#guardprune-limit`."""
    heading = POLICY_HEADING if code.startswith(POLICY_PREFIX) else code
    return "#" + re.sub(r"[^\w-]", "", heading.lower())


def checked_lines(checked: CheckResult) -> Iterator[str]:
    """A line for each problem, then the counts."""
    yield from problem_lines(checked.problems)
    yield f"{checked_counts(checked)}: {problem_counts(checked.problems)}"


def render_checked(checked: CheckResult) -> str:
    """`validate --format text`"""
    return "\n".join(checked_lines(checked))
