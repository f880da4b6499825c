"""A whole tree at once: what is declared in some files and what is wrong with it. Needs no store and no history.

A watched tree is checked again whenever files change, and only what changed is read again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from reconciler.decode.document import decode
from reconciler.model.problem import Severity
from reconciler.model.resource import FileEntry
from reconciler.reconcile.read import Reader, locate, not_a_file
from reconciler.reconcile.rules import Layout, Role, read_kinds
from reconciler.snapshot import tree
from reconciler.snapshot import tree as trees
from reconciler.snapshot.base import EmptyBase
from reconciler.snapshot.tree import tree_problems
from reconciler.validate.repository import read_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Problem
    from reconciler.reconcile.rules import Shipped
    from reconciler.snapshot.tree import Tree

    Content = bytes | EntryType | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking a tree: every problem in order, and what each file declares."""

    problems: tuple[Problem, ...]
    entries: Mapping[str, FileEntry]
    kinds: Kinds

    @property
    def documents(self) -> int:
        """Documents in all files."""
        return sum(entry.documents for entry in self.entries.values())

    @property
    def resources(self) -> int:
        """Valid resources in all files."""
        return sum(len(entry.resources) for entry in self.entries.values())

    def among(self, selected: Callable[[str], bool]) -> Checked:
        """The part of it that is about some of the paths."""
        problems = tuple(problem for problem in self.problems if selected(problem.path))
        entries = {path: entry for path, entry in self.entries.items() if selected(path)}
        return Checked(problems, entries, self.kinds)


def read_layout(
    settings: bytes | EntryType | None, folder: str, shipped: Shipped
) -> tuple[Layout, tuple[Problem, ...]]:
    """The layout that a working tree's `reconciler.yaml` asks for (None: there is none), and what is wrong with it."""
    layout = Layout(folder)
    if settings is None:
        return layout, ()
    if not isinstance(settings, bytes):
        return layout, (not_a_file(layout.settings_file, settings, Severity.ERROR),)
    decoded = decode(layout.settings_file, settings)
    spec, problems = read_repository(layout.settings_file, decoded, shipped.repository)
    return layout if spec is None else Layout(folder, spec), problems


def check_tree(
    files: Mapping[str, bytes | EntryType], layout: Layout, shipped: Shipped, known: tuple[Problem, ...] = ()
) -> Checked:
    """Check the files of a working tree, by path, as if they were a commit; `known` are the problems of its layout."""
    contents = {path: data for path, data in files.items() if isinstance(data, bytes)}
    kinds, problems = read_kinds(_having(contents, layout, Role.SCHEMA), shipped)
    texts = _having(contents, layout, Role.RESOURCES)
    entries = {
        path: FileEntry(problems=(not_a_file(path, found),))
        for path, found in files.items()
        if not isinstance(found, bytes) and layout.role(path) is Role.RESOURCES
    }
    entries |= zip(texts, Reader(kinds).read(texts.items(), len(texts)), strict=True)
    grown = tree.advance(tree.plant(EmptyBase(), kinds), kinds, entries).tree
    found = tuple(sorted((*known, *problems, *tree_problems(grown))))
    return Checked(locate(found, lambda _: contents), entries, kinds)


def _having(contents: Mapping[str, bytes], layout: Layout, role: Role) -> dict[str, bytes]:
    return {path: data for path, data in contents.items() if layout.role(path) is role}


CHECKED = (Role.RESOURCES, Role.SCHEMA, Role.SETTINGS)
"""The roles of files that have a say in what a check finds."""
RETRY = 2.0
"""Seconds until files that could not be read are tried again: an editor on Windows locks what it writes."""


class Files(Protocol):
    """Files on disk, by their paths from the root. Raises `NeedsHuman` for what cannot be read."""

    def file(self, path: str) -> Content:
        """What a file holds; None when there is none."""
        ...

    def read(self, wanted: Callable[[str], bool], subfolder: str = "") -> Iterator[tuple[str, bytes | EntryType]]:
        """The wanted files below a folder and what they hold."""
        ...


class Changes(Protocol):
    """What happens to files."""

    def wait(self, seconds: float) -> frozenset[str]:
        """The files that came, went or changed; none when nothing did for so many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a tree: what its settings and schemas say, and what each of its files declares."""

    layout: Layout
    tree: Tree
    settings_problems: tuple[Problem, ...] = ()
    schemas: Mapping[str, bytes] = field(default_factory=dict)
    schema_problems: tuple[Problem, ...] = ()
    entries: Mapping[str, FileEntry] = field(default_factory=dict)


