"""What a rollback skips, and what of it a newer commit still says. Pure.

A newer commit goes live by itself only if it says nothing any more of what was skipped. A commit about something else
therefore waits, as it brings the skipped values with it, while a revert goes live at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.model.change import Key, Op, RowId, declared_fields
from reconciler.model.problem import NOT_LOCATED, Problem
from reconciler.model.rollback import Skipped, SkippedChange, SkippedField
from reconciler.policy import field_pointer
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change, Resource, Row
    from reconciler.model.rollback import Rollback, SkippedFile

HELD = "rolled-back"
"""The code of the problems of a commit that is held; `model/rollback.py` knows it, too."""
HINT = "change or revert it in git, or let it through: `reconciler rollback --end --reason …`"


class Candidate(Struct, frozen=True):
    """A commit that may go live: what it declares by id and by name, and the blobs of some of its files."""

    by_id: Callable[[RowId], Sequence[Resource]]
    by_name: Callable[[Key], Sequence[Resource]]
    blobs: Mapping[str, str]


def candidate_of(skipped: Sequence[Change], changes: Sequence[Change], blobs: Mapping[str, str]) -> Candidate:
    """A commit as far as its plan tells, which starts at a rollback's target: what it does not change is as there.

    `skipped` are the changes from the same target to the skipped head. `blobs` are
    those of files of rules.
    """
    by_row = {one.resource.row_id: one.old for one in skipped} | {one.resource.row_id: one.new for one in changes}
    declared = [resource for resource in by_row.values() if resource is not None]
    return Candidate(
        lambda row_id: [one for one in declared if one.row_id == row_id],
        lambda key: [one for one in declared if one.key == key],
        blobs,
    )


def candidate_of_rows(rows: Iterable[Row], blobs: Mapping[str, str]) -> Candidate:
    """A state, by its rows; with the blobs of some of its files."""
    declared = [row.resource for row in rows if row.removed is None]
    by_row = {one.row_id: (one,) for one in declared}
    by_key = {one.key: (one,) for one in declared}
    return Candidate(lambda row_id: by_row.get(row_id, ()), lambda key: by_key.get(key, ()), blobs)


class Held(Struct, frozen=True):
    """What a candidate still says: a resource as a whole (`field` empty) or one of its fields, or a file.

    `resource` is as the candidate has it; None for one that it lacks, too, and for a file.
    """

    subject: str
    field: str
    value: Value
    resource: Resource | None = None
    path: str = ""


def skipped_values(changes: Iterable[Change], files: Iterable[SkippedFile] = ()) -> Skipped:
    """What the way from a rollback's target to the skipped head said: its changes, and the files of rules."""
    return Skipped(tuple(map(_skipped, changes)), tuple(files))


def _skipped(change: Change) -> SkippedChange:
    resource = change.resource
    deleted = change.op is Op.DELETE
    fields = () if deleted else tuple(SkippedField(one.field, one.old, one.new) for one in change.fields)
    return SkippedChange(change.op, resource.kind, resource.id, resource.name, fields)


def still_held(skipped: Skipped, candidate: Candidate) -> tuple[Held, ...]:
    """What of the skipped values a candidate still has. Numbers are equal as numbers, a missing field as missing.

    A changed field is held while it has the skipped value, a created resource while it is there with any of its values,
    a deleted one while it is gone. A resource is known by its id and by its name, so neither a new id nor a new name
    lets a skipped value through.
    """
    held = [one for change in skipped.resources for one in FIND[change.op](change, _find(change, candidate))]
    held += [
        Held(file.path, "", None, path=file.path)
        for file in skipped.files
        if candidate.blobs.get(file.path) == file.skipped
    ]
    return tuple(held)


