"""What keeps a step from switching on what people halted: only a release may do that. Pure.

A halt sets what the schema of a kind says, in the rows that its selector covers. So a commit could lift it by another
schema, by another label, or by taking the row away, as a missing row makes a trading program fall back on its defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.kinds.kind import ANNOTATION
from reconciler.model.problem import NOT_LOCATED, Problem
from reconciler.tables.rows import is_live, live_values, with_halts
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row
    from reconciler.model.halt import Halt, Halts
    from reconciler.reconcile.admission import AdmissionRequest

HALTED = "halted"
"""The code of the problems."""
MAX_NAMED = 3
"""Halts and names in a message."""


def find_switched_on(halts: Halts, request: AdmissionRequest, rows: Sequence[Row]) -> tuple[Problem, ...]:
    """A problem for each kind and row that standing halts would not keep off any more after a step.

    `rows` are those that it writes. Those of a kind that loses what a halt sets are not named one by one. While
    nothing is live nothing is switched on.
    """
    old, new = request.old, request.new.kinds
    if old is None or not halts.standing:
        return ()
    step = _Step(halts, old.kinds, new)
    of_schemas = {kind.name: tuple(step.find_in_schema(kind)) for kind in old.kinds if kind.halt}
    problems = [problem for found in of_schemas.values() for problem in found]
    for before, after in _touched(request, rows):
        if before.resource.kind in new.by_name and not of_schemas.get(before.resource.kind):
            problems.extend(step.find_in_row(before, after))
    return tuple(sorted(problems))


def _touched(request: AdmissionRequest, rows: Sequence[Row]) -> Iterator[tuple[Row, Row | None]]:
    """The rows that there were, with what becomes of them; None for one that is gone."""
    delta, old = request.delta, request.old
    if delta is not None:
        pairs = ((delta.before(row.row_id), row) for row in rows)
        yield from ((before, row) for before, row in pairs if before is not None)
    elif old is not None:
        after = {row.row_id: row for row in (*request.new.rows(), *rows)}
        yield from ((row, after.get(row.row_id)) for row in old.rows())


class _Step(Struct, frozen=True):
    """From some kinds to others, while these halts stand."""

    halts: Halts
    old: Kinds
    new: Kinds

    def find_in_schema(self, kind: Kind) -> Iterator[Problem]:
        """That a kind, as it was, is not what the halts of it need any more."""
        stand = [halt for halt in self.halts.standing if halt.selector.is_of(kind.name)]
        heir = self.new.by_name.get(kind.name) or self._heir(kind)
        if not stand or heir is None:  # who asks for a table that is gone gets an error, and no defaults
            return
        subject = kind.name if heir.name == kind.name else f"{kind.name}, of which {heir.name} takes the table,"
        lost = {name: value for name, value in kind.halt.items() if heir.halt.get(name) != value}
        unreached = [halt for halt in stand if not halt.selector.is_of(heir.name)]
        place = f"/{ANNOTATION}/halt" if heir.halt else f"/{ANNOTATION}"
        if lost:
            what = f"{subject} is halted, and its schema no longer says that a halt sets {_list_values(lost)}"
            yield _problem(heir.origin, 1, place, what, stand, "bring that back")
        elif unreached:
            what = f"{subject} is halted, and {heir.name} is not"
            yield _problem(heir.origin, 1, "", what, unreached, "revert that")

    def _heir(self, kind: Kind) -> Kind | None:
        """The other kind that has the table of one that is gone."""
        return next((one for one in self.new if one.table == kind.table), None)

    def find_in_row(self, before: Row, after: Row | None) -> Iterator[Problem]:
        """That a row was halted, and will not have what the halt sets."""
        resource, new = before.resource, self.new.by_name[before.resource.kind]
        kind = self.old.by_name.get(resource.kind)
        if kind is None or not kind.halt or not is_live(kind, before):
            return
        stand = list(self.halts.covering(resource))
        if not stand:
            return
        subject, to_keep = f"{resource.kind} {resource.name}", f"`reconciler halt {resource.kind} {resource.name}"
        if after is None or not is_live(new, after):
            message = f"{subject} is halted, and its row would be deleted"
            yield _problem(resource.path, resource.line, "", message, stand, "bring it back")
        elif self._is_on(kind, new, after):
            message = f"{subject} is halted, and none of what is halted covers it any more"
            place, hint = after.resource, f"{to_keep} --reason …` keeps it off by its name"
            yield _problem(place.path, place.line, "/metadata", message, stand, hint)

    def _is_on(self, old: Kind, new: Kind, after: Row) -> bool:
        """Whether a row will have something else than a halt has set in it."""
        row = with_halts(new, after, self.halts)
        live = dict(zip((column.name for column in new.columns), live_values(new, row), strict=False))
        return any(live.get(name) != value for name, value in old.halt.items())


def _problem(path: str, line: int, pointer: str, what: str, stand: Sequence[Halt], otherwise: str) -> Problem:
    halts = list_words((f"{halt.selector} by {halt.by} ({halt.reason})" for halt in stand), MAX_NAMED)
    commands = list_words((f"`reconciler release {halt.selector} --reason …`" for halt in stand), MAX_NAMED)
    column = NOT_LOCATED if pointer else 1
    return Problem(path, line, column, HALTED, pointer, f"{what}: {halts}", f"{otherwise}, or {commands}")


def _list_values(values: Mapping[str, Any]) -> str:
    return list_words(f"{name} to {canonical.text(value)}" for name, value in values.items())
