"""Checking a whole tree: what its files declare and what is wrong with it. Needs no store and no history.

A watched tree is checked again whenever files change; only what changed is read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.decode.document import decode
from reconciler.model.commit import EntryType, NotContent
from reconciler.model.problem import Severity
from reconciler.reconcile.read import FileReader, describe_entry, locate_problems, not_a_file_problem
from reconciler.reconcile.rules import Layout, Role, read_kinds
from reconciler.snapshot import tree as trees
from reconciler.snapshot.snapshot import EmptyBase
from reconciler.snapshot.tree import find_tree_problems
from reconciler.validate.placeholders import find_placeholders, may_hold_placeholder
from reconciler.validate.validator import read_repository
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import FileEntry
    from reconciler.model.problem import Problem
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.read import Progress
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.snapshot.tree import Tree

    Content = bytes | NotContent | None
    """The contents of a file, what stands at its path instead, or None when there is nothing."""
    ReadFiles = Callable[[Collection[str]], Mapping[str, bytes | NotContent]]
    """Reads those of some files that are there. Raises `NeedsHuman` when one cannot be read."""
    ReadFolder = Callable[[Callable[[str], bool], str], Iterable[tuple[str, bytes | NotContent]]]
    """Reads the selected files below a folder, and whatever is no file. Raises `NeedsHuman` when one cannot be read."""

CHECKED_ROLES = (Role.RESOURCES, Role.SCHEMA, Role.SETTINGS)
"""The roles of the files that a check depends on."""
RETRY = 2.0
"""Seconds until files that could not be read are tried again: an editor on Windows locks what it writes."""


class CheckResult(Struct, frozen=True):
    """All problems of a tree in order, and what each of its files declares."""

    problems: tuple[Problem, ...]
    entries: Mapping[str, FileEntry]
    kinds: Kinds

    @property
    def documents(self) -> int:
        """The number of documents in all files."""
        return sum(entry.documents for entry in self.entries.values())

    @property
    def resources(self) -> int:
        """The number of valid resources in all files."""
        return sum(len(entry.resources) for entry in self.entries.values())

    def select(self, is_selected: Callable[[str], bool]) -> CheckResult:
        """The part that is about the selected paths."""
        problems = tuple(problem for problem in self.problems if is_selected(problem.path))
        entries = {path: entry for path, entry in self.entries.items() if is_selected(path)}
        return CheckResult(problems, entries, self.kinds)


def read_layout(settings: Content, folder: str, bundled: BundledSchemas) -> tuple[Layout, tuple[Problem, ...]]:
    """The layout that a working tree's `reconciler.yaml` asks for (None: there is none), and what is wrong with it."""
    layout = Layout(folder)
    if settings is None:
        return layout, ()
    if not isinstance(settings, bytes):
        return layout, (not_a_file_problem(layout.settings_file, settings, Severity.ERROR),)
    decoded = decode(layout.settings_file, settings)
    spec, problems = read_repository(layout.settings_file, decoded, bundled.repository)
    return layout if spec is None else Layout(folder, spec), problems


def check_tree(
    files: Mapping[str, bytes | NotContent],
    layout: Layout,
    bundled: BundledSchemas,
    faults: FaultFinder,
    layout_problems: tuple[Problem, ...] = (),
    progress: Progress = lambda done, total: None,
) -> CheckResult:
    """Check the files of a working tree, by path, as if they were a commit."""
    contents = {path: data for path, data in files.items() if isinstance(data, bytes)}
    schemas = {path: data for path, data in files.items() if _role(layout, path, data) is Role.SCHEMA}
    kinds, kind_problems = _read_schemas(schemas, bundled, faults)
    policy_problems = _find_unread(_unread_policies(layout, files))
    entries = _read_resources(FileReader(kinds, faults), files, layout, progress)
    tree = trees.update_tree(trees.load_base_tree(EmptyBase(), kinds), kinds, entries).tree
    problems = tuple(sorted((*layout_problems, *kind_problems, *policy_problems, *find_tree_problems(tree))))
    located = locate_problems(problems, lambda _: contents)
    return CheckResult(_add_placeholders(located, _placeholders_of(files, layout, kinds)), entries, kinds)


def _read_schemas(
    files: Mapping[str, bytes | NotContent], bundled: BundledSchemas, faults: FaultFinder
) -> tuple[Kinds, tuple[Problem, ...]]:
    """The kinds in force with some schemas, and what is wrong with these: no rule may be ignored silently."""
    kinds, problems = read_kinds(
        {path: data for path, data in files.items() if isinstance(data, bytes)}, bundled, faults
    )
    return kinds, (*_find_unread(files), *problems)


