"""Working trees as they lie on disk: no git, no store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.reconcile.check import CheckResult, check_tree, read_layout
from reconciler.reconcile.rules import Layout, Role
from reconciler.wiring.program import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reconciler.adapters.worktree import WorkingTree
    from reconciler.format.format import Formatted
    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Problem
    from reconciler.reconcile.format import FormattedTree
    from reconciler.reconcile.rules import BundledSchemas


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree from one folder in it on: how it is laid out, and what is wrong with what says so."""

    root: Path
    folder: str
    layout: Layout
    problems: tuple[Problem, ...]
    shipped: BundledSchemas
    tree: WorkingTree

    def read(self, wanted: Callable[[str], bool] | None = None) -> dict[str, bytes | EntryType]:
        """The files that count, or those that are wanted, by their paths from the root."""
        counts = wanted or (lambda path: self.layout.role(path) is not None)
        return dict(self.tree.read(counts, self.folder))

    def check(self, files: dict[str, bytes | EntryType]) -> CheckResult:
        """Check files of it as if they were all."""
        return check_tree(files, self.layout, self.shipped, self.problems)

    def selection(self, paths: Sequence[Path], counts: Callable[[str], bool]) -> Callable[[str], bool]:
        """Whether a path from the root is one of some paths of the command line, or below one; all are when none is.

        Raises `UsageError` for one outside the tree, and for a file that does not count.
        """
        selected = tuple(inside(self.root, path) for path in paths)
        for place, path in zip(selected, paths, strict=True):
            if path.is_file() and not counts(str(place)):
                raise UsageError(f"{path} is not part of the configuration", hint="files are named *.yaml or *.yml")
        if not all(place.parts for place in selected) or not selected:
            return lambda path: True
        prefixes = tuple(f"{place}/" for place in selected)  # as text: it is asked for every file
        return lambda path: f"{path}/".startswith(prefixes)


def checkout(start: Path, folder: str) -> Checkout:
    """The working tree around `start`, from `folder` inside it on."""
    from reconciler.adapters.worktree import WorkingTree, find_root

    root = find_root(start.resolve())
    tree, known = WorkingTree(root), shipped()
    layout, problems = read_layout(tree.file(Layout(folder).settings_file), folder, known)
    return Checkout(root, folder, layout, problems, known, tree)


def inside(root: Path, path: Path) -> PurePosixPath:
    """A path of the command line as one from the root. Raises `UsageError` for one outside of it."""
    whole = path.resolve()
    if not whole.is_relative_to(root):
        raise UsageError(f"{path} is outside the repository {root}", hint="name the other repository with --repo")
    return PurePosixPath(whole.relative_to(root).as_posix())


def check_folder(start: Path, folder: str, paths: Sequence[Path]) -> CheckResult:
    """Check the working tree around `start`, from `folder` inside it on; of `paths` only, when there are any.

    Raises `UsageError` for a path outside that tree, and for a file in it that does not count as configuration.
    """
    at = checkout(start, folder)
    files = at.read()
    selected = at.selection(paths, files.__contains__)
    return at.check(files).select(selected) if paths else at.check(files)


def format_folder(start: Path, folder: str, paths: Sequence[Path]) -> tuple[Path, FormattedTree]:
    """The root of the working tree around `start`, and the canonical form of its files; `paths` as in `check_folder`.

    Of other files than these, only schemas are read. Nothing is written.
    """
    from reconciler.reconcile.format import ROLES, format_tree

    at = checkout(start, folder)
    role = at.layout.role
    selected = at.selection(paths, lambda path: role(path) in ROLES)
    files = at.read(lambda path: role(path) is Role.SCHEMA or (role(path) in ROLES and selected(path)))
    return at.root, format_tree(files, at.layout, at.shipped)


def write_formatted(root: Path, file: Formatted) -> None:
    """Write the canonical form of a file of the tree at `root`."""
    from reconciler.adapters.files import replace_content

    replace_content(root / file.path, file.after)