class WatchedTree:
    """The files of a working tree from a folder on, and what came of checking them."""

    def __init__(self, files: Files, folder: str, shipped: Shipped) -> None:
        self._files, self._folder, self._shipped = files, folder, shipped
        self._reader = Reader(shipped.kinds)
        self._state = State(Layout(folder), trees.plant(EmptyBase(), shipped.kinds))
        self._waiting: frozenset[str] = frozenset()

    def check(self) -> Checked:
        """Read and check everything, the first time."""
        state = self._configured(self._state, self._files.file(self._state.layout.settings_file))
        return self._taken(state, dict(self._files.read(lambda path: state.layout.role(path) in CHECKED, self._folder)))

    def update(self, paths: Collection[str]) -> Checked:
        """Check again, with some files read anew.

        When one cannot be read, nothing is taken over, and the next update reads all of them.
        """
        self._waiting |= frozenset(paths)
        state, found = self._state, {path: self._files.file(path) for path in self._waiting}
        if state.layout.settings_file in found:
            state = self._configured(state, found[state.layout.settings_file])
            found = {**self._turned(self._state.layout, state), **found}
        return self._taken(state, found)

    def follow(self, changes: Changes) -> tuple[frozenset[str], Checked]:
        """Wait until files change that have a say, and check again: which, and what came of it.

        Raises what `Files` raises; the next call tries again, at the latest after `RETRY` seconds.
        """
        while True:
            paths = frozenset(path for path in changes.wait(RETRY) if self._counts(path))
            if paths or self._waiting:
                return paths | self._waiting, self.update(paths)

    def _counts(self, path: str) -> bool:
        return path in self._state.entries or self._state.layout.role(path) in CHECKED

    def _configured(self, state: State, settings: Content) -> State:
        layout, problems = read_layout(settings, self._folder, self._shipped)
        return replace(state, layout=layout, settings_problems=problems)

    def _turned(self, old: Layout, state: State) -> dict[str, Content]:
        """The files that are something else in another layout, and what those hold that count in it."""
        role = state.layout.role
        if old == state.layout:
            return {}
        gone = dict.fromkeys(path for path in (*state.entries, *state.schemas) if role(path) not in CHECKED)
        came = self._files.read(lambda path: role(path) in CHECKED and role(path) is not old.role(path), self._folder)
        return {**gone, **dict(came)}

    def _taken(self, state: State, found: Mapping[str, Content]) -> Checked:
        """Go on to the state with other contents in some files, and say what is wrong there."""
        kinds, state = self._judging(state, found)
        if names := kinds.changed_from(state.tree.kinds):
            concerned = _concerned(state, names) - found.keys()
            found = {**found, **{path: self._files.file(path) for path in concerned}}
        entries = self._read(state.layout, kinds, found)
        gone = (found.keys() & state.entries.keys()) - entries.keys()
        grown = trees.advance(state.tree, kinds, {**entries, **dict.fromkeys(gone, trees.NOTHING)}).tree
        kept = {path: entry for path, entry in state.entries.items() if path not in gone} if gone else state.entries
        state = replace(state, tree=grown, entries={**kept, **entries})
        problems = (*state.settings_problems, *state.schema_problems, *tree_problems(grown))
        checked = Checked(locate(tuple(sorted(problems)), self._contents), state.entries, kinds)
        self._state, self._waiting = state, frozenset()
        return checked

    def _judging(self, state: State, found: Mapping[str, Content]) -> tuple[Kinds, State]:
        """The kinds that are in force, and the state with its schemas."""
        schemas = {path: data for path, data in state.schemas.items() if path not in found}
        for path, data in found.items():
            if isinstance(data, bytes) and state.layout.role(path) is Role.SCHEMA:
                schemas[path] = data
        if schemas == state.schemas:
            return state.tree.kinds, state
        kinds, problems = read_kinds(schemas, self._shipped)
        return kinds, replace(state, schemas=schemas, schema_problems=problems)

    def _read(self, layout: Layout, kinds: Kinds, found: Mapping[str, Content]) -> dict[str, FileEntry]:
        """What those of the files declare that are there and count."""
        texts: dict[str, bytes] = {}
        entries: dict[str, FileEntry] = {}
        for path, data in found.items():
            if data is None or layout.role(path) is not Role.RESOURCES:
                continue
            if isinstance(data, bytes):
                texts[path] = data
            else:
                entries[path] = FileEntry(problems=(not_a_file(path, data),))
        if kinds.digest != self._reader.kinds.digest:
            self._reader = Reader(kinds)
        return {**entries, **dict(zip(texts, self._reader.read(texts.items(), len(texts)), strict=True))}

    def _contents(self, paths: Collection[str]) -> dict[str, bytes]:
        return {path: data for path in paths if isinstance(data := self._files.file(path), bytes)}


def _concerned(state: State, kinds: Collection[str]) -> set[str]:
    """The files to judge again when some kinds change: those that declare one, and those with problems."""
    return {
        path
        for path, entry in state.entries.items()
        if entry.problems or any(one.kind in kinds for one in entry.resources)
    }