def _role(layout: Layout, path: str, content: Content) -> Role | None:
    return layout.role(path, content if isinstance(content, NotContent) else EntryType.FILE)


def _unread_policies(layout: Layout, files: Mapping[str, Content]) -> dict[str, Content]:
    """What stands in place of a policy, or of their folder, and is no file. Policies themselves are not run here."""
    others = ((path, data) for path, data in files.items() if isinstance(data, NotContent))
    return {path: data for path, data in others if layout.role(path, data) is Role.POLICY}


def _find_unread(files: Mapping[str, Content]) -> tuple[Problem, ...]:
    """An error for each entry that is no regular file, where a rule stands: none may be ignored silently."""
    others = ((path, data) for path, data in files.items() if isinstance(data, NotContent))
    return tuple(not_a_file_problem(path, data, Severity.ERROR) for path, data in others)


def _read_resources(
    reader: FileReader,
    files: Mapping[str, Content],
    layout: Layout,
    progress: Progress = lambda done, total: None,
) -> dict[str, FileEntry]:
    """What those of some files declare that are there and count."""
    texts: dict[str, bytes] = {}
    entries: dict[str, FileEntry] = {}
    for path, data in files.items():
        if isinstance(data, bytes):
            if layout.role(path) is Role.RESOURCES:
                texts[path] = data
        elif data is not None and layout.role(path, data) is Role.RESOURCES:
            entries[path] = describe_entry(path, data)
    return {**entries, **dict(zip(texts, reader.read_files(texts.items(), len(texts), progress), strict=True))}


def _placeholders_of(files: Mapping[str, Content], layout: Layout, kinds: Kinds) -> dict[str, tuple[Problem, ...]]:
    """The placeholders in those of some files that declare resources, by path. No commit is worse for them."""
    texts = ((path, data) for path, data in files.items() if isinstance(data, bytes) and may_hold_placeholder(data))
    resources = ((path, data) for path, data in texts if layout.role(path) is Role.RESOURCES)
    found = ((path, find_placeholders(path, decode(path, data), kinds)) for path, data in resources)
    return {path: problems for path, problems in found if problems}


def _add_placeholders(
    problems: tuple[Problem, ...], placeholders: Mapping[str, tuple[Problem, ...]]
) -> tuple[Problem, ...]:
    """All of it in order. What is wrong at a place anyway is told once."""
    if not placeholders:
        return problems
    places = {(problem.path, problem.line, problem.column) for problem in problems}
    listed = (one for found in placeholders.values() for one in found)
    return tuple(sorted((*problems, *(one for one in listed if (one.path, one.line, one.column) not in places))))


class TreeContents(Struct, frozen=True):
    """What is known of a watched tree: its settings and schemas, and what each of its files declares."""

    layout: Layout
    tree: Tree
    settings_problems: tuple[Problem, ...] = ()
    schemas: Mapping[str, bytes | NotContent] = field(default_factory=dict)
    schema_problems: tuple[Problem, ...] = ()
    unread_policies: Mapping[str, Content] = field(default_factory=dict)
    entries: Mapping[str, FileEntry] = field(default_factory=dict)
    placeholders: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)


