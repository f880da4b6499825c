"""The working tree and the files that come with the program, for commands that read no repository and no store."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.adapters.files import replace_content
from reconciler.adapters.freshprocess import call_fresh
from reconciler.adapters.git.committable import StagedFiles, UncommittedFiles, find_work_tree
from reconciler.adapters.git.process import not_a_repository
from reconciler.adapters.git.repository import open_repository
from reconciler.adapters.logfile import EventLog
from reconciler.adapters.worktree import WorkingTree, find_root, is_bare
from reconciler.errors import NeedsHuman, UsageError
from reconciler.reconcile.check import read_layout
from reconciler.reconcile.faults import FaultFinder
from reconciler.reconcile.rules import Layout
from reconciler.service.paths import relative_path
from reconciler.service.workingtree import Checkout
from reconciler.wiring.bundled import bundled_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.git.committable import Draft
    from reconciler.adapters.git.repository import GitSource
    from reconciler.adapters.watchtree import Watcher
    from reconciler.editing.edited import EditedFile
    from reconciler.model.limits import Limits
    from reconciler.service.workingtree import FileTree


LOGGER = "reconciler.judging"
"""The logger of what cannot be judged: below that of the program, which the daemon writes down."""


def fault_finder() -> FaultFinder:
    """What tells a commit's fault from the machine's."""
    return FaultFinder(call_fresh, EventLog(logging.getLogger(LOGGER)))


def open_checkout(
    start: Path, folder: str, limits: Limits | None = None, *, named: Sequence[Path] = (), staged: bool = False
) -> Checkout:
    """The working tree around `start`, from `folder` inside it on, as git would commit it.

    `named` files are read even if git ignores them. With `staged` it is the index that counts. Without a repository, or
    where git is not installed or refuses to read it, all files of the folder count.
    """
    start = start.resolve()
    if is_bare(start):
        hint = "name a clone of it with --repo; `reconciler plan --base REV` needs none"
        raise UsageError(f"{start} is a bare repository: it has no files to look at", hint=hint)
    root, bundled = find_root(start), bundled_kinds()
    disk = WorkingTree(root, limits)
    tree, warning = _open_index(root, limits) if staged else _open_files(disk, named, limits)
    settings_file = Layout(folder).settings_file
    layout, problems = read_layout(tree.files([settings_file]).get(settings_file), folder, bundled)
    return Checkout(root, folder, layout, problems, bundled, tree, disk, fault_finder(), warning)


def _open_files(disk: WorkingTree, named: Sequence[Path], limits: Limits | None) -> tuple[FileTree, str]:
    try:
        place = find_work_tree(disk.root)
    except NeedsHuman as error:
        return disk, f"every file counts, whether git would commit it or not: {error}"
    if place is None:
        return disk, ""
    given = [str(relative_path(disk.root, path)) for path in named if path.is_file() and not path.is_symlink()]
    return UncommittedFiles(place, limits, given), ""


def _open_index(root: Path, limits: Limits | None) -> tuple[FileTree, str]:
    place = find_work_tree(root)
    if place is None:
        raise not_a_repository(root)
    return StagedFiles(place, limits), ""


def write_formatted(root: Path, path: str, content: bytes) -> None:
    """Replace a file of a working tree by its canonical form."""
    replace_content(root / path, content)


def write_edited(root: Path, files: Sequence[EditedFile]) -> None:
    """Replace files of a working tree that are as they were read: all of them, or none.

    Raises `RefusedError` for one that somebody has changed meanwhile, and what the disk refuses.
    """
    written: list[EditedFile] = []
    try:
        for file in files:
            replace_content(root / file.path, file.after, before=file.before)
            written.append(file)
    except BaseException:
        for file in written:
            replace_content(root / file.path, file.before, before=file.after)
        raise


@contextmanager
def open_draft(checkout: Checkout, edits: Mapping[str, bytes]) -> Iterator[tuple[GitSource, Draft] | None]:
    """The repository of a working tree with one more commit: what counts of the tree, with some files edited.

    None without a repository. Nothing is written to it.
    """
    place = find_work_tree(checkout.root)
    if place is None:
        yield None
        return
    limits, role = checkout.disk.limits, checkout.layout.role
    with (
        UncommittedFiles(place, limits).draft(lambda path: role(path) is not None, edits) as draft,
        open_repository(checkout.root, limits=limits, variables=draft.variables) as source,
    ):
        yield source, draft


def open_watcher(root: Path, folder: str, wanted: Callable[[str], bool]) -> AbstractContextManager[Watcher]:
    """The changes of files below a folder."""
    from reconciler.adapters.watchtree import Watcher

    return Watcher(root, folder, wanted)
