"""The files of a working tree: read, checked, watched. No history, no store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from reconciler.errors import TooLarge, UsageError
from reconciler.model.spec import RESOURCE_SUFFIXES, SCHEMA_SUFFIX
from reconciler.reconcile.check import CheckResult, WatchedTree, check_tree
from reconciler.reconcile.faults import cannot_judge
from reconciler.service.paths import no_such_path, relative_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.watchtree import Watcher
    from reconciler.adapters.worktree import WorkingTree
    from reconciler.model.commit import NotContent
    from reconciler.model.problem import Problem
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.read import Progress
    from reconciler.reconcile.rules import BundledSchemas, Layout

    OpenWatcher = Callable[[Path, str, Callable[[str], bool]], AbstractContextManager[Watcher]]


class FileTree(Protocol):
    """The files that count: of a folder as it is, of a working tree or an index as git would commit it."""

    def files(self, paths: Collection[str]) -> Mapping[str, bytes | NotContent]:
        """What those of some paths hold where there is a file or what stands for one."""

    def read(self, wanted: Callable[[str], bool], subfolder: str = "") -> Iterator[tuple[str, bytes | NotContent]]:
        """The wanted files below a folder, and whatever is no file, sorted by path.

        Raises `UsageError` when there is no such folder, `NeedsHuman` when something cannot be read, and `TooLarge`.
        """


class Checkout(Struct, frozen=True):
    """A working tree from one folder in it on: its layout, and what is wrong with the settings that say so.

    `tree` is what counts of it, `disk` the files as they lie there. `warning` says why the two are the same although
    there is a repository; empty when that is not so.
    """

    root: Path
    folder: str
    layout: Layout
    problems: tuple[Problem, ...]
    bundled: BundledSchemas
    tree: FileTree
    disk: WorkingTree
    faults: FaultFinder
    warning: str = ""

    def read(self, wanted: Callable[[str], bool] | None = None) -> dict[str, bytes | NotContent]:
        """The files that count, or those that are wanted, by their paths from the root."""
        counts = wanted or (lambda path: self.layout.role(path) is not None)
        return dict(self.tree.read(counts, self.folder))

    def check(self, files: dict[str, bytes | NotContent], progress: Progress = lambda done, total: None) -> CheckResult:
        """Check files of it as if they were all."""
        return check_tree(files, self.layout, self.bundled, self.faults, self.problems, progress)

    def check_paths(self, paths: Sequence[Path], progress: Progress = lambda done, total: None) -> CheckResult:
        """Check all files; with paths, give the problems of these only.

        Raises `UsageError` for a path outside the tree, and for a file that does not count as configuration.
        """
        try:
            files = self.read()
        except TooLarge as error:
            problem = cannot_judge(self.folder or ".", str(error), error.hint)
            return CheckResult((problem,), {}, self.bundled.kinds)
        selected = self.select(paths, files.__contains__)
        if not all(path.exists() or any(map(self.select([path], files.__contains__), files)) for path in paths):
            raise no_such_path(next(path for path in paths if not path.exists()))
        checked = self.check(files, progress)
        return checked.select(selected) if paths else checked

    @contextmanager
    def watch(self, paths: Sequence[Path], open_watcher: OpenWatcher) -> Iterator[Watch]:
        """Check all files and go on watching them; raises as `check_paths` does."""
        tree = WatchedTree(self.tree.files, self.tree.read, self.folder, self.bundled, self.faults)
        with open_watcher(self.root, self.folder, _may_count) as watcher:
            first = tree.check()
            selected = self.select(paths, first.entries.__contains__) if paths else None
            yield Watch(first.select(selected) if selected else first, watcher.trouble, tree, watcher, selected)

    def select(self, paths: Sequence[Path], counts: Callable[[str], bool]) -> Callable[[str], bool]:
        """Whether a path from the root is one of some paths of the command line, or below one; all are when none is.

        Raises `UsageError` for one outside the tree, and for a file that does not count.
        """
        selected = tuple(relative_path(self.root, path) for path in paths)
        for relative, path in zip(selected, paths, strict=True):
            if path.is_file() and not counts(str(relative)):
                raise UsageError(
                    f"{path} is not part of the configuration",
                    hint="files are named *.yaml or *.yml, and are in no other repository; for --staged, git add them",
                )
        if not all(relative.parts for relative in selected) or not selected:
            return lambda path: True
        prefixes = tuple(f"{relative}/" for relative in selected)  # as text: it is asked for every file
        return lambda path: f"{path}/".startswith(prefixes)


class Watch(Struct, frozen=True):
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


def _may_count(path: str) -> bool:
    """Whether any layout could count a file. A name that is not UTF-8 is reported in another spelling, once."""
    is_candidate = path.endswith((*RESOURCE_SUFFIXES, SCHEMA_SUFFIX))
    return is_candidate and not any("\ud800" <= letter <= "\udfff" for letter in path)
