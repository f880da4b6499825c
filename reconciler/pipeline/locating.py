"""From a document's line to the field's: reads the file again, for problems that were found between files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.model.problem import NOT_LOCATED, Mark, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.model.resource import Document


def locate(
    problems: tuple[Problem, ...], contents: Callable[[Collection[str]], Mapping[str, bytes]]
) -> tuple[Problem, ...]:
    """The problems in order, each with the line and column of what it is about."""
    paths = {problem.path for problem in problems if problem.column == NOT_LOCATED}
    if not paths:
        return problems
    documents = {path: decode(path, data).documents for path, data in contents(paths).items() if path in paths}
    return tuple(sorted(_located(problem, documents.get(problem.path, ())) for problem in problems))


def _located(problem: Problem, documents: tuple[Document, ...]) -> Problem:
    if problem.column != NOT_LOCATED:
        return problem
    mark = next((found for one in documents if (found := _mark(problem, one))), Mark(problem.line, 1))
    return replace(problem, line=mark.line, column=mark.column)


def _mark(problem: Problem, document: Document) -> Mark | None:
    if document.marks[""].line != problem.line:
        return None
    pointer = problem.pointer
    while pointer not in document.marks:
        pointer = pointer.rpartition("/")[0]
    return document.marks[pointer]
