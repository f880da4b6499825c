"""The files of a working tree on disk: checked, formatted, watched, and written anew. No git, no store."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.importing.documents import Folders
from reconciler.reconcile.check import CheckResult, WatchedTree, check_tree
from reconciler.reconcile.format import ROLES, FormattedTree, format_tree
from reconciler.reconcile.importrows import RowImport, plan_import, verify_import
from reconciler.reconcile.policytests import Policies, PolicyTester, PolicyTestRun, is_policy_file, read_policies
from reconciler.reconcile.rules import RESOURCE_SUFFIXES, SCHEMA_SUFFIX, BundledSchemas, Layout, Role, read_kinds
from reconciler.scaffold.files import NewFiles, scaffold_repository
from reconciler.scaffold.paths import EDITOR_FOLDER, join_path, path_between, schema_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from reconciler.adapters.watchtree import Watcher
    from reconciler.adapters.worktree import WorkingTree
    from reconciler.importing.tables import RawTable
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Problem
    from reconciler.ports import PolicyEngine

    OpenWatcher = Callable[[Path, str, Callable[[str], bool]], AbstractContextManager[Watcher]]
    ReadTables = Callable[[Kinds], tuple[list[RawTable], tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree from one folder in it on: its layout, and what is wrong with the settings that say so."""

    root: Path
    folder: str
    layout: Layout
    problems: tuple[Problem, ...]
    bundled: BundledSchemas
    tree: WorkingTree

    def read(self, wanted: Callable[[str], bool] | None = None) -> dict[str, bytes | EntryType]:
        """The files that count, or those that are wanted, by their paths from the root."""
        counts = wanted or (lambda path: self.layout.role(path) is not None)
        return dict(self.tree.read(counts, self.folder))

    def check(self, files: dict[str, bytes | EntryType]) -> CheckResult:
        """Check files of it as if they were all."""
        return check_tree(files, self.layout, self.bundled, self.problems)

    def check_paths(self, paths: Sequence[Path]) -> CheckResult:
        """Check all files; with paths, give the problems of these only.

        Raises `UsageError` for a path outside the tree, and for a file that does not count as configuration.
        """
        files = self.read()
        selected = self.select(paths, files.__contains__)
        return self.check(files).select(selected) if paths else self.check(files)

    def format_paths(self, paths: Sequence[Path]) -> FormattedTree:
        """The canonical form of all files, or of some. Of other files than these, only schemas are read."""
        role = self.layout.role
        selected = self.select(paths, lambda path: role(path) in ROLES)
        files = self.read(lambda path: role(path) is Role.SCHEMA or (role(path) in ROLES and selected(path)))
        return format_tree(files, self.layout, self.bundled)

    @contextmanager
    def watch(self, paths: Sequence[Path], open_watcher: OpenWatcher) -> Iterator[Watch]:
        """Check all files and go on watching them; raises as `check_paths` does."""
        tree = WatchedTree(self.tree.file, self.tree.read, self.folder, self.bundled)
        with open_watcher(self.root, self.folder, _may_count) as watcher:
            first = tree.check()
            selected = self.select(paths, first.entries.__contains__) if paths else None
            yield Watch(first.select(selected) if selected else first, watcher.trouble, tree, watcher, selected)

    def policies(self) -> Policies:
        """The policies and their tests."""
        policies, _ = self._read_policies()
        return policies

    def test_policies(self, engine: PolicyEngine, names: Collection[str]) -> PolicyTestRun:
        """Test all policies, or those with some names. Raises `UsageError` for a name that none has."""
        policies, kinds = self._read_policies()
        return PolicyTester(engine, kinds, self.layout.spec.prune.mode).test(policies, names)

    def select(self, paths: Sequence[Path], counts: Callable[[str], bool]) -> Callable[[str], bool]:
        """Whether a path from the root is one of some paths of the command line, or below one; all are when none is.

        Raises `UsageError` for one outside the tree, and for a file that does not count.
        """
        selected = tuple(relative_path(self.root, path) for path in paths)
        for relative, path in zip(selected, paths, strict=True):
            if path.is_file() and not counts(str(relative)):
                raise UsageError(f"{path} is not part of the configuration", hint="files are named *.yaml or *.yml")
        if not all(relative.parts for relative in selected) or not selected:
            return lambda path: True
        prefixes = tuple(f"{relative}/" for relative in selected)  # as text: it is asked for every file
        return lambda path: f"{path}/".startswith(prefixes)

    def _read_policies(self) -> tuple[Policies, Kinds]:
        role = self.layout.role
        files = self.read(lambda path: role(path) is Role.SCHEMA or is_policy_file(self.layout, path))
        schemas = {path: data for path, data in files.items() if role(path) is Role.SCHEMA and isinstance(data, bytes)}
        kinds, schema_problems = read_kinds(schemas, self.bundled)
        policies = read_policies(files, self.layout)
        problems = tuple(sorted((*self.problems, *schema_problems, *policies.problems)))
        return replace(policies, problems=problems), kinds


@dataclass(frozen=True, slots=True)
class Watch:
    """A working tree under watch. `trouble` says why the operating system reports no changes; empty when it does."""

    first: CheckResult
    trouble: str
    _tree: WatchedTree
    _watcher: Watcher
    _selected: Callable[[str], bool] | None

    def await_change(self) -> tuple[frozenset[str], CheckResult]:
        """Wait for a change: the files that changed, and what is wrong now. Raises as `WatchedTree.follow` does."""
        changed, checked = self._tree.follow(self._watcher.wait)
        return changed, checked.select(self._selected) if self._selected else checked


