"""The working tree and the files that come with the program, for commands that read no repository and no store."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import load_bundled_schemas, load_schema
from reconciler.adapters.files import replace_content
from reconciler.adapters.freshprocess import call_fresh
from reconciler.adapters.logfile import EventLog
from reconciler.adapters.worktree import WorkingTree, find_root
from reconciler.reconcile.check import read_layout
from reconciler.reconcile.faults import FaultFinder
from reconciler.reconcile.rules import Layout, load_bundled
from reconciler.service.workingtree import Checkout

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.watchtree import Watcher
    from reconciler.model.limits import Limits
    from reconciler.reconcile.rules import BundledSchemas


LOGGER = "reconciler.judging"
"""The logger of what cannot be judged: below that of the program, which the daemon writes down."""


@lru_cache(maxsize=1)
def bundled_kinds() -> BundledSchemas:
    """The kinds that come with the program."""
    return load_bundled(load_bundled_schemas(), load_schema("kind"), load_schema("repository"))


def fault_finder() -> FaultFinder:
    """What tells a commit's fault from the machine's."""
    return FaultFinder(call_fresh, EventLog(logging.getLogger(LOGGER)))


def open_checkout(start: Path, folder: str, limits: Limits | None = None) -> Checkout:
    """The working tree around `start`, from `folder` inside it on."""
    root, bundled = find_root(start.resolve()), bundled_kinds()
    tree = WorkingTree(root, limits)
    layout, problems = read_layout(tree.file(Layout(folder).settings_file), folder, bundled)
    return Checkout(root, folder, layout, problems, bundled, tree, fault_finder())


def write_formatted(root: Path, path: str, content: bytes) -> None:
    """Replace a file of a working tree by its canonical form."""
    replace_content(root / path, content)


def open_watcher(root: Path, folder: str, wanted: Callable[[str], bool]) -> AbstractContextManager[Watcher]:
    """The changes of files below a folder."""
    from reconciler.adapters.watchtree import Watcher

    return Watcher(root, folder, wanted)
