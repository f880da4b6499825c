"""Formatting the files of a working tree; the order of keys comes from its own schemas, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import BugError
from reconciler.format.format import Formatted, KeyOrder, format_file
from reconciler.reconcile.rules import Layout, Role, read_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.commit import EntryType
    from reconciler.model.problem import Problem
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.rules import BundledSchemas


ROLES = frozenset({Role.RESOURCES, Role.SETTINGS})
"""The roles of formatted files; other tools format schemas and policies."""


class FormattedTree(Struct, frozen=True):
    """The formatted files, and the bugs because of which others are not among them."""

    files: tuple[Formatted, ...]
    bugs: tuple[BugError, ...]

    @property
    def differing(self) -> tuple[Formatted, ...]:
        """The files that are not in canonical form."""
        return tuple(file for file in self.files if file.differs)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why files could not be read."""
        return tuple(problem for file in self.files for problem in file.problems)


def format_tree(
    files: Mapping[str, bytes | EntryType], layout: Layout, bundled: BundledSchemas, faults: FaultFinder
) -> FormattedTree:
    """Format each YAML file; the schemas among the files give the order of the keys of their kinds.

    Symbolic links are left out: their targets are formatted where they are.
    """
    texts = [(path, data) for path, data in files.items() if isinstance(data, bytes)]
    schemas = {path: data for path, data in texts if layout.role(path) is Role.SCHEMA}
    kinds, _ = read_kinds(schemas, bundled, faults)
    order = KeyOrder(kinds, {bundled.repository["properties"]["kind"]["const"]: bundled.repository})
    return _format_files(((path, data) for path, data in texts if layout.role(path) in ROLES), order)


def _format_files(texts: Iterable[tuple[str, bytes]], order: KeyOrder) -> FormattedTree:
    files: list[Formatted] = []
    bugs: list[BugError] = []
    for path, data in texts:
        try:
            files.append(format_file(path, data, order))
        except BugError as bug:  # in one file; the others are formatted all the same
            bugs.append(bug)
    return FormattedTree(tuple(files), tuple(bugs))
