"""A whole tree at once: what is declared in some files and what is wrong with it. Needs no store and no history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.model.problem import Severity
from reconciler.model.resource import FileEntry
from reconciler.pipeline.kindset import read_kinds
from reconciler.pipeline.layout import Layout, Role
from reconciler.pipeline.locating import locate
from reconciler.pipeline.reading import Reader, not_a_file
from reconciler.snapshot import crosscheck, tree
from reconciler.snapshot.base import EmptyBase
from reconciler.validate.repository import read_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Problem
    from reconciler.pipeline.kindset import Shipped


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
    found = tuple(sorted((*known, *problems, *crosscheck.problems(grown))))
    return Checked(locate(found, lambda _: contents), entries, kinds)


def _having(contents: Mapping[str, bytes], layout: Layout, role: Role) -> dict[str, bytes]:
    return {path: data for path, data in contents.items() if layout.role(path) is role}
