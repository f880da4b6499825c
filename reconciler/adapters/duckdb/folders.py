"""Which kinds the files of a folder declare, at the least: when one of them changes, no other kind need be looked at.

Mostly a folder has files of one kind. What a folder once declared stays with it until all is asked anew.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from reconciler.adapters.duckdb.connection import reading_desired_tables
from reconciler.tables.duckdb import DESIRED, qualify, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog
    from reconciler.model.change import Row

T = TypeVar("T")
MAX_FOLDERS = 10_000
"""Folders that are remembered; of a repository with more, nothing is known."""
MAX_ROWS = 1_000
"""Rows of a step that are added; after a larger one all is asked anew."""


class FolderKinds(Struct, frozen=True):
    """The kinds that the files of each folder may declare; None where nothing is known."""

    by_folder: Mapping[str, frozenset[str]] | None

    def of(self, path: str) -> frozenset[str] | None:
        """The kinds that a file may declare; None for any."""
        return None if self.by_folder is None else self.by_folder.get(_folder(path), frozenset())

    def after(self, rows: Iterable[Row]) -> FolderKinds:
        """The same once some rows were written."""
        if self.by_folder is None:
            return self
        added: defaultdict[str, set[str]] = defaultdict(set)
        for resource in (row.resource for row in rows if row.removed is None):
            added[_folder(resource.path)].add(resource.kind)
        known = self.by_folder
        new = {name: known.get(name, frozenset()) | kinds for name, kinds in added.items()}
        if all(known.get(name) == kinds for name, kinds in new.items()):
            return self
        return FolderKinds({**known, **new} if len(known) < MAX_FOLDERS else None)


def after_rows(known: Mapping[T, FolderKinds], rows: Sequence[Row]) -> dict[T, FolderKinds]:
    """What is known once some rows were written; nothing where it has to be asked anew."""
    return {} if len(rows) > MAX_ROWS else {name: folders.after(rows) for name, folders in known.items()}


def read_folders(connection: StoreConnection, catalog: Catalog) -> FolderKinds:
    """What the store says now."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, stored in catalog.items():
        path = quote(stored.declaration("path"))
        query = (
            f"SELECT DISTINCT parse_dirpath({path}, 'forward_slash') FROM {qualify(DESIRED, stored.table)} "
            f"WHERE {path} IS NOT NULL LIMIT ?"
        )
        with reading_desired_tables():
            folders = connection.execute(query, [MAX_FOLDERS + 1]).fetchall()
        for (folder,) in folders:
            found[folder].add(name)
        if len(found) > MAX_FOLDERS:
            return FolderKinds(None)
    return FolderKinds({folder: frozenset(kinds) for folder, kinds in found.items()})


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
