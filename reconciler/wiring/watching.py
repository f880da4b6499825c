"""A working tree that is checked again as its files change."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.reconcile.rules import RESOURCE_SUFFIXES, SCHEMA_SUFFIX
from reconciler.wiring.checkout import checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reconciler.adapters.watchtree import Watcher
    from reconciler.reconcile.check import CheckResult, WatchedTree


@dataclass(frozen=True, slots=True)
class Watch:
    """A working tree under watch. `trouble` says why the operating system tells no changes; empty when it does."""

    first: CheckResult
    trouble: str
    _tree: WatchedTree
    _watcher: Watcher
    _selected: Callable[[str], bool] | None

    def following(self) -> tuple[frozenset[str], CheckResult]:
        """Wait for a change: the files that changed, and what is wrong now. Raises as `WatchedTree.follow` does."""
        changed, checked = self._tree.follow(self._watcher.wait)
        return changed, checked.select(self._selected) if self._selected else checked


@contextmanager
def watch_folder(start: Path, folder: str, paths: Sequence[Path]) -> Iterator[Watch]:
    """Check the working tree around `start` and go on watching it; raises as `check_folder` does."""
    from reconciler.adapters.watchtree import Watcher
    from reconciler.reconcile.check import WatchedTree

    at = checkout(start, folder)
    tree = WatchedTree(at.tree.file, at.tree.read, folder, at.shipped)
    with Watcher(at.root, folder, _may_count) as watcher:
        first = tree.check()
        selected = at.selection(paths, first.entries.__contains__) if paths else None
        yield Watch(first.select(selected) if selected else first, watcher.trouble, tree, watcher, selected)


def _may_count(path: str) -> bool:
    """Whether any layout could count a file. A name that is not UTF-8 is told in another spelling, once."""
    return path.endswith((*RESOURCE_SUFFIXES, SCHEMA_SUFFIX)) and not any(
        "\ud800" <= letter <= "\udfff" for letter in path
    )
