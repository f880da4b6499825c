"""Importing existing rows as files: validated with the whole repository, then compared with what was written."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.errors import BugError
from reconciler.importing.documents import build_documents
from reconciler.model.change import Change, FileEntry, Op
from reconciler.plan import Plan, sort_changes
from reconciler.reconcile.read import FileReader
from reconciler.scaffold.yamltext import write_document
from reconciler.snapshot import tree
from reconciler.snapshot.snapshot import EmptyBase
from reconciler.snapshot.tree import find_tree_problems
from reconciler.validate.validator import build_resource
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.importing.assumptions import Assumption
    from reconciler.importing.documents import Document, Folders
    from reconciler.importing.interpret import Open
    from reconciler.importing.tables import IncomingRow, IncomingRows
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Resource, RowId
    from reconciler.model.problem import Problem
    from reconciler.reconcile.check import CheckResult
    from reconciler.reconcile.faults import FaultFinder

    Resources = Mapping[RowId, Resource]


class RowImport(Struct, frozen=True):
    """The result of planning an import.

    `rows` are the rows as resources. `files` has the text of a new file, by its path from the root, for each row that
    the repository does not declare yet. Both are empty when any of `problems` is an error. `plan` is what git would
    change in the rows once the files are there: those that it declares with other values.
    """

    problems: tuple[Problem, ...]
    rows: Resources
    files: Mapping[str, str]
    plan: Plan

    @property
    def created(self) -> tuple[Resource, ...]:
        """The resources of the new files, by kind and name."""
        new = (resource for resource in self.rows.values() if resource.path in self.files)
        return tuple(sorted(new, key=lambda resource: resource.key))


class Imported(Struct, frozen=True):
    """What an import made, or would have made if there were no errors.

    `others` are new files beside those of the resources, `open` what somebody has to decide, `mappings` the text of
    each mapping by the path that it is kept at, `configuration` what the repository had before. `from_sheets`: files
    were read as spreadsheets. `remarks` say by which earlier mapping and in which encoding.
    """

    row_import: RowImport
    kinds: Kinds
    skipped: tuple[str, ...]
    root: Path
    assumptions: tuple[Assumption, ...] = ()
    open: tuple[Open, ...] = ()
    mappings: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    configuration: tuple[str, ...] = ()
    from_sheets: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.row_import.problems if problem.is_error)


def plan_import(
    incoming: IncomingRows,
    check: CheckResult,
    folders: Folders,
    first_line: Callable[[Kind, str], str],
    faults: FaultFinder,
) -> RowImport:
    """Work out the files for some rows, in a repository that was checked.

    `first_line` gives the comment that a new file of a kind at a path begins with, empty for none.
    """
    rows, kinds = incoming.rows, check.kinds
    declared = declared_resources(check)
    row_documents = list(build_documents(rows, kinds, declared))
    entries = list(_validate(FileReader(kinds, faults), rows, row_documents)) if row_documents else []
    row_problems = (problem for row in rows for problem in row.problems)
    between = _cross_check(check, declared, rows, entries)
    problems = tuple(sorted({*check.problems, *incoming.problems, *between, *row_problems}))
    if any(problem.is_error for problem in problems):
        return RowImport(problems, {}, {}, _plan_updates({}, {}))
    imported: dict[RowId, Resource] = {}
    files: dict[str, str] = {}
    for row, document, entry in zip(rows, row_documents, entries, strict=True):
        resource = build_resource(row.kind, entry.resources[0].name, document, row.place, row.line)
        if resource.row_id not in declared:
            path = folders.take_path(row.kind, resource.name)
            comment = first_line(row.kind, path)
            files[path] = write_document(document, comment)
            resource = replace(resource, path=path, line=2 if comment else 1)
        imported[resource.row_id] = resource
    return RowImport(problems, imported, files, _plan_updates(imported, declared))


def verify_import(row_import: RowImport, check: CheckResult) -> None:
    """Raise `BugError` unless the repository, checked again, declares the rows but for the planned changes."""
    declared = declared_resources(check)
    is_lost = any(row_id not in declared for row_id in row_import.rows)
    if is_lost or any(problem.is_error for problem in check.problems):
        raise BugError("not all of the files that were written can be read back", hint="delete them, and report this")
    if _plan_updates(row_import.rows, declared).changes != row_import.plan.changes:
        raise BugError("the files that were written say other than the rows", hint="delete them, and report this")


def declared_resources(check: CheckResult) -> Resources:
    """All that a repository declares, by kind and id."""
    return {resource.row_id: resource for entry in check.entries.values() for resource in entry.resources}


def plan_rows(row_import: RowImport) -> RowImport:
    """The same with the plan of what the rows would change in the files that are there."""
    changes = [
        Change(Op.UPDATE, one.new, replace(one.old, path=one.new.path, line=one.new.line))
        for one in row_import.plan.changes
        if one.old is not None and one.new is not None
    ]
    return replace(row_import, plan=Plan(None, "", sort_changes(changes)))


def _plan_updates(rows: Resources, declared: Resources) -> Plan:
    """From the rows to what git declares under their ids."""
    pairs = ((row, declared[row_id]) for row_id, row in rows.items() if row_id in declared)
    return Plan(None, "", sort_changes(Change(Op.UPDATE, old, new) for old, new in pairs if old.digest != new.digest))


def _validate(
    reader: FileReader, rows: Sequence[IncomingRow], row_documents: Sequence[Document]
) -> Iterator[FileEntry]:
    """Validate the document of each row, as if it stood at the row's place."""
    texts = ((row.place, write_document(document).encode()) for row, document in zip(rows, row_documents, strict=True))
    for row, entry in zip(rows, reader.read_files(texts, len(rows)), strict=True):
        # A missing name is derived from the id: a wrong id is reported already.
        known = row.reported | (
            {"/metadata/name"} if row.name is None and (row.id is not None or row.reported) else set()
        )
        new = (problem for problem in entry.problems if problem.pointer not in known)
        yield FileEntry(
            resources=tuple(replace(resource, line=row.line) for resource in entry.resources),
            problems=tuple(_at_cell(problem, row) for problem in new),
            identified=tuple(replace(identified, line=row.line) for identified in entry.identified),
            unreadable=entry.unreadable,
            documents=entry.documents,
        )


