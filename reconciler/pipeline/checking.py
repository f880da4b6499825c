"""A whole tree at once: what is declared in some files and what is wrong with it. Needs no store and no history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.pipeline.kindset import read_kinds
from reconciler.pipeline.layout import Layout, Role
from reconciler.pipeline.locating import locate
from reconciler.pipeline.reading import Reader, not_a_file
from reconciler.snapshot import crosscheck, tree
from reconciler.snapshot.base import EmptyBase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Problem
    from reconciler.model.resource import FileEntry
    from reconciler.pipeline.kindset import Shipped


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking a tree: every problem in order, and what each file declares."""

    problems: tuple[Problem, ...]
    entries: Mapping[str, FileEntry]

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
        return Checked(problems, {path: entry for path, entry in self.entries.items() if selected(path)})


def check_tree(files: Mapping[str, bytes | EntryType], layout: Layout, shipped: Shipped) -> Checked:
    """Check the files of a working tree, by path, as if they were a commit."""
    schemas = {path: data for path, data in files.items() if layout.role(path) is Role.SCHEMA}
    kinds, problems = read_kinds({path: data for path, data in schemas.items() if isinstance(data, bytes)}, shipped)
    reader = Reader(kinds)
    texts = [(path, data) for path, data in files.items() if isinstance(data, bytes) and path not in schemas]
    entries = {path: not_a_file(path, found) for path, found in files.items() if not isinstance(found, bytes)}
    entries |= zip((path for path, _ in texts), reader.read(texts, len(texts)), strict=True)
    grown = tree.advance(tree.plant(EmptyBase(), kinds), kinds, entries).tree
    found = tuple(sorted((*problems, *crosscheck.problems(grown))))
    contents = {path: data for path, data in files.items() if isinstance(data, bytes)}
    return Checked(locate(found, lambda _: contents), entries)