class WatchedTree:
    """The files of a working tree from a folder on, and the result of checking them."""

    def __init__(
        self,
        read_files: ReadFiles,
        read_folder: ReadFolder,
        folder: str,
        bundled: BundledSchemas,
        faults: FaultFinder,
    ) -> None:
        self._read_files, self._read_folder = read_files, read_folder
        self._folder, self._bundled, self._faults = folder, bundled, faults
        self._reader = FileReader(bundled.kinds, faults)
        self._known = TreeContents(Layout(folder), trees.load_base_tree(EmptyBase(), bundled.kinds))
        self._unread: frozenset[str] = frozenset()

    def check(self) -> CheckResult:
        """Read and check everything, the first time."""
        settings = self._known.layout.settings_file
        known = self._with_settings(self._known, self._read_files([settings]).get(settings))
        files = self._read_folder(lambda path: known.layout.role(path) in CHECKED_ROLES, self._folder)
        return self._check_files(known, dict(files))

    def update(self, paths: Collection[str]) -> CheckResult:
        """Check again, with some files read anew.

        When one cannot be read, nothing changes, and the next update reads all of them.
        """
        self._unread |= frozenset(paths)
        known, files = self._known, self._read_present(self._unread)
        if known.layout.settings_file in files:
            known = self._with_settings(known, files[known.layout.settings_file])
            files = {**self._read_changed_roles(self._known.layout, known), **files}
        return self._check_files(known, files)

    def follow(self, wait: Callable[[float], frozenset[str]]) -> tuple[frozenset[str], CheckResult]:
        """Wait until files change that count, and check again; returns their paths and the result.

        `wait` waits for so many seconds at most and returns the changed paths. Raises `NeedsHuman` when a file cannot
        be read; the next call tries again, at the latest after `RETRY` seconds.
        """
        while True:
            paths = frozenset(path for path in wait(RETRY) if self._is_checked(path))
            if paths or self._unread:
                return paths | self._unread, self.update(paths)

    def _is_checked(self, path: str) -> bool:
        known = self._known
        is_known = path in known.entries or path in known.unread_policies or path in known.schemas
        return is_known or known.layout.role(path) in CHECKED_ROLES

    def _with_settings(self, known: TreeContents, settings: Content) -> TreeContents:
        layout, problems = read_layout(settings, self._folder, self._bundled)
        return replace(known, layout=layout, settings_problems=problems)

    def _read_changed_roles(self, old: Layout, known: TreeContents) -> dict[str, Content]:
        """The files with another role in the new layout: those that count now, and None for those that do not."""
        role = known.layout.role
        if old == known.layout:
            return {}
        gone = dict.fromkeys(path for path in (*known.entries, *known.schemas) if role(path) not in CHECKED_ROLES)
        new = self._read_folder(
            lambda path: role(path) in CHECKED_ROLES and role(path) is not old.role(path), self._folder
        )
        return {**gone, **dict(new)}

    def _check_files(self, known: TreeContents, files: Mapping[str, Content]) -> CheckResult:
        """Take over new contents of some files, and check."""
        kinds, known = self._with_schemas(known, files)
        if names := kinds.changed_from(known.tree.kinds):
            affected = _files_to_revalidate(known, names) - files.keys()
            files = {**files, **self._read_present(affected)}
        if kinds.digest != self._reader.kinds.digest:
            self._reader = FileReader(kinds, self._faults)
        entries = _read_resources(self._reader, files, known.layout)
        gone = (files.keys() & known.entries.keys()) - entries.keys()
        tree = trees.update_tree(known.tree, kinds, {**entries, **dict.fromkeys(gone, trees.NO_ENTRY)}).tree
        kept = {path: entry for path, entry in known.entries.items() if path not in gone} if gone else known.entries
        policies = {path: data for path, data in known.unread_policies.items() if path not in files}
        unread = {**policies, **_unread_policies(known.layout, files)}
        marked = {path: found for path, found in known.placeholders.items() if path not in files}
        marked |= _placeholders_of(files, known.layout, kinds)
        known = replace(known, tree=tree, entries={**kept, **entries}, unread_policies=unread, placeholders=marked)
        policy_problems = _find_unread(known.unread_policies)
        problems = (*known.settings_problems, *known.schema_problems, *policy_problems, *find_tree_problems(tree))
        located = locate_problems(tuple(sorted(problems)), self._read_texts)
        self._known, self._unread = known, frozenset()
        return CheckResult(_add_placeholders(located, marked), known.entries, kinds)

    def _with_schemas(self, known: TreeContents, files: Mapping[str, Content]) -> tuple[Kinds, TreeContents]:
        """The kinds in force, and the contents with the schemas among some files."""
        schemas = {path: data for path, data in known.schemas.items() if path not in files}
        for path, data in files.items():
            if data is not None and _role(known.layout, path, data) is Role.SCHEMA:
                schemas[path] = data
        if schemas == known.schemas:
            return known.tree.kinds, known
        kinds, problems = _read_schemas(schemas, self._bundled, self._faults)
        return kinds, replace(known, schemas=schemas, schema_problems=problems)

    def _read_present(self, paths: Collection[str]) -> dict[str, Content]:
        """What stands at some paths now, None for nothing."""
        return {**dict.fromkeys(paths), **self._read_files(paths)}

    def _read_texts(self, paths: Collection[str]) -> dict[str, bytes]:
        return {path: data for path, data in self._read_files(paths).items() if isinstance(data, bytes)}


def _files_to_revalidate(known: TreeContents, kinds: Collection[str]) -> set[str]:
    """The files that declare one of some kinds, whose schemas changed, and those with problems."""
    return {
        path
        for path, entry in known.entries.items()
        if entry.problems or any(resource.kind in kinds for resource in entry.resources)
    }