def _at_cell(problem: Problem, row: IncomingRow) -> Problem:
    line, column = row.cells.get(problem.pointer, (row.line, 1))
    return replace(problem, line=line, column=column)


def _cross_check(
    check: CheckResult, declared: Resources, rows: Sequence[IncomingRow], entries: Sequence[FileEntry]
) -> Iterator[Problem]:
    """The problems of rows by themselves, among each other, and with the repository's resources.

    A row that the repository declares already is not a duplicate of it.
    """
    entries_by_place: dict[str, list[FileEntry]] = defaultdict(list)
    for row, entry in zip(rows, entries, strict=True):
        new = tuple(resource for resource in entry.resources if resource.row_id not in declared)
        entries_by_place[row.place].append(replace(entry, resources=new))
    places = {place: _merge_entries(place_entries) for place, place_entries in entries_by_place.items()}
    kinds = check.kinds
    whole = tree.update_tree(tree.load_base_tree(EmptyBase(), kinds), kinds, {**check.entries, **places}).tree
    nameless = {(row.place, row.line) for row in rows if row.name is None}
    for problem in find_tree_problems(whole):
        # A duplicate id implies a duplicate name when the name is derived from it.
        is_implied = problem.code == "duplicate-name" and (problem.path, problem.line) in nameless
        if problem.path in places and not is_implied:
            yield replace(problem, column=max(problem.column, 1))


def _merge_entries(entries: Sequence[FileEntry]) -> FileEntry:
    return FileEntry(
        resources=tuple(resource for entry in entries for resource in entry.resources),
        problems=tuple(problem for entry in entries for problem in entry.problems),
        identified=tuple(identified for entry in entries for identified in entry.identified),
        unreadable=any(entry.unreadable for entry in entries),
        documents=sum(entry.documents for entry in entries),
    )
