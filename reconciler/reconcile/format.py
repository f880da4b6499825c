"""The files of a working tree in canonical layout; what their kinds are comes from the tree, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import BugError
from reconciler.format.format import Formatted, Order, format_file
from reconciler.reconcile.rules import Layout, Role, read_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Problem
    from reconciler.reconcile.rules import Shipped


ROLES = frozenset({Role.RESOURCES, Role.SETTINGS})
"""What is formatted; schemas and policies belong to other tools."""


@dataclass(frozen=True, slots=True)
class FormattedTree:
    """What came of formatting some files; `bugs` are about those that are not among `files`."""

    files: tuple[Formatted, ...]
    bugs: tuple[BugError, ...]

    @property
    def differing(self) -> tuple[Formatted, ...]:
        """The files that are not canonical."""
        return tuple(file for file in self.files if file.differs)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why files could not be read."""
        return tuple(problem for file in self.files for problem in file.problems)


def format_tree(files: Mapping[str, bytes | EntryType], layout: Layout, shipped: Shipped) -> FormattedTree:
    """The canonical form of each YAML file; schemas among the files say how to order the keys of their kinds.

    Symbolic links are left out: what they lead to is formatted where it is.
    """
    texts = [(path, data) for path, data in files.items() if isinstance(data, bytes)]
    schemas = {path: data for path, data in texts if layout.role(path) is Role.SCHEMA}
    kinds, _ = read_kinds(schemas, shipped)
    order = Order(kinds, {shipped.repository["properties"]["kind"]["const"]: shipped.repository})
    return _formatted(((path, data) for path, data in texts if layout.role(path) in ROLES), order)


def _formatted(texts: Iterable[tuple[str, bytes]], order: Order) -> FormattedTree:
    files: list[Formatted] = []
    bugs: list[BugError] = []
    for path, data in texts:
        try:
            files.append(format_file(path, data, order))
        except BugError as bug:  # of one file: the others are formatted all the same
            bugs.append(bug)
    return FormattedTree(tuple(files), tuple(bugs))
