"""The one value that satisfies all rules at a place, and the line with it. A guess is none: where not every error at
a place says what would be right there, or the document would not be valid with it, nothing is suggested.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.decode.document import decode
from reconciler.kinds.kind import split
from reconciler.model.bounds import ANY, intersect
from reconciler.model.review import Remedy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.model.change import Document
    from reconciler.model.problem import Problem

    Place = tuple[str, int, str]
    ReadFiles = Callable[[Collection[str]], Mapping[str, bytes]]
    Check = Callable[[str, bytes], Iterable[Problem]]
    Judge = Callable[[str, str, Value], bool]

MAX_REMEDIES = 200
"""Places for which a value is looked for."""
MAX_LINE = 500
"""Characters of a line that is suggested."""
_SCALAR = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"|[^\s'\"\[\]{},#&*!|>@`%][^\s,\[\]{}]*")
"""A scalar of one word or in quotes."""


def find_remedies(problems: Iterable[Problem], read_files: ReadFiles, check: Check) -> tuple[Remedy, ...]:
    """What to write at the places of problems.

    `read_files` gives contents at the commit that has them, `check` what is wrong with a file that has such contents.
    """
    places: defaultdict[Place, list[Problem]] = defaultdict(list)
    wrong: defaultdict[str, set[str]] = defaultdict(set)
    for problem in problems:
        if problem.is_error:
            wrong[problem.path].add(problem.pointer)
        if problem.pointer:
            places[problem.path, problem.line, problem.pointer].append(problem)
    solvable = {place: found for place, found in places.items() if _is_solvable(found)}
    chosen = dict(sorted(solvable.items())[:MAX_REMEDIES])
    if not chosen:
        return ()
    contents = read_files({path for path, _, _ in chosen})

    def is_right(path: str, pointer: str, document: Value) -> bool:
        """Whether a document is right at the place, and nowhere wrong where it was right before."""
        try:
            text = canonical.dumps(document)
        except ValueError:  # not a finite number elsewhere
            return False
        found = {problem.pointer for problem in check(path, text.encode()) if problem.is_error}
        return found <= wrong[path] - {pointer}

    return tuple(
        remedy
        for (path, line, pointer), found in chosen.items()
        if path in contents
        for remedy in _find_remedy(path, contents[path], line, pointer, found, is_right)
    )


def _is_solvable(problems: Collection[Problem]) -> bool:
    errors = [problem for problem in problems if problem.is_error]
    return all(problem.bounds != ANY for problem in errors or problems)


def _find_remedy(
    path: str, data: bytes, line: int, pointer: str, problems: Iterable[Problem], is_right: Judge
) -> Iterator[Remedy]:
    documents = decode(path, data).documents
    document = next((one for one in documents if pointer in one.marks and one.marks[pointer].line == line), None)
    bounds = intersect(problem.bounds for problem in problems)
    if document is None:
        return
    if bounds.is_empty:
        yield Remedy(path, line, pointer)
        return
    value = bounds.nearest(_value_at(document, pointer))
    if value is not None and is_right(path, pointer, _with_value(document.value, split(pointer), value)):
        before, after = _rewrite_line(path, data, document, pointer, value)
        yield Remedy(path, line, pointer, canonical.text(value), before, after)


def _value_at(document: Document, pointer: str) -> Value:
    value = document.value
    for token in split(pointer):
        value = value[int(token)] if isinstance(value, list) else value[token] if isinstance(value, dict) else None
    return value


def _rewrite_line(path: str, data: bytes, document: Document, pointer: str, value: Value) -> tuple[str, str]:
    """The line before and after; both empty where it cannot be rewritten, or means something else afterwards."""
    mark, text = document.marks[pointer], data.decode("utf-8-sig", "replace")
    lines = text.split("\n")
    before = lines[mark.line - 1].removesuffix("\r")
    written = _SCALAR.match(before, mark.column - 1)
    if written is None or len(before) > MAX_LINE or not before.replace("\t", " ").isprintable():
        return "", ""
    after = f"{before[: written.start()]}{canonical.text(value)}{before[written.end() :]}"
    changed = decode(path, "\n".join((*lines[: mark.line - 1], after, *lines[mark.line :])).encode())
    meant = [one for one in changed.documents if one.marks[""].line == document.marks[""].line]
    expected = canonical.dumps(canonical.normalize(_with_value(document.value, split(pointer), value)))
    is_same = len(meant) == 1 and canonical.dumps(canonical.normalize(meant[0].value)) == expected
    return (before, after) if is_same and not changed.problems and not meant[0].ambiguous else ("", "")


def _with_value(whole: Value, tokens: list[str], value: Value) -> Value:
    if not tokens:
        return value
    token, *rest = tokens
    if isinstance(whole, list):
        return [_with_value(one, rest, value) if str(at) == token else one for at, one in enumerate(whole)]
    assert isinstance(whole, dict)
    return {**whole, token: _with_value(whole[token], rest, value)}
