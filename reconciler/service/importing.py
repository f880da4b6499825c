"""Existing rows into a working tree: of databases, of exact CSV files, of spreadsheets as people have them."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.editing.assignments import make_edit
from reconciler.editing.edited import Declared
from reconciler.errors import UsageError
from reconciler.importing.assumptions import tell_fillings
from reconciler.importing.documents import Folders
from reconciler.importing.drafts import Drafts
from reconciler.importing.guessing import guess_mapping
from reconciler.importing.interpret import Interpreted, Open, interpret, open_problems
from reconciler.importing.mapping import SheetMapping, mapping_names, read_mapping, write_mapping
from reconciler.importing.sheets import letters
from reconciler.importing.tables import IncomingRows, normalize_references, read_rows
from reconciler.model.problem import NOT_LOCATED, Problem
from reconciler.model.spec import SCHEMA_SUFFIX
from reconciler.reconcile.importrows import Imported, declared_resources, plan_import, verify_import
from reconciler.reconcile.rules import Role
from reconciler.scaffold.files import EDITOR_FOLDER, join_path, path_between, schema_file
from reconciler.service.editing import edit_tree
from reconciler.service.paths import relative_path
from reconciler.values import replace
from reconciler.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.canonical import Value
    from reconciler.editing.edited import EditedTree
    from reconciler.editing.text import Edit
    from reconciler.importing.sheets import Sheet, Workbook
    from reconciler.importing.tables import RawTable
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Change, Resource
    from reconciler.model.commit import NotContent
    from reconciler.reconcile.check import CheckResult
    from reconciler.service.workingtree import Checkout

    Contents = dict[str, bytes | NotContent]
    Answers = Mapping[tuple[str, str, str], str]

MAPPINGS_FOLDER = ".reconciler/mappings"
"""Where a mapping is kept: hidden, because it is no configuration."""
MAX_QUESTIONS = 2
"""Questions that a person is asked; of more, none is."""


class Source(Struct, frozen=True):
    """A file to import: its exact `tables` where it has them, its sheets where it can be read as a spreadsheet.

    `skipped` names what is no kind's in it, `path` is where it is, from the root of the machine.
    """

    file: str
    tables: tuple[RawTable, ...] = ()
    workbook: Workbook | None = None
    skipped: tuple[str, ...] = ()
    path: str = ""


class GivenMapping(Struct, frozen=True):
    """A mapping that somebody wrote or accepted: its path for messages, and its text."""

    path: str
    text: bytes


class Importing:
    """Imports files into one working tree. `bundled` are schemas of kinds that shipped kinds refer to, by file name."""

    def __init__(
        self,
        checkout: Checkout,
        to: Path | None,
        read_sources: Callable[[Kinds], Sequence[Source]],
        bundled: Mapping[str, bytes],
        new_id: Callable[[], str],
    ) -> None:
        self._checkout, self._new_id = checkout, new_id
        self._top = "/".join(relative_path(checkout.root, to).parts) if to is not None else checkout.folder
        self._before: Contents = checkout.read() if checkout.root.is_dir() else {}
        checked = checkout.check(self._before)
        self._sources = tuple(read_sources(checked.kinds))
        self._added: dict[str, bytes] = {}
        if any(source.workbook is not None for source in self._sources):
            self._added = {
                path: data for path, data in self._missing(checked, bundled).items() if path not in self._before
            }
        self._checked = checkout.check({**self._before, **self._added}) if self._added else checked

    def plan(self, given: GivenMapping | None, kind: Kind | None, answers: Answers) -> Imported:
        """What an import would write. Files that are exact tables are read so, unless only a spreadsheet's eyes see
        no error in them.
        """
        exact = all(source.tables for source in self._sources if source.workbook is not None)
        if given is None and exact and not answers:
            planned = self._plan(given, kind, answers, as_sheets=False)
            if not planned.errors or all(source.workbook is None for source in self._sources):
                return planned
            other = self._plan(given, kind, answers, as_sheets=True)
            return planned if other.errors and not _is_only_open(other) else other
        return self._plan(given, kind, answers, as_sheets=True)

    def write(self, planned: Imported, write_new: Callable[[Mapping[str, str]], None]) -> None:
        """Write what was planned, and prove that it says what the rows say."""
        resources = planned.row_import.files
        for path in resources:
            if self._checkout.layout.role(path) is not Role.RESOURCES:
                raise UsageError(
                    f"{path} would not be part of the configuration", hint="choose another folder with --to"
                )
        if resources or planned.others:
            write_new({**planned.others, **resources})
        if resources:
            verify_import(planned.row_import, self._checkout.check(self._checkout.read()))

    def update(self, planned: Imported) -> EditedTree:
        """What was declared already with the values of the rows, in texts that are not written yet.

        A row leaves no field out: an empty cell says nothing. Raises `RefusedError` for what cannot be edited.
        """
        return edit_tree(self._checkout, lambda _: find_edits(planned.row_import.plan.changes, planned.kinds))

    def _missing(self, checked: CheckResult, bundled: Mapping[str, bytes]) -> dict[str, bytes]:
        """Schemas of kinds that the kinds here refer to and that are not here."""
        wanted = {
            one.kind.lower()
            for kind in checked.kinds
            for one in kind.references
            if one.kind not in checked.kinds.by_name
        }
        folder = self._checkout.layout.schemas_folder
        return {
            join_path(folder, name): data
            for name, data in bundled.items()
            if name.removesuffix(SCHEMA_SUFFIX) in wanted
        }

    def _plan(self, given: GivenMapping | None, kind: Kind | None, answers: Answers, *, as_sheets: bool) -> Imported:
        kinds = self._checked.kinds
        tables = [
            table for source in self._sources if source.workbook is None or not as_sheets for table in source.tables
        ]
        exact = read_rows(tables)
        drafts = Drafts(kinds, declared_resources(self._checked), self._new_id)
        done: list[Interpreted] = []
        found: list[Problem] = []
        mappings: dict[str, str] = {}
        sheets: dict[str, Sheet] = {}
        asked: list[Open] = []
        skipped: list[str] = []
        remarks: list[str] = []
        names = mapping_names([source.path for source in self._sources])
        for source in self._sources:
            book = source.workbook
            if book is None or not as_sheets:
                continue
            path = self._mapping_path(names[source.path])
            mapping, problems, is_given = self._mapping(given, path, book, kind)
            if is_given and given is None and not book.mapping:
                remarks.append(f"{source.file} is read by {path}, as at an earlier import")
            if book.encoding:
                remarks.append(f"{source.file} is read as {book.encoding}")
            found += problems
            if mapping is None:
                continue
            read = interpret(book, _answer(mapping, answers), kinds, drafts, is_given=is_given)
            done.append(read)
            mapped = {rule.sheet for rule in mapping.sheets}
            skipped += [f"the sheet {sheet.name}" for sheet in book.sheets if sheet.rows and sheet.name not in mapped]
            sheets |= {sheet.place: sheet for sheet in book.sheets}
            if given is not None and (self._checkout.root / path).is_file():
                remarks.append(f"the next import goes by {path} again: delete it to keep {given.path} in its place")
            text, lines = write_mapping(read.mapping, PurePosixPath(source.file.replace("\\", "/")).name)
            if not is_given or given is not None:
                mappings[path] = text
            asked += read.open
            found += open_problems(read.open, partial(_open_hint, lines))
        rows = () if asked or any(problem.is_error for problem in found) else tuple(drafts.rows())
        found += drafts.problems()
        told = tuple(found) + tuple(problem for read in done for problem in read.problems)
        incoming = IncomingRows((*exact.rows, *rows), (*exact.problems, *told))
        folders = Folders(self._top, self._checked.entries, {**self._before, **self._added})
        files: Collection[str] = {**self._before, **self._added}
        row_import = plan_import(
            incoming, self._checked, folders, partial(self._schema_line, files), self._checkout.faults
        )
        skipped += [name for source in self._sources for name in source.skipped]
        assumptions = tuple(one for read in done for one in read.assumptions) + tuple(tell_fillings(drafts))
        used = {row.kind for row in incoming.rows}
        others = {path: data.decode() for path, data in self._added.items() if self._is_used(path, used)}
        if row_import.files:
            others |= {path: text for path, text in mappings.items() if not (self._checkout.root / path).exists()}
        return Imported(
            replace(row_import, problems=tuple(_at_cells(row_import.problems, sheets))),
            kinds,
            tuple(skipped),
            self._checkout.root,
            assumptions,
            tuple(asked),
            mappings,
            others,
            tuple(self._before),
            bool(done),
            tuple(remarks),
        )

    def _is_used(self, path: str, used: Collection[Kind]) -> bool:
        return any(kind.origin == path for kind in used)

    def _mapping_path(self, names: Sequence[str]) -> str:
        """Where the mapping of a file is kept, under the first of its names that there is; else under the last one."""
        paths = [join_path(self._checkout.folder, f"{MAPPINGS_FOLDER}/{name}") for name in names]
        return next((path for path in paths if (self._checkout.root / path).is_file()), paths[-1])

    def _mapping(
        self, given: GivenMapping | None, path: str, book: Workbook, kind: Kind | None
    ) -> tuple[SheetMapping | None, tuple[Problem, ...], bool]:
        """The mapping of a workbook: the one that is given, its own, the one that is kept; else what can be guessed."""
        kept = self._checkout.root / path
        if given is not None:
            mapping, problems, _ = read_mapping(given.path, given.text)
            return mapping, problems, True
        if book.mapping:
            mapping, problems, _ = read_mapping(book.file, book.mapping.encode())
            return mapping, problems, True
        if kept.is_file():
            mapping, problems, _ = read_mapping(path, kept.read_bytes())
            return mapping, problems, True
        mapping = guess_mapping(book.sheets, self._checked.kinds, kind)
        if not mapping.sheets:
            raise _no_columns(book, self._checked.kinds)
        return mapping, (), False

    def _schema_line(self, files: Collection[str], kind: Kind, path: str) -> str:
        """The comment that names the schema for editors; empty when the repository has no file of it."""
        exported = join_path(self._checkout.folder, f"{EDITOR_FOLDER}/{schema_file(kind)}")
        is_exported = (self._checkout.root / exported).is_file()
        schema = exported if is_exported else kind.origin if kind.origin in files else ""
        return f"yaml-language-server: $schema={path_between(schema, path)}" if schema else ""


def find_edits(changes: Iterable[Change], kinds: Kinds) -> dict[Declared, tuple[Edit, ...]]:
    """The edits that give declared resources what rows say, from changes of the rows to what is declared."""
    edits: dict[Declared, tuple[Edit, ...]] = {}
    for change in changes:
        row, declared = change.old, change.new
        if row is None or declared is None:
            continue
        kind = kinds.by_name[row.kind]
        before, after = dict(_fields(kind, declared)), dict(_fields(kind, row))
        edits[Declared(declared.key, declared.path, declared.line, declared.id)] = tuple(
            make_edit(kind, name, value)
            for name, value in after.items()
            if value is not None and value != before.get(name)
        )
    return edits


def _fields(kind: Kind, resource: Resource) -> Iterator[tuple[str, Value]]:
    yield "metadata.name", resource.name
    for group, texts in (("labels", resource.labels), ("annotations", resource.annotations)):
        yield from ((f"metadata.{group}.{key}", text) for key, text in texts.items())
    refs = normalize_references(kind, {role: [*names] for role, names in resource.refs.items()})
    yield from ((f"metadata.refs.{role}", names) for role, names in refs.items())
    yield from ((f"spec.{name}", value) for name, value in resource.values.items())


def _answer(mapping: SheetMapping, answers: Answers) -> SheetMapping:
    """The mapping with what somebody answered to questions about columns of sheets."""
    if not answers:
        return mapping
    sheets = []
    for sheet in mapping.sheets:
        columns = []
        for rule in sheet.columns:
            said: dict[str, Any] = {
                key: value
                for (name, column, key), value in answers.items()
                if (name, column) == (sheet.sheet, rule.column)
            }
            to = [said.pop("to")] if "to" in said else rule.to
            columns.append(replace(rule, to=to, **said))
        sheets.append(replace(sheet, columns=columns))
    return replace(mapping, sheets=sheets)


def _is_only_open(planned: Imported) -> bool:
    return bool(planned.open) and len(planned.errors) == len(planned.open)


def _open_hint(lines: Mapping[tuple[str, str, str], int], one: Open) -> str:
    key = one.question.key
    line = lines.get((one.sheet, one.column, key), 0)
    choices = " or ".join(one.question.choices)
    decides = f"line {line} of the mapping decides it, `{key}: {choices}`"
    return f"{decides}: write the mapping with --write-map FILE, then import with --map FILE"


def _no_columns(book: Workbook, kinds: Kinds) -> UsageError:
    names = ", ".join(kind.name for kind in kinds)
    message, hint = f"no sheet of {book.file} has a row with the names of a kind's columns", f"kinds: {names}"
    for sheet in book.sheets:
        if sheet.is_settings:
            message = f"{book.file} is not read: none of its inputs is called like a field of a kind"
            hint = "`reconciler schema new KIND --from FILE` makes a kind and a resource of it"
        elif sheet.is_text and kinds.find(sheet.name) is None:
            message = f"there is no kind {sheet.name}{did_you_mean(sheet.name, [kind.name for kind in kinds])}"
            message += ", and no line has the names of a kind's columns"
            hint = f"say with --kind what the rows are: {names}"
    return UsageError(message, hint=hint)


def _at_cells(problems: Sequence[Problem], sheets: Mapping[str, Sheet]) -> list[Problem]:
    """Problems of sheets with the cell as their place: `desk.xlsx:Accounts!C12`."""
    placed = []
    for problem in problems:
        sheet = sheets.get(problem.path)
        if sheet is None or sheet.is_text:
            placed.append(problem)
        else:
            path = f"{problem.path}!{letters(max(problem.column, 1))}{problem.line}"
            placed.append(replace(problem, path=path, line=NOT_LOCATED, column=NOT_LOCATED))
    return placed
