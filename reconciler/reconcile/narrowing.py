"""Schemas that allow less than before: what no commit may change, and what a step may change only with an approval.

What a commit declares is validated under its own schemas, so it fits. What left git keeps the values that it had. Its
tombstone stays whatever the schema says, but its row in the live table has to fit there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds.load import find_narrowings
from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.tables.rows import is_live, unfit_columns
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.kinds.load import Narrowing
    from reconciler.model.change import Row

SCHEMA_NARROWED = "schema-narrowed"
MAX_NAMED = 5
"""Resources that a message names."""


def find_replaced_kinds(old: Kinds, new: Kinds, declares: Callable[[str], bool]) -> tuple[Problem, ...]:
    """A problem for each kind that gets another table or key although resources of it are declared.

    `declares` says whether the old state has any of a kind. The history is kept by table and key, so it would have two
    halves of such a resource, neither of which tells of the other.
    """
    pairs = ((kind, new.by_name.get(kind.name)) for kind in old)
    return tuple(
        Problem(successor.origin, 1, NOT_LOCATED, "schema-replaced", finding.pointer, finding.message, finding.hint)
        for kind, successor in pairs
        if successor is not None and (kind.table, kind.key) != (successor.table, successor.key) and declares(kind.name)
        for finding in find_narrowings(kind, successor)
        if not finding.column
    )


def find_narrowed_kinds(old: Kinds, new: Kinds) -> tuple[Kind, ...]:
    """The old kinds that are gone, and the new ones that allow less than before."""
    if old.digest == new.digest:
        return ()
    successors = ((kind, new.by_name.get(kind.name)) for kind in old)
    return tuple(
        successor or kind for kind, successor in successors if successor is None or find_narrowings(kind, successor)
    )


def warn_unknown_rows(kind: Kind) -> Problem:
    """The warning that nothing is known of the rows of what left git, for a kind that allows less than before."""
    message = f"{kind.name} may hold less than before, and this clone is shallow: rows of what left git may not fit"
    hint = "plan in a clone with all commits: `git fetch --unshallow`, or fetch-depth: 0 in CI"
    return Problem(kind.origin, 1, 1, SCHEMA_NARROWED, "", message, hint, Severity.WARNING)


def find_lost_rows(old: Kinds, new: Kinds, rows: Callable[[], Iterable[Row]]) -> tuple[Problem, ...]:
    """What the rows of resources that left git would lose in a step to other schemas: themselves, or some values.

    `rows` gives those of the new state. That rows go with their kind is a warning: whoever asks for its table gets an
    error, and no defaults.
    """
    if not find_narrowed_kinds(old, new):
        return ()
    left = _group_rows_that_left(old, rows())
    problems: list[Problem] = []
    for kind in old:
        successor = new.by_name.get(kind.name)
        if successor is None:
            problems.extend(_find_rows_going(kind, left[kind.name]))
            continue
        for narrowing in find_narrowings(kind, successor):
            hit = [row for row in left[kind.name] if _is_hit(narrowing, successor, row)]
            if hit:
                problems.append(_lost_problem(successor, narrowing, hit))
    return tuple(problems)


def _group_rows_that_left(kinds: Kinds, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """By kind, what left git and has a row under these kinds all the same."""
    left: dict[str, list[Row]] = {kind.name: [] for kind in kinds}
    for row in rows:
        kind = kinds.by_name.get(row.resource.kind)
        if kind is not None and row.removed is not None and is_live(kind, row):
            left[kind.name].append(row)
    return left


def _is_hit(narrowing: Narrowing, successor: Kind, row: Row) -> bool:
    """Whether a row loses its place, or a value, by a narrowing."""
    if not narrowing.column:
        return True
    if successor.column(narrowing.column) is None:
        return row.resource.values.get(narrowing.column) is not None
    return narrowing.column in unfit_columns(successor, row)


def _lost_problem(kind: Kind, narrowing: Narrowing, rows: list[Row]) -> Problem:
    lost = _what_is_lost(kind, narrowing)
    message = f"{narrowing.message}, and {_count(kind, rows)} would lose {lost}: {_list(rows)}"
    hint = f"{narrowing.hint}; or, if nothing needs them any more, approve it: `reconciler sync --approve SHA`, "
    hint += "or a line `Reconciler-Approve: schema` at the end of the commit's message"
    return Problem(kind.origin, 1, NOT_LOCATED, SCHEMA_NARROWED, narrowing.pointer, message, hint)


def _what_is_lost(kind: Kind, narrowing: Narrowing) -> str:
    if not narrowing.column:
        return "their place"
    return "their rows" if kind.column(narrowing.column) is not None else "the value"


def _find_rows_going(kind: Kind, rows: list[Row]) -> Iterator[Problem]:
    if rows:
        message = f"the kind {kind.name} goes, and with it the rows of {_count(kind, rows)}: {_list(rows)}"
        yield Problem(kind.origin, 1, 1, SCHEMA_NARROWED, "", message, severity=Severity.WARNING)


def _count(kind: Kind, rows: list[Row]) -> str:
    return f"{len(rows):,} {kind.name} that left git"


def _list(rows: list[Row]) -> str:
    return list_words(sorted(row.resource.name for row in rows), MAX_NAMED)