def _find(change: SkippedChange, candidate: Candidate) -> list[Resource]:
    """The resources of a candidate that go by the id of a skipped one, or by a name that it had before or after."""
    names = [change.name, *(str(one.target) for one in change.fields if one.field == "name" and one.target is not None)]
    found = list(candidate.by_id(RowId(change.kind, change.id)))
    for name in names:
        found += [one for one in candidate.by_name(Key(change.kind, name)) if one not in found]
    return found


def _find_fields(change: SkippedChange, found: Sequence[Resource]) -> Iterator[Held]:
    for resource in found:
        values = declared_fields(resource)
        for field in change.fields:
            if _same(values.get(field.field), field.skipped):
                yield Held(f"{resource.kind} {resource.name}", field.field, field.skipped, resource)


def _find_created(change: SkippedChange, found: Sequence[Resource]) -> Iterator[Held]:
    own = [one for one in change.fields if one.field != "name" and not _same(one.skipped, change.id)]
    for resource in found:
        values = declared_fields(resource)
        if not own or any(_same(values.get(one.field), one.skipped) for one in own):
            yield Held(f"{resource.kind} {resource.name}", "", None, resource)


def _find_deleted(change: SkippedChange, found: Sequence[Resource]) -> Iterator[Held]:
    if not found:
        yield Held(f"{change.kind} {change.name}", "", None)


FIND: Mapping[Op, Callable[[SkippedChange, Sequence[Resource]], Iterable[Held]]] = {
    Op.UPDATE: _find_fields,
    Op.CREATE: _find_created,
    Op.DELETE: _find_deleted,
}


def _same(one: Value, other: Value) -> bool:
    return canonical.dumps(one) == canonical.dumps(other)  # as text: to Python, 1 is True


def hold_problems(
    rollback: Rollback, commit: str, candidate: Candidate, kinds: Kinds, folder: str
) -> tuple[Problem, ...]:
    """Why a commit does not go live while this host is rolled back; none for one that does.

    The skipped head itself never does. `folder` stands where a problem has no file.
    """
    held = still_held(rollback.changes, candidate)
    problems = tuple(sorted({_problem(one, kinds, folder) for one in held}))
    if problems or commit != rollback.skipped:
        return problems
    message = f"this commit was skipped by a rollback to {rollback.target[:8]}: {rollback.reason}"
    return (Problem(folder, 1, 1, HELD, "", message, HINT),)


def _problem(held: Held, kinds: Kinds, folder: str) -> Problem:
    resource, subject = held.resource, held.subject
    if held.path:
        return Problem(held.path, 1, 1, HELD, "", f"{held.path} is still as the rollback skipped it", HINT)
    if resource is None:
        message = f"{subject} is still gone, as the rollback skipped it"
        return Problem(folder, 1, 1, HELD, "", message, HINT)
    if not held.field:
        message = f"{subject} is still there, which the rollback skipped"
        return Problem(resource.path, resource.line, 1, HELD, "", message, HINT)
    kind = kinds.by_name.get(resource.kind)
    pointer = field_pointer(kind, held.field) if kind else ""
    value = "left out" if held.value is None else canonical.text(held.value)
    message = f"{subject} {held.field} is still {value}, which the rollback skipped"
    return Problem(resource.path, resource.line, NOT_LOCATED, HELD, pointer, message, HINT)


def without_target(skipped: Skipped, target: Candidate) -> Skipped:
    """What was skipped before, without what the target of a newer rollback says, too: that is meant to be live."""
    resources = (_without_target(one, _find(one, target)) for one in skipped.resources)
    files = (file for file in skipped.files if target.blobs.get(file.path) != file.skipped)
    return Skipped(tuple(one for one in resources if one is not None), tuple(files))


def _without_target(change: SkippedChange, found: Sequence[Resource]) -> SkippedChange | None:
    if change.op is not Op.UPDATE:
        return None if any(FIND[change.op](change, found)) else change
    values = [declared_fields(resource) for resource in found]
    fields = tuple(one for one in change.fields if not any(_same(own.get(one.field), one.skipped) for own in values))
    return replace(change, fields=fields) if fields else None
