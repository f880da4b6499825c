"""Writing new files: a working tree to write in, and a new repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import editor_schemas, scaffold_templates, shipped_schemas
from reconciler.reconcile.rules import Role
from reconciler.wiring.checkout import checkout, inside
from reconciler.wiring.program import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from reconciler.adapters.files import Folder
    from reconciler.scaffold.files import Author
    from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class Workshop:
    """A working tree to write new files into.

    `schemas` holds what its editors read, by file name.
    """

    author: Author
    files: Folder
    schemas: Mapping[str, bytes]

    def inside(self, path: Path) -> str:
        """A path of the command line as one from the root. Raises `UsageError` for one outside the tree."""
        return str(inside(self.files.root, path))


def workshop(settings: Settings, roles: Collection[Role] = tuple(Role)) -> Workshop:
    """The working tree that the settings name; of its files only those in some roles are read."""
    from reconciler.adapters.files import Folder
    from reconciler.scaffold.files import Author
    from reconciler.scaffold.paths import schema_file

    at = checkout(settings.repository, settings.path)
    files, role = Folder(at.root), at.layout.role
    found = at.read(lambda path: role(path) in roles)
    checked = at.check(found)
    own = frozenset(kind.name for kind in checked.kinds) - at.shipped.kinds.by_name.keys()
    texts = {**shipped_schemas(), **{path: data for path, data in found.items() if isinstance(data, bytes)}}
    schemas = {schema_file(kind): texts[kind.origin] for kind in checked.kinds}
    author = Author(
        base=settings.path,
        kinds=checked.kinds,
        own=own,
        problems=checked.problems,
        entries=checked.entries,
        counts=lambda path: role(path) is Role.RESOURCES,
        exists=files.exists,
    )
    return Workshop(author, files, {**schemas, **editor_schemas()})


def folder(path: Path) -> Folder:
    """A folder to write in."""
    from reconciler.adapters.files import Folder

    return Folder(path.resolve())


def new_repository(new_id: Callable[[], str]) -> Mapping[str, bytes]:
    """The files of a new config repository, by path; `new_id` gives the ids of its examples."""
    from reconciler.scaffold.files import scaffold
    from reconciler.scaffold.paths import schema_file

    kinds, texts = shipped().kinds, shipped_schemas()
    schemas = {**{schema_file(kind): texts[kind.origin] for kind in kinds}, **editor_schemas()}
    return scaffold(scaffold_templates(), schemas, kinds, new_id)


def begin_repository(path: Path) -> bool:
    """Put an existing folder under git; False when it is already."""
    from reconciler.adapters.git.scratch import begin_repository

    return begin_repository(path.resolve())
