"""What comes with the program, and what of it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import example_repository, record_schema, shipped_schemas
from reconciler.reconcile.rules import load_bundled, stored_kinds

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.git.scratch import ScratchRepository
    from reconciler.kinds.kind import Kinds
    from reconciler.ports import StoreReader
    from reconciler.reconcile.rules import BundledSchemas

NO_HISTORY = "none"
EMBEDDED = "chdb"


def shipped() -> BundledSchemas:
    """The kinds that come with the program."""
    return load_bundled(shipped_schemas(), record_schema("kind"), record_schema("repository"))


def known_kinds(store: StoreReader | None) -> Kinds:
    """The kinds that a store has tables for; before the first sync those that come with the program."""
    schemas = store.kinds() if store else {}
    return stored_kinds(schemas) if schemas else shipped().kinds


def has_embedded_history() -> bool:
    """Whether the embedded ClickHouse engine is installed."""
    return find_spec(EMBEDDED) is not None


def scratch_repository(folder: Path) -> ScratchRepository:
    """A new git repository in a folder, for the tour."""
    from reconciler.adapters.git.scratch import ScratchRepository

    return ScratchRepository(folder)


def new_token() -> str:
    """A token that nobody guesses."""
    from reconciler.adapters.daemonfile import new_token as made

    return made()


__all__ = [
    "EMBEDDED",
    "NO_HISTORY",
    "example_repository",
    "has_embedded_history",
    "known_kinds",
    "new_token",
    "scratch_repository",
    "shipped",
]
