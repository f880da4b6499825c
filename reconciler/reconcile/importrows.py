"""Existing rows become files of a repository: judged with all that it holds, then compared with what was written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.errors import BugError
from reconciler.importing.documents import documents
from reconciler.importing.tables import arrivals
from reconciler.model.change import Change, Op
from reconciler.model.resource import FileEntry
from reconciler.plan import Plan, ordered
from reconciler.reconcile.read import FileReader
from reconciler.scaffold.yamltext import document_text
from reconciler.snapshot import tree
from reconciler.snapshot.base import EmptyBase
from reconciler.snapshot.tree import tree_problems
from reconciler.validate.resources import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.importing.documents import Document, Folders
    from reconciler.importing.tables import Incoming, RawTable
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.problem import Problem
    from reconciler.model.resource import Resource, RowId
    from reconciler.reconcile.check import CheckResult

    Resources = Mapping[RowId, Resource]


@dataclass(frozen=True, slots=True)
class RowImport:
    """What importing comes to.

    `rows` are the rows as resources. `files` holds the text of a new file, by its path from the root, for each row that
    the repository does not declare yet. Both are empty when any of `problems` is an error. `plan` is what git would
    change in the rows once the files are there: those that it declares with other values already.
    """

    problems: tuple[Problem, ...]
    rows: Resources
    files: Mapping[str, str]
    plan: Plan

    @property
    def created(self) -> tuple[Resource, ...]:
        """The resources of the new files, by kind and name."""
        return tuple(sorted((one for one in self.rows.values() if one.path in self.files), key=lambda one: one.key))


def plan_import(
    tables: Iterable[RawTable], checked: CheckResult, folders: Folders, first_line: Callable[[Kind, str], str]
) -> RowImport:
    """Work out the files for some rows, in a repository that was checked.

    `first_line` is the comment that a new file of a kind at a path begins with, empty for none.
    """
    arrived = arrivals(tables)
    declared = _declared(checked)
    whole = list(documents(arrived.rows, checked.kinds, declared))
    entries = list(_entries(checked.kinds, arrived.rows, whole)) if whole else []
    found = (*checked.problems, *arrived.problems, *_between(checked, declared, arrived.rows, entries))
    problems = tuple(sorted({*found, *(problem for row in arrived.rows for problem in row.problems)}))
    if any(problem.is_error for problem in problems):
        return RowImport(problems, {}, {}, _plan({}, {}))
    rows: dict[RowId, Resource] = {}
    files: dict[str, str] = {}
    for row, document, entry in zip(arrived.rows, whole, entries, strict=True):
        one = resource(row.kind, entry.resources[0].name, document, row.place, row.line)
        if one.row_id not in declared:
            path = folders.place(row.kind, one.name)
            head = first_line(row.kind, path)
            files[path] = document_text(document, head)
            one = replace(one, path=path, line=2 if head else 1)
        rows[one.row_id] = one
    return RowImport(problems, rows, files, _plan(rows, declared))


def verify_import(adoption: RowImport, checked: CheckResult) -> None:
    """Raise `BugError` unless the repository, checked again, declares what the rows are but for the planned changes."""
    declared = _declared(checked)
    lost = [one.key for row_id, one in adoption.rows.items() if row_id not in declared]
    if lost or any(problem.is_error for problem in checked.problems):
        raise BugError("not all of the files that were written can be read back", hint="delete them, and report this")
    if _plan(adoption.rows, declared).changes != adoption.plan.changes:
        raise BugError("the files that were written say other than the rows", hint="delete them, and report this")


def _declared(checked: CheckResult) -> Resources:
    return {one.row_id: one for entry in checked.entries.values() for one in entry.resources}


def _plan(rows: Resources, declared: Resources) -> Plan:
    """From the rows to what git declares under their ids."""
    pairs = ((one, declared[row_id]) for row_id, one in rows.items() if row_id in declared)
    return Plan(None, "", ordered(Change(Op.UPDATE, old, new) for old, new in pairs if old.digest != new.digest))


def _entries(kinds: Kinds, rows: Sequence[Incoming], whole: Sequence[Document]) -> Iterator[FileEntry]:
    """What the validator says of each row's text, as if it stood in the row's place."""
    texts = ((row.place, document_text(document).encode()) for row, document in zip(rows, whole, strict=True))
    for row, entry in zip(rows, FileReader(kinds).read_files(texts, len(rows)), strict=True):
        # A name is made of the id: where that is wrong, it is told already that this is.
        known = row.told | ({"/metadata/name"} if row.name is None and (row.id is not None or row.told) else set())
        yield FileEntry(
            resources=tuple(replace(one, line=row.line) for one in entry.resources),
            problems=tuple(replace(one, line=row.line, column=1) for one in entry.problems if one.pointer not in known),
            identified=tuple(replace(one, line=row.line) for one in entry.identified),
            unreadable=entry.unreadable,
            documents=entry.documents,
        )


def _between(
    checked: CheckResult, declared: Resources, rows: Sequence[Incoming], entries: Sequence[FileEntry]
) -> Iterator[Problem]:
    """The problems of rows, by themselves and among each other and the repository's resources.

    A row that the repository declares already is no second one.
    """
    parts: dict[str, list[FileEntry]] = defaultdict(list)
    for row, entry in zip(rows, entries, strict=True):
        new = tuple(one for one in entry.resources if one.row_id not in declared)
        parts[row.place].append(replace(entry, resources=new))
    places = {place: _joined(some) for place, some in parts.items()}
    kinds = checked.kinds
    whole = tree.advance(tree.plant(EmptyBase(), kinds), kinds, {**checked.entries, **places}).tree
    nameless = {(row.place, row.line) for row in rows if row.name is None}
    for problem in tree_problems(whole):
        # One id twice makes one name twice, which is no news.
        follows = problem.code == "duplicate-name" and (problem.path, problem.line) in nameless
        if problem.path in places and not follows:
            yield replace(problem, column=1)


def _joined(entries: Iterable[FileEntry]) -> FileEntry:
    parts = list(entries)
    return FileEntry(
        resources=tuple(one for part in parts for one in part.resources),
        problems=tuple(one for part in parts for one in part.problems),
        identified=tuple(one for part in parts for one in part.identified),
        unreadable=any(part.unreadable for part in parts),
        documents=sum(part.documents for part in parts),
    )