def relative_path(root: Path, path: Path) -> PurePosixPath:
    """A path of the command line as one from the root. Raises `UsageError` for one outside of it."""
    whole = path.resolve()
    if not whole.is_relative_to(root):
        raise UsageError(f"{path} is outside the repository {root}", hint="name the other repository with --repo")
    return PurePosixPath(whole.relative_to(root).as_posix())


def start_folder(paths: Sequence[Path], repository: Path) -> Path:
    """Where to look for a working tree: at the repository that is set, else at the first path.

    Raises `UsageError` for a path that is not there.
    """
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no file or folder {missing}")
    return paths[0] if paths and repository == Path() else repository


def _may_count(path: str) -> bool:
    """Whether any layout could count a file. A name that is not UTF-8 is reported in another spelling, once."""
    is_candidate = path.endswith((*RESOURCE_SUFFIXES, SCHEMA_SUFFIX))
    return is_candidate and not any("\ud800" <= letter <= "\udfff" for letter in path)


@dataclass(frozen=True, slots=True)
class BundledFiles:
    """Files that come with the program, by path: schemas of kinds, schemas for editors only, templates."""

    schemas: Mapping[str, bytes]
    editor_schemas: Mapping[str, bytes]
    templates: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A working tree to write new files into. `schemas` holds what its editors read, by file name."""

    author: NewFiles
    root: Path
    schemas: Mapping[str, bytes]

    def relative_path(self, path: Path) -> str:
        """A path of the command line as one from the root. Raises `UsageError` for one outside the tree."""
        return str(relative_path(self.root, path))


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made: the rows and new files, the kinds, and the tables that are no kind's."""

    adoption: RowImport
    kinds: Kinds
    skipped: tuple[str, ...]


def load_scaffold(
    checkout: Checkout, files: BundledFiles, exists: Callable[[str], bool], roles: Collection[Role] = tuple(Role)
) -> Scaffold:
    """The scaffold of a working tree; of its files only those in some roles are read."""
    role = checkout.layout.role
    contents = checkout.read(lambda path: role(path) in roles)
    checked = checkout.check(contents)
    own = frozenset(kind.name for kind in checked.kinds) - checkout.bundled.kinds.by_name.keys()
    texts = {**files.schemas, **{path: data for path, data in contents.items() if isinstance(data, bytes)}}
    schemas = {schema_file(kind): texts[kind.origin] for kind in checked.kinds}
    author = NewFiles(
        base=checkout.folder,
        kinds=checked.kinds,
        own=own,
        problems=checked.problems,
        entries=checked.entries,
        counts=lambda path: role(path) is Role.RESOURCES,
        exists=exists,
    )
    return Scaffold(author, checkout.root, {**schemas, **files.editor_schemas})


def new_repository(kinds: Kinds, files: BundledFiles, new_id: Callable[[], str]) -> Mapping[str, bytes]:
    """The files of a new config repository, by path; `new_id` gives the ids of its examples."""
    schemas = {schema_file(kind): files.schemas[kind.origin] for kind in kinds}
    return scaffold_repository(files.templates, {**schemas, **files.editor_schemas}, kinds, new_id)


def import_rows(
    checkout: Checkout, to: Path | None, read_tables: ReadTables, write_new: Callable[[Mapping[str, str]], None]
) -> Imported:
    """Write rows as new files of a working tree, and verify_import that they say the same.

    `to` is a folder in that tree, `read_tables` gives the rows and the tables that are no kind's. Raises `UsageError`
    where the folder makes no sense.
    """
    top = "/".join(relative_path(checkout.root, to).parts) if to is not None else checkout.folder
    before = checkout.read() if checkout.root.is_dir() else {}
    checked = checkout.check(before)
    tables, skipped = read_tables(checked.kinds)
    first_line = partial(_schema_line, checkout, before)
    adoption = plan_import(tables, checked, Folders(top, checked.entries, before), first_line)
    for path in adoption.files:
        if checkout.layout.role(path) is not Role.RESOURCES:
            raise UsageError(f"{path} would not be part of the configuration", hint="choose another folder with --to")
    if adoption.files:
        write_new(adoption.files)
        verify_import(adoption, checkout.check(checkout.read()))
    return Imported(adoption, checked.kinds, skipped)


def choose_kind(kinds: Kinds, word: str, hint: str = "") -> Kind:
    """The kind of some rows. Raises `UsageError` when there is none."""
    kind = kinds.find(word)
    if kind is None:
        names = ", ".join(kind.name for kind in kinds)
        raise UsageError(f"there is no kind {word}", hint=f"{hint or 'choose one'}: {names}")
    return kind


def _schema_line(checkout: Checkout, files: Collection[str], kind: Kind, path: str) -> str:
    """The comment that names the schema for editors; empty when the repository has no file of it."""
    exported = join_path(checkout.folder, f"{EDITOR_FOLDER}/{schema_file(kind)}")
    is_exported = (checkout.root / exported).is_file()
    schema = exported if is_exported else kind.origin if kind.origin in files else ""
    return f"yaml-language-server: $schema={path_between(schema, path)}" if schema else ""
